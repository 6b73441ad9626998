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

from tensorcodecs import packing
from tensorcodecs.arrays import Array, did_you_mean

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

    int8 has one scale per output, int8-tensor one for all; the affine forms have zero points too. WEIGHT_ONLY
    formats are always rounded to nearest.

    Raises ValueError for another precision, a NaN, and where there is a scale for an infinity or no weights.
    """
    _check(weights, precision, PRECISIONS)
    if precision not in FLOATS and not weights.size:
        raise ValueError(f"no scale in {precision} for weights of shape {weights.shape}")
    if precision in WEIGHT_ONLY:
        with np.errstate(over="ignore", invalid="ignore"):
            words, values, attributes = getattr(packing, f"pack_{precision}")(weights)
        _check_range(precision, attributes["scale"], np.abs(weights).max())
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

    `low` and `high` are the calibrated range; what is outside is clipped where there is a scale, and in
    float16 and bfloat16 becomes infinite where it overflows. Raises ValueError for another precision, a NaN,
    or a range without order or end where there is a scale.
    """
    _check(tensor, precision, (*FLOATS, *INTEGERS))
    if FLOATS.get(precision, np.dtype(np.int8)).itemsize == 1:
        _check_range(precision, low, high)
        if low > high:
            raise ValueError(f"the range [{low}, {high}] of {precision} has its ends the wrong way round")
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


def _check_range(precision: str, *ends: Any) -> None:  # noqa: ANN401 - numbers or arrays of them
    for end in ends:
        beyond = np.ravel(end)[~np.isfinite(np.ravel(end))]
        if beyond.size:
            raise ValueError(f"no finite scale in {precision} for a range that ends at {beyond[0]}")


def _integers(values: Floats, precision: str, low: Floats, high: Floats, rng: Rng) -> Stored:
    """Codes int8; `low` <= 0 <= `high` are of a shape that broadcasts to the values'."""
    affine = precision.endswith("affine")
    with np.errstate(over="ignore", invalid="ignore"):
        span = high - low if affine else np.maximum(-low, high)
    _check_range(precision, span)
    scale = _or_one(span / np.float32(_STEPS_AFFINE if affine else HIGH))
    if affine:
        zero_point, least = np.clip(np.rint(_LOW_AFFINE - low / scale), _LOW_AFFINE, HIGH), _LOW_AFFINE
    else:
        zero_point, least = np.zeros_like(scale), -HIGH
    with np.errstate(over="ignore"):  # far outside of the range; clipped below
        exact = values / scale
        nearest = np.rint(exact)
        if rng is not None:
            # What a code stands for must not move because the division was rounded.
            exact = np.where(nearest * scale == values, nearest, exact)
    steps = nearest if rng is None else _floor_or_ceil(exact, rng)
    codes = np.clip(steps + zero_point, least, HIGH)
    restored = ((codes - zero_point) * scale).astype(np.float32)
    many = scale.size > 1
    attributes = {
        "scale": scale.ravel() if many else scale.item(),
        "zero_point": zero_point.ravel().astype(np.int8)
        if many and zero_point.any()
        else int(zero_point.flat[0]),
    }
    return Stored(np.asarray(codes.astype(np.int8)), np.asarray(restored), attributes)


def _floor_or_ceil(exact: Floats, rng: np.random.Generator) -> Floats:
    """Up by the chance that the fraction is; not floor(exact + random), whose sum rounds up to the next."""
    whole = np.floor(exact)
    with np.errstate(invalid="ignore"):  # an infinity has no fraction, and stays
        up = exact - whole >= 1 - rng.random(exact.shape, np.float32)
    steps: Floats = whole + up
    return steps


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
        _check_range(precision, peak)
        scale = np.float32(peak) / largest or np.float32(1)
        attributes["scale"] = float(scale)
        with np.errstate(over="ignore"):  # far outside of the range; clipped
            scaled = np.clip(values / scale, -largest, largest)
        if rng is not None:
            # What a word stands for must not move because the division was rounded.
            nearest = scaled.astype(dtype).astype(np.float32)
            scaled = np.where(nearest * scale == values, nearest, scaled)
        values = np.asarray(scaled)
    with np.errstate(over="ignore"):  # an overflow is kept, as infinity
        words = values.astype(dtype) if rng is None else round_stochastically(values, dtype, rng)
    return Stored(words, np.asarray(words.astype(np.float32) * scale), attributes)


def round_stochastically(values: Floats, dtype: np.dtype[Any], rng: np.random.Generator) -> Array:
    """`values` (float32, no NaN) in a narrower float type of the same shape, rounded up or down by chance.

    The chance is the nearness, so that the mean of many roundings is the value (Gupta et al., ICML 2015).
    What is infinite when rounded to nearest is infinite here too: there is no mean that is the value.
    """
    nearest = values.astype(dtype)
    words = nearest.view(f"u{dtype.itemsize}")
    close = np.abs(nearest.astype(np.float32))
    magnitude = np.where(np.isinf(close), close, np.abs(values))
    # Of sign and magnitude: the next word up is the next magnitude up.
    below = np.where(close > magnitude, words - 1, words).astype(words.dtype)
    above = (below + 1).astype(words.dtype)
    low, high = (np.abs(w.view(dtype).astype(np.float32)) for w in (below, above))
    with np.errstate(invalid="ignore"):
        chance = np.where(close == magnitude, np.float32(0), (magnitude - low) / (high - low))
    chosen: Array = np.where(rng.random(values.shape, np.float32) < chance, above, below).view(dtype)
    return chosen
