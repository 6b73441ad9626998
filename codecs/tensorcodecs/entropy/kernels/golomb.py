"""Golomb-Rice codes with a parameter for each block: quotient in unary, remainder in plain bits.

Codes of a block are made and read as uint64, whatever the array's width; only the outermost loops know it.
"""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import Words64, get, pack_bits, put, trailing_zeros, unpack_bits, width_of
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store

STORED, ZEROS = 64, 65
"""Heads of blocks that are not coded; a smaller head is the parameter."""
QUOTIENT_MAX = 20
"""So many ones say that the value follows whole."""
SLACK_BYTES = 64
"""What coding one value may touch behind the place where it begins, and more."""
_WINDOW_BITS = 57
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@kernel
def golomb_encode(raw: Bytes, word_bytes: int, is_signed: bool, block_values: int, out: Bytes) -> int:
    """Write the blocks of the words in `raw` to `out` and return the bytes used.

    `out` has room for `raw`, one byte more for each block, and SLACK_BYTES.
    """
    width = 8 * word_bytes
    n_words = raw.size // word_bytes
    room = np.empty(block_values, np.uint64)
    at = 0
    for start in range(0, n_words, block_values):
        values = room[: min(block_values, n_words - start)]
        _widen(raw, start * word_bytes, word_bytes, values)
        if is_signed:
            _zigzag(values, width)
        at = _encode_block(values, width, out, at)
    return at


@kernel
def golomb_decode(
    data: Bytes, n_bytes: int, word_bytes: int, is_signed: bool, block_values: int, raw: Bytes
) -> int:
    """Fill `raw` from the first `n_bytes` of `data`, SLACK_BYTES behind them; the bytes read, or -1."""
    n_words = raw.size // word_bytes
    room = np.empty(min(block_values, n_words), np.uint64)
    at = 0
    for start in range(0, n_words, block_values):
        values = room[: min(block_values, n_words - start)]
        at = _decode_block(data, at, n_bytes, 8 * word_bytes, values)
        if at < 0:
            return -1
        if is_signed:
            _unzigzag(values)
        _narrow(values, word_bytes, raw, start * word_bytes)
    return at


@kernel
def _widen(raw: Bytes, at: int, word_bytes: int, values: Words64) -> None:
    """Fill `values` with the words from byte `at` on."""
    mask = _ALL >> np.uint64(64 - 8 * word_bytes)
    for index in range(values.size):
        if at + 8 <= raw.size:
            values[index] = load(raw, at, LIKE_U64) & mask
        else:
            values[index] = np.uint64(0)
            for place in range(word_bytes):
                values[index] |= np.uint64(raw[at + place]) << np.uint64(8 * place)
        at += word_bytes


@kernel
def _narrow(values: Words64, word_bytes: int, raw: Bytes, at: int) -> None:
    """Undo `_widen`: bytes behind the words may change, too, so words are written in order."""
    for index in range(values.size):
        if at + 8 <= raw.size:
            store(raw, at, values[index])
        else:
            for place in range(word_bytes):
                raw[at + place] = np.uint8((values[index] >> np.uint64(8 * place)) & np.uint64(0xFF))
        at += word_bytes


@kernel
def _zigzag(values: Words64, width: int) -> None:
    # As signed numbers of 64 bits, then of `width` bits again.
    gap = as_int(64 - width)
    for index in range(values.size):
        value = as_int(values[index]) << gap >> gap
        values[index] = np.uint64((value << 1) ^ (value >> 63))


@kernel
def _unzigzag(values: Words64) -> None:
    for index in range(values.size):
        value = values[index]
        values[index] = (value >> _ONE) ^ (np.uint64(0) - (value & _ONE))


@kernel
def _encode_block(values: Words64, width: int, out: Bytes, at: int) -> int:
    """Write one block in its shortest kind and return where it ends."""
    largest = np.uint64(0)
    for value in values:
        largest = max(largest, value)
    if largest == 0:
        out[at] = ZEROS
        return at + 1
    parameter, n_bits = _best_parameter(values, width)
    if n_bits >= values.size * width:
        out[at] = STORED
        return pack_bits(values, np.uint64(0), width, out, at + 1)
    out[at] = parameter
    return _write_codes(values, parameter, width, out, at + 1)


