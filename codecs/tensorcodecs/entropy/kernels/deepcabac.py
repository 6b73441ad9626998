"""Integers as binary decisions, each coded with the probability that its context has learnt.

Zero or not, sign, greater than 1, 2, ... 10, then an exponential Golomb code of the rest. A range coder of 32
bits writes the decisions; a carry runs back through what is written already.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_index, as_int

N_GREATER = 10
VALUE_BYTES_MAX = 256
"""More than one value can take: 75 decisions of at most 10 bits each, and 62 bits."""
FLUSH_BYTES = 4
_CHANCE_BITS = 16
_ONE = 1 << _CHANCE_BITS
_HALF = 1 << 15
_FAST, _SLOW = 4, 7
# Contexts, two probabilities each: 3 for zero or not, 1 for signs, then greater than n, then prefixes.
_SIGN = 3
_GREATER = 4
_PREFIX = _GREATER + N_GREATER
_PREFIX_MAX = 64
_REST_BITS_MAX = 62
_N_CONTEXTS = _PREFIX + _PREFIX_MAX
_WIDTH_MIN = 1 << 24
_MASK32 = 0xFFFF_FFFF
_DIRECT_BITS = 8
"""How many bits of even chance are coded at once."""

Contexts = npt.NDArray[np.uint32]
Coder = tuple[int, int, int]
"""The low end of the range (or the code above it), its width, the position in the bytes."""


@kernel
def _contexts() -> Contexts:
    return np.full(2 * _N_CONTEXTS, _HALF, np.uint32)


@kernel
def _chance(contexts: Contexts, context: int) -> int:
    """Return the probability of a 0: the mean of two, one that learns fast and one that learns slowly."""
    at = as_index(2 * context)
    return (as_int(contexts[at]) + as_int(contexts[at + as_index(1)])) >> 1


@kernel
def _learn(contexts: Contexts, context: int, bit: int) -> None:
    """Move both probabilities of a 0 towards `bit`."""
    at = as_index(2 * context)
    fast, slow = as_int(contexts[at]), as_int(contexts[at + as_index(1)])
    fast += -(fast >> _FAST) if bit else (_ONE - fast) >> _FAST
    slow += -(slow >> _SLOW) if bit else (_ONE - slow) >> _SLOW
    contexts[at] = fast
    contexts[at + as_index(1)] = slow


@kernel
def _carry(out: Bytes, at: int) -> None:
    """Add 1 to what stands before `at`."""
    at -= 1
    while out[at] == 0xFF:
        out[at] = 0
        at -= 1
    out[at] += 1


@kernel
def _settle(coder: Coder, out: Bytes) -> Coder:
    """Write the bytes that no longer change."""
    low, width, at = coder
    if low > _MASK32:
        low &= _MASK32
        _carry(out, at)
    while width < _WIDTH_MIN:
        out[as_index(at)] = low >> 24
        at += 1
        low = (low << 8) & _MASK32
        width <<= 8
    return low, width, at


@kernel
def _put(coder: Coder, contexts: Contexts, context: int, bit: int, out: Bytes) -> Coder:
    low, width, at = coder
    bound = (width >> _CHANCE_BITS) * _chance(contexts, context)
    _learn(contexts, context, bit)
    if bit:
        return _settle((low + bound, width - bound, at), out)
    return _settle((low, bound, at), out)


@kernel
def _take(coder: Coder, contexts: Contexts, context: int, data: Bytes) -> tuple[int, Coder]:
    """Undo `_put`: return the bit and the coder."""
    code, width, at = coder
    bound = (width >> _CHANCE_BITS) * _chance(contexts, context)
    bit = as_int(code >= bound)
    _learn(contexts, context, bit)
    if bit:
        return bit, _refill((code - bound, width - bound, at), data)
    return bit, _refill((code, bound, at), data)


@kernel
def _refill(coder: Coder, data: Bytes) -> Coder:
    """Read as many bytes as `_settle` writes; those behind the end are taken for zeros."""
    code, width, at = coder
    while width < _WIDTH_MIN:
        code <<= 8
        if at < data.size:
            code |= as_int(data[as_index(at)])
        at += 1
        width <<= 8
    return code, width, at


@kernel
def deepcabac_encode(values: npt.NDArray[np.int64], out: Bytes) -> int:
    """Write `values` to `out` and return the bytes used, or -1 where they do not fit it."""
    contexts = _contexts()
    coder = (as_int(0), as_int(_MASK32), as_int(0))
    before, last = as_int(0), as_int(0)  # whether the two values before were not 0
    for value in values:
        if coder[2] + VALUE_BYTES_MAX > out.size:
            return -1
        is_coded = as_int(value != 0)
        coder = _put(coder, contexts, before + last, is_coded, out)
        if is_coded:
            coder = _put_value(coder, contexts, value, out)
        before, last = last, is_coded
    low, _, at = coder
    for place in range(FLUSH_BYTES):
        out[at + place] = (low >> (24 - 8 * place)) & 0xFF
    return at + FLUSH_BYTES


@kernel
def _put_value(coder: Coder, contexts: Contexts, value: int, out: Bytes) -> Coder:
    """Write the sign and the magnitude of a `value` that is not 0."""
    coder = _put(coder, contexts, _SIGN, as_int(value < 0), out)
    # The least value has no opposite: so this is its magnitude less 1.
    rest = ~value if value < 0 else value - 1
    for place in range(min(rest + 1, N_GREATER)):
        coder = _put(coder, contexts, _GREATER + place, as_int(rest > place), out)
    if rest < N_GREATER:
        return coder
    rest += 1 - N_GREATER
    n_bits = as_int(0)
    while rest >> n_bits > 1:
        n_bits += 1
    for place in range(n_bits + 1):
        coder = _put(coder, contexts, _PREFIX + place, as_int(place < n_bits), out)
    while n_bits > 0:
        n_now = min(n_bits, _DIRECT_BITS)
        n_bits -= n_now
        low, width, at = coder
        width >>= n_now
        coder = _settle((low + width * ((rest >> n_bits) & ((1 << n_now) - 1)), width, at), out)
    return coder


@kernel
def deepcabac_decode(data: Bytes, values: npt.NDArray[np.int64]) -> int:
    """Fill `values` from `data` and return the bytes read, or -1 where it is too short or not valid."""
    contexts = _contexts()
    code = as_int(0)
    for at in range(FLUSH_BYTES):
        code = code << 8 | (as_int(data[at]) if at < data.size else 0)
    coder = (code, as_int(_MASK32), as_int(FLUSH_BYTES))
    before, last = as_int(0), as_int(0)
    for index in range(values.size):
        if coder[2] > data.size:
            return -1
        is_coded, coder = _take(coder, contexts, before + last, data)
        value = as_int(0)
        if is_coded:
            value, coder = _take_value(coder, contexts, data)
            if value == 0:
                return -1
        values[index] = value
        before, last = last, is_coded
    return coder[2]


@kernel
def _take_value(coder: Coder, contexts: Contexts, data: Bytes) -> tuple[int, Coder]:
    """Undo `_put_value`: return the value, or 0 where its magnitude has more than 63 bits, and the coder."""
    is_negative, coder = _take(coder, contexts, _SIGN, data)
    rest = as_int(0)
    more = as_int(1)
    while more and rest < N_GREATER:
        more, coder = _take(coder, contexts, _GREATER + rest, data)
        rest += more
    if more:
        n_bits = as_int(0)
        while more and n_bits < _PREFIX_MAX:
            more, coder = _take(coder, contexts, _PREFIX + n_bits, data)
            n_bits += more
        if n_bits > _REST_BITS_MAX:
            return as_int(0), coder
        direct = as_int(1)
        while n_bits > 0:
            n_now = min(n_bits, _DIRECT_BITS)
            n_bits -= n_now
            code, width, at = coder
            width >>= n_now
            part = min(code // width, (1 << n_now) - 1)
            direct = direct << n_now | part
            coder = _refill((code - part * width, width, at), data)
        rest += direct - 1
        if rest < 0:
            return as_int(0), coder
    return ~rest if is_negative else rest + 1, coder
