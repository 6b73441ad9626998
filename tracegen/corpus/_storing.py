"""Captured tensors once more, as they would lie in memory in other number formats; never needs torch.

The formats and their arithmetic are `tensorcodecs.quantisers`', those of the standard corpus. What the model
itself computes is not touched: these are its own values, stored in fewer bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorcodecs.arrays import ALIASES, Array, did_you_mean, dtype_name
from tensorcodecs.quantisers import PRECISIONS, WEIGHT_ONLY, Stored, store_tensor, store_weights
from tracegen.corpus.reading import CorpusError

Range = tuple[float, float]
_ONE_SCALE = ("int8-tensor", "int8-tensor-affine", "float8_e4m3fn", "float8_e5m2")


def check_precisions(precisions: Sequence[str]) -> tuple[str, ...]:
    """Return the full names of the precisions, each once; CorpusError for one that there is not."""
    names = []
    for name in precisions:
        full = ALIASES.get(name, name) if isinstance(name, str) else name
        if full not in PRECISIONS:
            raise CorpusError(f"no precision {name!r}{did_you_mean(str(name), PRECISIONS)}")
        names.append(str(full))
    return tuple(dict.fromkeys(names))


def stored(array: Array, role: str, precision: str, whole: Range | None) -> Stored | None:
    """The array in the precision; None where it has no place there.

    `whole` is the range of the tensor that the array is a part of, or of several; without one its own counts.
    Weights have a scale for each output where the precision has. As in the standard corpus, biases and norms
    stay as they are, and formats of few bits are for weights alone. Raises ValueError for values without a
    finite scale.
    """
    if array.dtype.kind in "iub" or dtype_name(array.dtype) == precision:
        return None
    values = np.asarray(array, np.float32)
    if role == "weights":
        if array.ndim < 2:
            return None
        if whole is None or precision not in _ONE_SCALE:
            return store_weights(values, precision)
    elif precision in WEIGHT_ONLY:
        return None
    low, high = whole or (float(values.min()), float(values.max()))
    return store_tensor(values, precision, low, high)
