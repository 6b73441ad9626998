"""Layer-wise magnitude pruning (Han et al., NIPS 2015): exactly the asked share of each matrix becomes zero.

Layer-wise and not global, so that a trace called 90 % pruned holds 90 % zeros. Never needs torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LEVELS = (0.0, 0.5, 0.8, 0.9, 0.95)
MIN_VALUES = 2048
"""Smaller matrices stay dense: together they hold few of the weights and hurt the most."""


def is_prunable(name: str, shape: tuple[int, ...]) -> bool:
    """Whether the parameter is pruned: the matrices of convolutions, linear and recurrent layers.

    Biases and norms (vectors), embeddings (one row per symbol, not a product's operand) and matrices of fewer
    than MIN_VALUES values are not.
    """
    return len(shape) >= 2 and not name.startswith("embedding") and int(np.prod(shape)) >= MIN_VALUES


def magnitude_mask(weights: npt.NDArray[Any], sparsity: float) -> npt.NDArray[np.bool_]:
    """True where a weight survives, in the shape of `weights`.

    Exactly round(sparsity · n) weights go, those of smallest magnitude; of equal ones the first in C order,
    so that zeros stay zeros when the level rises. Raises ValueError for a sparsity outside [0, 1].
    """
    if not 0.0 <= sparsity <= 1.0:
        raise ValueError(f"sparsity {sparsity} is not in [0, 1]")
    order = np.argsort(np.abs(weights), axis=None, kind="stable")
    mask = np.ones(weights.size, np.bool_)
    mask[order[: round(sparsity * weights.size)]] = False
    return mask.reshape(weights.shape)
