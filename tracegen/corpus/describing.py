"""Numbers that describe a trace: its range, its entropy, its exponents and its runs of zero words.

All are of the stored words as they lie: packed formats are described as bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, as_words, raw_bytes

RUN_LENGTHS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, None))
"""Classes of run lengths in words, first and last; None = no limit."""
VALUE_BINS = 64
PACKED_PRECISIONS = ("int4", "ternary", "binary")
_MAX_ENTROPY_WORD_BITS = 16  # of wider words nearly every one is there once: the estimate means nothing


@dataclass(frozen=True)
class Range:
    """Of the finite values; `counts` over equal bins between `minimum` and `maximum`."""

    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    counts: tuple[int, ...]

    @property
    def edges(self) -> tuple[float, ...]:
        """The bins' edges, one more than there are bins."""
        if self.minimum == self.maximum:  # as numpy.histogram does it
            return tuple(np.linspace(self.minimum - 0.5, self.maximum + 0.5, len(self.counts) + 1).tolist())
        return tuple(np.linspace(self.minimum, self.maximum, len(self.counts) + 1).tolist())


@dataclass(frozen=True)
class FloatFields:
    """The fields of floating-point words: their widths in bits, and what is in them.

    `negative`, `subnormal` and `nonfinite` are shares of all values (zeros are no subnormals; -0.0 is
    negative). `exponents` counts normal values by their unbiased exponent: 1.5 has 0, 0.25 has -2.
    """

    sign_bits: int
    exponent_bits: int
    mantissa_bits: int
    negative: float
    subnormal: float
    nonfinite: float
    exponents: Mapping[int, int]


@dataclass(frozen=True)
class Runs:
    """Runs of like words in C order: how many, mean and longest length in words.

    `counts` is how many have a length in each class of `RUN_LENGTHS`.
    """

    runs: int
    mean: float
    longest: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Description:
    """What `describe` finds.

    `zeros` is the share of values that are 0 (-0.0 included), `zero_words` that of words without a set bit,
    `pruned` that of values at the quantiser's zero point: the measured sparsity. Entropies are order-0
    plug-in estimates, in bits; `word_entropy_bits` is None for words wider than 16 bits.
    """

    values: int
    word_bits: int
    zeros: float
    zero_words: float
    pruned: float
    byte_entropy_bits: float
    word_entropy_bits: float | None
    range: Range | None
    floats: FloatFields | None
    zero_runs: Runs
    nonzero_runs: Runs


def describe(array: Array, zero_point: float | Array = 0, axis: int = 0) -> Description:
    """Describe an array of any shape and dtype of the corpus; it holds at least one value.

    `zero_point` is the code that stands for 0, one for all values or one for each index of `axis`.
    """
    words = as_words(array)
    is_zero = words == 0
    return Description(
        values=array.size,
        word_bits=words.itemsize * 8,
        zeros=_share(array == 0),
        zero_words=_share(is_zero),
        pruned=_share(array == _spread(zero_point, array, axis)),
        byte_entropy_bits=entropy_bits(raw_bytes(array)),
        word_entropy_bits=entropy_bits(words) if words.itemsize * 8 <= _MAX_ENTROPY_WORD_BITS else None,
        range=_range(array),
        floats=None if array.dtype.kind in "iu" else float_fields(array),
        zero_runs=_runs(is_zero, wanted=True),
        nonzero_runs=_runs(is_zero, wanted=False),
    )


def is_packed(precision: str, dtype: str) -> bool:
    """Whether the trace's words are bytes that hold several weights each."""
    return dtype == "uint8" and precision.partition("-")[0] in PACKED_PRECISIONS


def entropy_bits(words: Array) -> float:
    """Order-0 entropy in bits per word: no code of one symbol after the other needs fewer on average.

    A plug-in estimate (Shannon's formula on the counted frequencies): too low where there are few words.
    """
    _, counts = np.unique(words, return_counts=True)
    shares = counts / words.size
    return max(0.0, float(-(shares * np.log2(shares)).sum()))  # never -0.0


def float_fields(array: Array) -> FloatFields:
    """Sign, exponent and mantissa of floating-point values of any dtype."""
    info: Any = ml_dtypes.finfo(array.dtype)  # type: ignore[no-untyped-call]
    words = as_words(array)
    mantissa_bits = int(info.nmant)
    exponent_bits = int(info.bits) - 1 - mantissa_bits
    bias = 1 - int(info.minexp)
    mantissas = words & words.dtype.type((1 << mantissa_bits) - 1)
    exponents = (words >> words.dtype.type(mantissa_bits)) & words.dtype.type((1 << exponent_bits) - 1)
    finite = np.isfinite(array.reshape(-1))
    fields, counts = np.unique(exponents[finite & (exponents > 0)], return_counts=True)
    return FloatFields(
        sign_bits=1,
        exponent_bits=exponent_bits,
        mantissa_bits=mantissa_bits,
        negative=_share(words >> words.dtype.type(info.bits - 1) == 1),
        subnormal=_share((exponents == 0) & (mantissas != 0)),
        nonfinite=_share(~finite),
        exponents={
            int(field) - bias: int(count) for field, count in zip(fields.tolist(), counts, strict=True)
        },
    )


def _share(flags: Array) -> float:
    return float(np.count_nonzero(flags) / flags.size)


def _spread(zero_point: float | Array, array: Array, axis: int) -> float | Array:
    points = np.asarray(zero_point)
    if points.ndim == 1 and 0 <= axis < array.ndim and len(points) == array.shape[axis]:
        return points.reshape(-1, *(1,) * (array.ndim - 1 - axis))
    return float(points) if points.ndim == 0 else 0.0


def _range(array: Array) -> Range | None:
    values = array.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return None
    counts, _ = np.histogram(values, VALUE_BINS)
    return Range(
        float(values.min()),
        float(values.max()),
        float(values.mean()),
        float(values.std()),
        tuple(counts.tolist()),
    )


def _runs(flags: Array, *, wanted: bool) -> Runs:
    lengths = run_lengths(flags, wanted=wanted)
    if lengths.size == 0:
        return Runs(0, 0.0, 0, (0,) * len(RUN_LENGTHS))
    firsts = [first for first, _ in RUN_LENGTHS]
    bounds = [0, *(int(n) for n in np.searchsorted(np.sort(lengths), firsts[1:])), lengths.size]
    counts = tuple(after - before for before, after in itertools.pairwise(bounds))
    return Runs(lengths.size, float(lengths.mean()), int(lengths.max()), counts)


def run_lengths(flags: Array, *, wanted: bool) -> npt.NDArray[np.int64]:
    """The lengths of the runs of `wanted` in a 1-D array of booleans, in order."""
    padded = np.concatenate(([False], flags == wanted, [False])).astype(np.int8)
    steps = np.diff(padded)
    lengths: npt.NDArray[np.int64] = np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)
    return lengths
