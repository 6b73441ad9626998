"""Counts as whole parts of a fixed total: what tables of probabilities are made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def in_whole_parts(weights: npt.NDArray[np.int64], total: int, least: int) -> npt.NDArray[np.int64]:
    """Return int64 parts of `total` in proportion to `weights`, in integers alone.

    A weight above 0 gets at least 1, one of 0 gets `least` (0 or 1). What rounding leaves over goes to the
    largest part, the first of equal ones. `total` is well above twice the number of weights.
    """
    floor = np.where(weights > 0, 1, least).astype(np.int64)
    spare = total - int(floor.sum())
    parts = floor + np.array([spare * int(w) // max(1, int(weights.sum())) for w in weights], np.int64)
    parts[int(parts.argmax())] += total - int(parts.sum())
    return parts
