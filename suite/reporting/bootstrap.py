"""Intervals of total ratios by the bootstrap over traces, and which neighbours they do not tell apart.

Percentile bootstrap (Efron, 'Bootstrap Methods: Another Look at the Jackknife', Annals of Statistics 1979):
the traces are drawn again with replacement, the total ratio is taken of each draw, and the interval holds the
middle 95 % of these. All sums are exact, so that the intervals are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
SEED = 1
_EXACT = 1 << 53
"""Up to here a float64 is exact for every integer."""
COVERED = (0.025, 0.975)

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Intervals:
    """95 % intervals, float64[codecs, 2], of the rows in the order they came in."""

    ratio: Floats
    """Of the total ratio."""
    over_above: Floats
    """Of the total ratio over that of the row above, on the same draws; the first row's is NaN."""

    def tied(self) -> npt.NDArray[np.bool_]:
        """Whether the interval against the row above includes 1, bool[codecs]."""
        return (self.over_above[:, 0] <= 1) & (self.over_above[:, 1] >= 1)


def draws(traces: int, resamples: int = RESAMPLES, seed: int = SEED) -> Integers:
    """How often each trace is in each draw, int64[resamples, traces]; every draw has `traces` of them."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, traces, (resamples, traces))
    cells = (np.arange(resamples)[:, None] * traces + drawn).reshape(-1)
    return np.bincount(cells, minlength=resamples * traces).reshape(resamples, traces).astype(np.int64)


def intervals(raw_bits: Any, coded_bits: Any, resamples: int = RESAMPLES, seed: int = SEED) -> Intervals:  # noqa: ANN401 - array-likes
    """Intervals of Σ raw / Σ coded over the traces, for every codec.

    `raw_bits` int64[traces], `coded_bits` int64[codecs, traces], codecs in the order of their ranks.
    Raises ValueError for another shape, no trace, or a coded size of zero bits.
    """
    raw, coded = np.asarray(raw_bits, np.int64), np.asarray(coded_bits, np.int64)
    if raw.ndim != 1 or coded.ndim != 2 or coded.shape[1] != raw.size or not raw.size:
        raise ValueError(f"sizes of shape {coded.shape} do not go with {raw.shape} traces")
    if (coded <= 0).any():
        raise ValueError("a coded size is not positive: its ratio is none")
    times = draws(raw.size, resamples, seed)
    sums = _product(times, coded.T)
    over_above = np.full((len(coded), 2), np.nan)
    # Σ raw cancels: the ratio of two ratios is that of the coded sums, the other way round.
    over_above[1:] = _middle(sums[:, :-1] / sums[:, 1:])
    return Intervals(_middle(_product(times, raw[:, None]) / sums), over_above)


def _product(times: Integers, sizes: Integers) -> Floats | Integers:
    """The exact matrix product; in floats, far faster, where no partial sum is rounded."""
    if len(sizes) * int(sizes.max()) < _EXACT:
        return times.astype(np.float64) @ sizes.astype(np.float64)
    return times @ sizes


def _middle(samples: Floats) -> Floats:
    return np.quantile(samples, COVERED, axis=0).T
