"""Storage formats: what a tensor's bits are in float16, BF16, FP8, INT8, INT4, ternary and binary.

INT8 after Krishnamoorthi, arXiv 1806.08342, section 2, and Wu et al., arXiv 2004.09602, section 3; FP8 with
one scale per tensor after Micikevicius et al., arXiv 2209.05433; packed formats in `tracegen.packing`. Zero
always stays zero. Rounding is to nearest, ties to even, or stochastic (Gupta et al., ICML 2015). Never needs
torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import did_you_mean
from tracegen import packing

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Rng = np.random.Generator | None

FLOATS: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
}
INTEGERS = ("int8", "int8-affine", "int8-tensor", "int8-tensor-affine")
WEIGHT_ONLY = ("int4", "ternary", "binary")
PRECISIONS = (*FLOATS, *INTEGERS, *WEIGHT_ONLY)

HIGH = 127
"""Symmetric codes leave -128 out, so that the codes of w and -w are opposite."""
_LOW_AFFINE, _STEPS_AFFINE = -128, 255


@dataclass(frozen=True)
class Stored:
    """A tensor in a storage format.

    `words` is what lies in memory; `values` (float32, the tensor's shape) what they stand for; `attributes`
    what is needed to get from one to the other, such as `scale` and `zero_point`.
    """

    words: Array
    values: Floats
    attributes: dict[str, Any] = field(default_factory=dict)


def store_weights(weights: Floats, precision: str, rng: Rng = None) -> Stored:
    """Weights (outputs first) in one of `PRECISIONS`; with `rng`, rounded stochastically.

    int8 has one scale per output, int8-tensor one for all; the affine forms have zero points too. Raises
    ValueError for another precision or a NaN.
    """
    _check(weights, precision, PRECISIONS)
    if precision in WEIGHT_ONLY:
        words, values, attributes = getattr(packing, f"pack_{precision}")(weights)
        return Stored(words, values, attributes)
    if precision in INTEGERS:
        per_tensor = "tensor" in precision
        rows = weights.reshape(1 if per_tensor else len(weights), -1)
        low, high = rows.min(1, initial=0.0), rows.max(1, initial=0.0)
        spread = (-1, *(1,) * (weights.ndim - 1))
        stored = _integers(weights, precision, low.reshape(spread), high.reshape(spread), rng)
        if not per_tensor:
            stored.attributes["axis"] = 0
        return stored
    return _floats(weights, precision, float(np.abs(weights).max(initial=0.0)), rng)


def store_tensor(tensor: Floats, precision: str, low: float, high: float, rng: Rng = None) -> Stored:
    """An activation, gradient, error or cache in `FLOATS` or `INTEGERS`, one scale for all of it.

    `low` and `high` are the calibrated range; what is outside is clipped. Raises ValueError for another
    precision or a NaN.
    """
    _check(tensor, precision, (*FLOATS, *INTEGERS))
    if precision in INTEGERS:
        one = (1,) * tensor.ndim
        ends = np.full(one, min(low, 0.0), np.float32), np.full(one, max(high, 0.0), np.float32)
        return _integers(tensor, precision, *ends, rng)
    return _floats(tensor, precision, max(abs(low), abs(high)), rng)


def _check(values: Floats, precision: str, legal: tuple[str, ...]) -> None:
    if precision not in legal:
        raise ValueError(f"no storage precision {precision!r} here{did_you_mean(precision, legal)}")
    if np.isnan(values).any():
        raise ValueError(f"a NaN cannot be stored in {precision}")


def _integers(values: Floats, precision: str, low: Floats, high: Floats, rng: Rng) -> Stored:
    """Codes int8; `low` <= 0 <= `high` are of a shape that broadcasts to the values'."""
    if precision.endswith("affine"):
        scale = _or_one((high - low) / np.float32(_STEPS_AFFINE))
        zero_point = np.clip(np.rint(_LOW_AFFINE - low / scale), _LOW_AFFINE, HIGH)
        least = _LOW_AFFINE
    else:
        scale = _or_one(np.maximum(-low, high) / np.float32(HIGH))
        zero_point, least = np.zeros_like(scale), -HIGH
    exact = values / scale
    steps = np.rint(exact) if rng is None else np.floor(exact + rng.random(values.shape, np.float32))
    codes = np.clip(steps + zero_point, least, HIGH)
    restored = ((codes - zero_point) * scale).astype(np.float32)
    many = scale.size > 1
    attributes = {
        "scale": scale.ravel() if many else scale.item(),
        "zero_point": zero_point.ravel().astype(np.int8)
        if many and zero_point.any()
        else int(zero_point.flat[0]),
    }
    return Stored(codes.astype(np.int8), restored, attributes)


def _or_one(scale: Array) -> Floats:
    """A scale of 0, of a tensor of zeros, becomes 1."""
    chosen: Floats = np.where(scale > 0, scale, np.float32(1)).astype(np.float32)
    return chosen


def _floats(values: Floats, precision: str, peak: float, rng: Rng) -> Stored:
    dtype = FLOATS[precision]
    if precision == "float32":
        return Stored(values, values)
    attributes: dict[str, Any] = {}
    scale = np.float32(1)
    if dtype.itemsize == 1:
        largest = np.float32(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
        scale = np.float32(peak) / largest or np.float32(1)
        attributes["scale"] = float(scale)
        values = np.clip(values / scale, -largest, largest)
    words = values.astype(dtype) if rng is None else round_stochastically(values, dtype, rng)
    return Stored(words, words.astype(np.float32) * scale, attributes)


def round_stochastically(values: Floats, dtype: np.dtype[Any], rng: np.random.Generator) -> Array:
    """`values` (float32, finite in `dtype`) in a narrower float type, rounded up or down by chance.

    The chance is the nearness, so that the mean of many roundings is the value (Gupta et al., ICML 2015).
    """
    nearest = values.astype(dtype)
    words = nearest.view(f"u{dtype.itemsize}")
    magnitude = np.abs(values)
    close = np.abs(nearest.astype(np.float32))
    # Of sign and magnitude: the next word up is the next magnitude up.
    below = np.where(close > magnitude, words - 1, words).astype(words.dtype)
    above = (below + 1).astype(words.dtype)
    low, high = (np.abs(w.view(dtype).astype(np.float32)) for w in (below, above))
    with np.errstate(invalid="ignore"):
        chance = np.where(close == magnitude, np.float32(0), (magnitude - low) / (high - low))
    chosen: Array = np.where(rng.random(values.shape, np.float32) < chance, above, below).view(dtype)
    return chosen
