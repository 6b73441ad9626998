"""ALP: floats that are decimals in disguise become integers; integers keep their distance to the least.

All arithmetic is in float64, whatever the floats' width, so that one set of kernels serves both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import Words64, get, pack_bits, put, unpack_bits, width_of
from tensorcodecs.kernels.memory import as_int

Floats = npt.NDArray[np.float64]
VECTOR_WORDS = 1024
GROUP_VECTORS = 100
EXPONENT_MAX = 18
HEAD_BYTES = 32
"""More than a vector takes beside its words and exceptions."""
_N_CANDIDATES = 5
_SAMPLE_VECTORS = 8
_SAMPLE_WORDS = 32
_WORDS, _DECIMALS = 0, 1
_POWERS = np.array([float(f"1e{power}") for power in range(EXPONENT_MAX + 1)])
_INVERSES = np.array([float(f"1e-{power}") for power in range(EXPONENT_MAX + 1)])
_INTEGER_MAX = 2.0**51
_NO_FIT = 1 << 40


@kernel
def _integer_of(value: float, e: int, f: int) -> float:
    """Return the integer that stands for `value`, NaN where there is none."""
    scaled: float = np.rint(value * _POWERS[e] * _INVERSES[f])
    # Not "> max": a NaN must fail, too. And the integer 0 has no sign.
    if not abs(scaled) <= _INTEGER_MAX or (scaled == 0 and (value != 0 or np.signbit(value))):
        return np.nan
    return scaled


@kernel
def _float_of(integer: float, e: int, f: int, is_single: bool) -> float:
    value = integer * _POWERS[f] * _INVERSES[e]
    return np.float64(np.float32(value)) if is_single else value


@kernel
def _cost_bits(floats: Floats, step: int, e: int, f: int, width: int) -> int:
    """Return about how many bits every `step`th of `floats` takes with this scale."""
    low, high = np.inf, -np.inf
    n_exceptions = 0
    n_values = 0
    for index in range(0, floats.size, step):
        n_values += 1
        integer = _integer_of(floats[index], e, f)
        if _float_of(integer, e, f, width == 32) != floats[index]:
            n_exceptions += 1
        else:
            low, high = min(low, integer), max(high, integer)
    if n_exceptions == n_values:
        return _NO_FIT
    return n_values * width_of(np.uint64(high - low)) + n_exceptions * (width + 16)


@kernel
def _candidates(floats: Floats, width: int, scales: npt.NDArray[np.int64]) -> int:
    """Fill `scales` (rows of e, f, cost) with the cheapest over a sample of a group; return how many fit."""
    size = floats.size
    stride = max(1, size // (_SAMPLE_VECTORS * _SAMPLE_WORDS))
    n_found = 0
    for e in range(EXPONENT_MAX + 1):
        for f in range(e + 1):
            cost = _cost_bits(floats, stride, e, f, width)
            if cost >= _NO_FIT:
                continue
            place = n_found
            while place > 0 and scales[place - 1, 2] > cost:
                place -= 1
            if place < _N_CANDIDATES:
                n_found = min(n_found + 1, _N_CANDIDATES)
                for later in range(n_found - 1, place, -1):
                    for column in range(3):
                        scales[later, column] = scales[later - 1, column]
                scales[place, 0], scales[place, 1], scales[place, 2] = e, f, cost
    return n_found


@kernel
def alp_encode(words: Words64, floats: Floats, width: int, out: Bytes) -> int:
    """Write vectors of 1024 and return the bytes used.

    `words` are unsigned or, where signed, have their sign bit flipped; `floats` are the same as numbers,
    or empty. `out` has room for every word twice, 2 bytes more for each, and HEAD_BYTES for each vector.
    """
    at = 0
    scales = np.zeros((_N_CANDIDATES, 3), np.int64)
    n_scales = 0
    integers = np.empty(VECTOR_WORDS, np.uint64)
    places = np.empty(VECTOR_WORDS, np.uint64)
    for first in range(0, words.size, VECTOR_WORDS):
        vector = words[first : first + VECTOR_WORDS]
        if floats.size and first % (VECTOR_WORDS * GROUP_VECTORS) == 0:
            n_scales = _candidates(floats[first : first + VECTOR_WORDS * GROUP_VECTORS], width, scales)
        low, high = vector[0], vector[0]
        for index in range(1, vector.size):
            low, high = min(low, vector[index]), max(high, vector[index])
        n_bits = width_of(high - low)
        end = at + 1 + width // 8 + (vector.size * n_bits + 7) // 8
        if n_scales > 0:
            values = floats[first : first + VECTOR_WORDS]
            best, best_cost = 0, _NO_FIT
            step = max(1, values.size // _SAMPLE_WORDS)
            for scale in range(n_scales):
                cost = _cost_bits(values, step, scales[scale, 0], scales[scale, 1], width)
                if cost < best_cost:
                    best, best_cost = scale, cost
            e, f = scales[best, 0], scales[best, 1]
            decimal_end = _write_decimals(vector, values, width, e, f, integers, places, out, at)
            if decimal_end < end:
                at = decimal_end
                continue
        out[at] = _WORDS | (n_bits << 1)
        put(out, (at + 1) * 8, low, width)
        at = pack_bits(vector, low, n_bits, out, at + 1 + width // 8)
    return at


@kernel
def _write_decimals(
    vector: Words64,
    values: Floats,
    width: int,
    e: int,
    f: int,
    integers: Words64,
    places: Words64,
    out: Bytes,
    at: int,
) -> int:
    """Write one vector as decimals and return the byte behind it."""
    low, high = np.inf, -np.inf
    n_exceptions = 0
    for index in range(values.size):
        integer = _integer_of(values[index], e, f)
        places[n_exceptions] = index
        if _float_of(integer, e, f, width == 32) == values[index]:
            low, high = min(low, integer), max(high, integer)
            integers[index] = np.uint64(as_int(integer))
        else:
            n_exceptions += 1
    base = as_int(0) if n_exceptions == values.size else as_int(low)
    n_bits = 0 if n_exceptions == values.size else width_of(np.uint64(high - low))
    for exception in range(n_exceptions):
        integers[places[exception]] = np.uint64(base)
    out[at] = _DECIMALS | (n_bits << 1)
    out[at + 1] = e
    out[at + 2] = f
    put(out, (at + 3) * 8, np.uint64(n_exceptions), 16)
    put(out, (at + 5) * 8, np.uint64(base), 64)
    at = pack_bits(integers[: values.size], np.uint64(base), n_bits, out, at + 13)
    bit = at * 8
    for exception in range(n_exceptions):
        bit = put(out, bit, places[exception], 16)
        bit = put(out, bit, vector[places[exception]], width)
    return bit >> 3


@kernel
def alp_decode(
    data: Bytes, n_bytes: int, width: int, words: Words64, is_decimal: Bytes, floats: Floats
) -> int:
    """Fill `words` or, where `is_decimal` is set to 1, `floats`; return the bytes read, or -1.

    `data` has 16 bytes of slack behind its `n_bytes`; `floats` is empty where decimals are not allowed.
    """
    at = 0
    for first in range(0, words.size, VECTOR_WORDS):
        vector = words[first : first + VECTOR_WORDS]
        if at >= n_bytes:
            return -1
        n_bits = as_int(data[at]) >> 1
        if n_bits > 64:
            return -1
        if data[at] & 1 == _DECIMALS:
            if floats.size == 0:
                return -1
            marks = is_decimal[first : first + VECTOR_WORDS]
            at = _read_decimals(
                data, n_bytes, at, n_bits, width, vector, marks, floats[first : first + VECTOR_WORDS]
            )
            if at < 0:
                return -1
            continue
        at += 1
        if at + width // 8 + (vector.size * n_bits + 7) // 8 > n_bytes:
            return -1
        base = get(data, at * 8, width)
        at = unpack_bits(data, at + width // 8, base, n_bits, vector)
    return at


@kernel
def _read_decimals(
    data: Bytes, n_bytes: int, at: int, n_bits: int, width: int, vector: Words64, marks: Bytes, values: Floats
) -> int:
    """Undo `_write_decimals`; return the byte behind it, or -1 where it is not valid."""
    if at + 13 > n_bytes:
        return -1
    e, f = as_int(data[at + 1]), as_int(data[at + 2])
    n_exceptions = as_int(get(data, (at + 3) * 8, 16))
    base = get(data, (at + 5) * 8, 64)
    at += 13
    end = at + (vector.size * n_bits + 7) // 8
    if e > EXPONENT_MAX or f > e or end + n_exceptions * (2 + width // 8) > n_bytes:
        return -1
    unpack_bits(data, at, base, n_bits, vector)
    for index in range(vector.size):
        values[index] = _float_of(np.float64(as_int(vector[index])), e, f, width == 32)
        marks[index] = 1
    bit = end * 8
    for _ in range(n_exceptions):
        place = as_int(get(data, bit, 16))
        if place >= vector.size:
            return -1
        vector[place] = get(data, bit + 16, width)
        marks[place] = 0
        bit += 16 + width
    return bit >> 3
