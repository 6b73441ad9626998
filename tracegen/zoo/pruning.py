"""Which weights a pruning method lets go: layer by layer, exactly the asked share of each matrix's groups.

Layer-wise and not global, so that a trace called 90 % pruned holds 90 % zeros. Never needs torch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, did_you_mean

Mask = npt.NDArray[np.bool_]

LEVELS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
METHODS = ("magnitude", "2of4", "rows", "block4x4", "block16x16", "filter")
MIN_VALUES = 2048
"""Smaller matrices stay dense: together they hold few of the weights and hurt the most."""
RUN = 16
"""Values of a matrix's row that `rows` prunes together."""
_GROUP = 4
_KEPT_OF_GROUP = 2


def is_prunable(name: str, shape: tuple[int, ...]) -> bool:
    """Whether the parameter is pruned: the matrices of convolutions, linear and recurrent layers.

    Biases and norms (vectors), embeddings (one row per symbol, not a product's operand) and matrices of fewer
    than MIN_VALUES values are not.
    """
    return len(shape) >= 2 and not name.startswith("embedding") and int(np.prod(shape)) >= MIN_VALUES


def pruning_mask(weights: Array, sparsity: float, method: str = "magnitude") -> Mask:
    """True where a weight survives, in the shape of `weights` (two axes or more, outputs first).

    Of the groups that the method prunes together exactly round(sparsity * groups) go, those of the smallest
    mean magnitude; of equal ones the first, so that zeros stay zeros when the level rises:

    * magnitude: single weights (Han et al., NIPS 2015);
    * 2of4: of 4 neighbours along axis 1 the two smallest go (Mishra et al., arXiv 2104.08378); a matrix whose
      axis 1 is no multiple of 4 stays dense, and the sparsity must be 0.5;
    * rows: a row of a convolution's kernel (Mao et al., CVPRW 2017), or 16 neighbours in a matrix's row;
    * block4x4, block16x16: blocks of the matrix (outputs, rest), smaller at its edges (Narang et al.,
      arXiv 1711.02782);
    * filter: all weights of an output (Li et al., ICLR 2017).

    Raises ValueError for a sparsity outside [0, 1], an unknown method, a vector, or weights with a NaN.
    """
    if not 0.0 <= sparsity <= 1.0:
        raise ValueError(f"sparsity {sparsity} is not in [0, 1]")
    if method not in METHODS:
        raise ValueError(f"no pruning method {method!r}{did_you_mean(method, METHODS)}")
    if weights.ndim < 2:
        raise ValueError(f"weights of shape {weights.shape} have no two axes: only matrices are pruned")
    if np.isnan(weights).any():
        raise ValueError("weights hold a NaN: their magnitudes cannot be ordered")
    if method == "2of4":
        return _two_of_four(weights, sparsity)
    magnitudes = np.abs(weights).ravel()
    if method == "magnitude":
        return ~_smallest(magnitudes, sparsity).reshape(weights.shape)
    groups = _groups(weights.shape, method)
    scores = np.bincount(groups, magnitudes.astype(np.float64)) / np.bincount(groups)
    return ~_smallest(scores, sparsity)[groups].reshape(weights.shape)


def _smallest(scores: Array, share: float) -> Mask:
    """True for exactly round(share * scores) of the scores, the smallest; of equal ones the first."""
    count = round(share * len(scores))
    if count == 0:
        return np.zeros(len(scores), np.bool_)
    # A partition and not a sort: several times faster, and it is called at every step of gradual pruning.
    highest = np.partition(scores, count - 1)[count - 1]
    chosen: Mask = scores < highest
    chosen[np.flatnonzero(scores == highest)[: count - np.count_nonzero(chosen)]] = True
    return chosen


def _groups(shape: tuple[int, ...], method: str) -> npt.NDArray[np.int64]:
    """The number of each weight's group, flat in C order; groups are numbered from 0 without gaps."""
    rows, columns = shape[0], int(np.prod(shape[1:]))
    height, width = 1, max(columns, 1)
    if method == "rows":
        width = shape[-1] if len(shape) > 2 else RUN
    elif method.startswith("block"):
        height = width = int(method.partition("x")[2])
    per_row = -(-columns // width)
    row, column = np.arange(rows) // height, np.arange(columns) // width
    return (row[:, None] * per_row + column).ravel()


def _two_of_four(weights: Array, sparsity: float) -> Mask:
    if sparsity != _KEPT_OF_GROUP / _GROUP:
        raise ValueError(f"sparsity {sparsity} is not 0.5, the only one of 2of4")
    if weights.shape[1] % _GROUP:
        return np.ones(weights.shape, np.bool_)
    inputs_last = np.moveaxis(np.abs(weights), 1, -1)
    groups = inputs_last.reshape(-1, _GROUP)
    kept = np.ones(groups.shape, np.bool_)
    smallest = np.argsort(groups, axis=1, kind="stable")[:, :_KEPT_OF_GROUP]
    np.put_along_axis(kept, smallest, values=False, axis=1)
    return np.ascontiguousarray(np.moveaxis(kept.reshape(inputs_last.shape), -1, 1))


def gradual_sparsity(step: int, steps: int, final: float) -> float:
    """Sparsity at `step` on the cubic way from 0 to `final` in `steps` steps, then `final`.

    Zhu & Gupta, "To prune, or not to prune", arXiv 1710.01878, equation 1.
    """
    done = min(max(step / steps, 0.0), 1.0) if steps > 0 else 1.0
    return final * (1.0 - (1.0 - done) ** 3)