@kernel
def _best_parameter(values: Words64, width: int) -> tuple[int, int]:
    """Return the parameter that a walk from the mean finds, and the bits that it takes."""
    # Wide values lose low bits, which a sum of 64 bits has no room for.
    lost = 13 if width == 64 else 0
    total = np.uint64(0)
    for value in values:
        total += value >> np.uint64(lost)
    best = min(width_of(total // np.uint64(values.size)) + lost, width - 1)
    best_bits = _count_bits(values, best, width)
    # Few large values raise the mean over the best parameter, so down comes first.
    for step in (-1, 1):
        while 0 <= best + step < width:
            n_bits = _count_bits(values, best + step, width)
            if n_bits >= best_bits:
                break
            best, best_bits = best + step, n_bits
    return best, best_bits


@kernel
def _count_bits(values: Words64, parameter: int, width: int) -> int:
    shift = np.uint64(parameter)
    limit = np.uint64(QUOTIENT_MAX)
    total = np.uint64(0)
    n_escapes = np.uint64(0)
    for value in values:
        quotient = value >> shift
        is_escape = np.uint64(quotient >= limit)
        total += limit if is_escape else quotient
        n_escapes += is_escape
    escaped = as_int(n_escapes)
    return as_int(total) + (values.size - escaped) * (parameter + 1) + escaped * width


@kernel
def _write_codes(values: Words64, parameter: int, width: int, out: Bytes, at: int) -> int:
    """Write the codes from byte `at` on and return the byte behind them."""
    mask = (_ONE << np.uint64(parameter)) - _ONE
    word, n_waiting = np.uint64(0), as_int(0)  # bits that are not in `out` yet, 7 at most
    for value in values:
        quotient = value >> np.uint64(parameter)
        n_bits = as_int(min(quotient, np.uint64(QUOTIENT_MAX))) + 1 + parameter
        if quotient < np.uint64(QUOTIENT_MAX) and n_bits <= _WINDOW_BITS:
            code = (_ONE << quotient) - _ONE | (value & mask) << (quotient + _ONE)
            word |= code << np.uint64(n_waiting)
            store(out, at, word)
            n_waiting += n_bits
        else:
            store(out, at, word)
            bit = _put_long(out, 8 * at + n_waiting, value, parameter, width)
            at, n_waiting = bit >> 3, bit & 7
            word = np.uint64(out[at]) & ((_ONE << np.uint64(n_waiting)) - _ONE)
            continue
        at += n_waiting >> 3
        word >>= np.uint64(n_waiting & 0x38)
        n_waiting &= 7
    store(out, at, word)
    return at + (n_waiting > 0)


@kernel
def _put_long(out: Bytes, bit: int, value: np.uint64, parameter: int, width: int) -> int:
    """Write a code that is an escape or too long for a window."""
    quotient = value >> np.uint64(parameter)
    if quotient >= np.uint64(QUOTIENT_MAX):
        bit = put(out, bit, np.uint64((1 << QUOTIENT_MAX) - 1), QUOTIENT_MAX)
        return put(out, bit, value, width)
    bit = put(out, bit, (_ONE << quotient) - _ONE, as_int(quotient) + 1)
    return put(out, bit, value & ((_ONE << np.uint64(parameter)) - _ONE), parameter)


@kernel
def _decode_block(data: Bytes, at: int, n_bytes: int, width: int, values: Words64) -> int:
    """Fill `values` from the block at `at`; return where it ends, or -1 where it is not valid."""
    if at >= n_bytes:
        return -1
    head = as_int(data[at])
    at += 1
    if head == ZEROS:
        values[:] = np.uint64(0)
        return at
    if head == STORED:
        if at + values.size * (width >> 3) > n_bytes:
            return -1
        return unpack_bits(data, at, np.uint64(0), width, values)
    if head >= width:
        return -1
    end = 8 * n_bytes
    bit = _read_codes(data, 8 * at, end, head, width, values)
    return -1 if bit > end else (bit + 7) >> 3


@kernel
def _read_codes(data: Bytes, bit: int, end: int, parameter: int, width: int, values: Words64) -> int:
    """Fill `values` from the codes at `bit`; a return above `end` says that they are not all there."""
    mask = (_ONE << np.uint64(parameter)) - _ONE
    shift = np.uint64(parameter)
    for index in range(values.size):
        if bit > end:
            return bit
        window = load(data, bit >> 3, LIKE_U64) >> np.uint64(bit & 7)
        quotient = trailing_zeros(~window)
        n_unary = as_int(quotient) + 1
        if n_unary > QUOTIENT_MAX:
            values[index] = get(data, bit + QUOTIENT_MAX, width)
            bit += QUOTIENT_MAX + width
        elif n_unary + parameter <= _WINDOW_BITS:
            values[index] = quotient << shift | (window >> np.uint64(n_unary)) & mask
            bit += n_unary + parameter
        else:
            values[index] = quotient << shift | get(data, bit + n_unary, parameter)
            bit += n_unary + parameter
    return bit
