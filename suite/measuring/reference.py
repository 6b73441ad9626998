"""Reference columns: what an order-0 coder that knows the format would need. Never a limit.

The zero-aware order-0 reference of n values, a fraction z of them zero, is

    L_z = n * (h2(z) + (1 - z) * L(X | X != 0))

h2 being the binary entropy: a coder that says where the zeros are, then codes the rest. Without it a
sparse tensor's reference is far too high. L is, per non-zero value:

* the plug-in entropy of the whole value where values have at most 16 bits and enough samples (K distinct
  values among n: K <= n / 10), with the Miller-Madow correction (K - 1) / (2 n ln 2);
* else, for floats, the field form H(S|E) + H(E) + H(M_hi7|E) + sum over the lower mantissa bytes H(M_lo);
* else the sum of the byte planes' entropies.

Adaptive codecs legitimately pass an order-0 reference: they see more than single values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tensorcodecs.arrays import Array, as_words

MIN_SAMPLES_PER_SYMBOL = 10
"""Below this many samples for each distinct value a plug-in entropy is unreliable."""

SLICE_WORDS = 1 << 20
"""Words looked at together: temporaries are eight times as large."""


@dataclass(frozen=True)
class Reference:
    """The zero-aware order-0 reference of one trace."""

    bits: float
    """Total bits for the whole trace."""
    zero_fraction: float
    """Share of values whose bits are all zero (so -0.0 is not a zero)."""
    form: str
    """`symbols`, `fields` or `bytes`: which estimate of a non-zero value's cost was used."""


def zero_aware_order0(array: Array) -> Reference:
    """Zero-aware order-0 reference of an array of any shape and dtype, in bits for the whole array."""
    words = as_words(array)
    n_nonzero = int(np.count_nonzero(words))
    if n_nonzero == 0:
        return Reference(0.0, 1.0 if words.size else 0.0, "symbols")
    zero_fraction = 1.0 - n_nonzero / words.size
    mask_bits = words.size * _binary_entropy(zero_fraction)
    bits, form = _nonzero_bits(words, n_nonzero, array.dtype)
    return Reference(mask_bits + bits, zero_fraction, form)


def _nonzero_bits(words: Array, n_nonzero: int, dtype: np.dtype[Any]) -> tuple[float, str]:
    width_bits = 8 * words.dtype.itemsize
    if width_bits <= 16:
        counts = _counts(words, lambda part: part, 1 << width_bits)
        symbols = int(np.count_nonzero(counts))
        if symbols * MIN_SAMPLES_PER_SYMBOL <= n_nonzero:
            return _entropy_bits(counts), "symbols"
    if mantissa_bits := _mantissa_bits(dtype):
        return _field_bits(words, mantissa_bits), "fields"
    return sum(_entropy_bits(plane) for plane in _plane_counts(words, width_bits)), "bytes"


def _field_bits(words: Array, mantissa_bits: int) -> float:
    width_bits = 8 * words.dtype.itemsize
    exponent_bits = width_bits - 1 - mantissa_bits
    n_exponents = 1 << exponent_bits
    high_bits = min(7, mantissa_bits)
    low_bits = mantissa_bits - high_bits

    def exponent(part: Array) -> Array:
        return ((part >> mantissa_bits) & (n_exponents - 1)).astype(np.int64)

    def sign(part: Array) -> Array:
        return 2 * exponent(part) + (part >> (width_bits - 1)).astype(np.int64)

    def high(part: Array) -> Array:
        field = ((part >> low_bits) & ((1 << high_bits) - 1)).astype(np.int64)
        return (exponent(part) << high_bits) + field

    total = _entropy_bits(_counts(words, exponent, n_exponents))
    total += _conditional_bits(_counts(words, sign, 2 * n_exponents), 2) + _conditional_bits(
        _counts(words, high, n_exponents << high_bits), 1 << high_bits
    )
    return total + sum(_entropy_bits(plane) for plane in _plane_counts(words, low_bits))


def _counts(words: Array, symbol: Callable[[Array], Array], alphabet: int) -> Array:
    """How often each symbol is there among the values that are not zero, slice by slice."""
    counts = np.zeros(alphabet, np.int64)
    for start in range(0, words.size, SLICE_WORDS):
        part = words[start : start + SLICE_WORDS]
        counts += np.bincount(symbol(part[part != 0]), minlength=alphabet)
    return counts


def _mantissa_bits(dtype: np.dtype[Any]) -> int | None:
    if dtype.kind in "iub" or dtype.kind == "c":
        return None
    return int(ml_dtypes.finfo(dtype).nmant)  # type: ignore[no-untyped-call]


def _plane_counts(words: Array, used_bits: int) -> list[Array]:
    """The counts of each byte plane of the lowest `used_bits` bits."""
    planes = []
    for shift in range(0, used_bits, 8):
        mask = (1 << min(8, used_bits - shift)) - 1
        planes.append(_counts(words, lambda part, s=shift, m=mask: ((part >> s) & m).astype(np.int64), 256))  # type: ignore[misc]
    return planes


def _conditional_bits(counts: Array, alphabet: int) -> float:
    """N * H(symbols | context): for each context the entropy of the symbols seen in it."""
    table = counts.reshape(-1, alphabet)
    return sum(_entropy_bits(row) for row in table[table.any(axis=1)])


def _entropy_bits(counts: Array) -> float:
    """N * H of the counts, Miller-Madow corrected, never above n * log2(K)."""
    counts = counts[counts > 0].astype(np.float64)
    total = counts.sum()
    plug_in = total * np.log2(total) - (counts * np.log2(counts)).sum()
    corrected = plug_in + (len(counts) - 1) / (2 * np.log(2))
    return float(min(corrected, total * np.log2(len(counts))))


def _binary_entropy(p: float) -> float:
    if p in (0.0, 1.0):
        return 0.0
    return float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))
