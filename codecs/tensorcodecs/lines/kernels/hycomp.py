"""HyComp lines: a vote of the line's 64-bit chunks says which of four compressors takes it.

A book is four books of `kernels.value_huffman`, one behind the other: 32-bit values, then a float's
exponent, high mantissa and low mantissa.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store
from tensorcodecs.lines.kernels.bdi import (
    BASE_BYTES,
    DELTA_BYTES,
    RAW,
    REPEATED,
    get_deltas,
    payload_bits,
    put_deltas,
    smallest_tag,
)
from tensorcodecs.lines.kernels.bitfields import get, put
from tensorcodecs.lines.kernels.value_huffman import BOOK_SIZE, Book, get_value, put_value, value_bits

ZERO, VALUES, DELTAS, FLOATS = 0, 1, 2, 3
SELECTOR_BITS, META_BITS = 2, 3
HEAD_BITS = SELECTOR_BITS + META_BITS
EXPONENT_BITS, HIGH_BITS, LOW_BITS = 11, 20, 32
_LIKE_U32 = np.zeros(1, np.uint32)
_LOW_32 = np.uint64(0xFFFFFFFF)
_FLOAT_SHIFT = np.uint64(56)
_SEVEN_BITS = np.uint64(127)


@kernel
def methods(raw: Bytes, line_bytes: int) -> Bytes:
    """Return which compressor the vote gives every line to, uint8[n_lines]."""
    chosen = np.empty(raw.size // line_bytes, np.uint8)
    for line in range(chosen.size):
        chosen[line] = _vote(raw, line * line_bytes, line_bytes)
    return chosen


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int, book: Book) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw`, a whole number of lines."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    for index in range(bits.size):
        line = index * line_bytes
        method = _vote(raw, line, line_bytes)
        n_bits = as_int(HEAD_BITS)
        if method == VALUES:
            for at in range(line, line + line_bytes, 4):
                n_bits += value_bits(book, 0, as_int(load(raw, at, _LIKE_U32)))
        elif method == DELTAS:
            n_bits += payload_bits(smallest_tag(raw, line, line_bytes), line_bytes)
        elif method == FLOATS:
            for at in range(line, line + line_bytes, 8):
                exponent, high, low = _parts(load(raw, at, LIKE_U64))
                n_bits += 1 + value_bits(book, BOOK_SIZE, exponent)
                n_bits += value_bits(book, 2 * BOOK_SIZE, high) + value_bits(book, 3 * BOOK_SIZE, low)
        bits[index] = n_bits
    return bits


@kernel
def pack_lines(raw: Bytes, line_bytes: int, _word_bytes: int, book: Book, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    for line in range(0, raw.size, line_bytes):
        method = _vote(raw, line, line_bytes)
        tag = smallest_tag(raw, line, line_bytes) if method == DELTAS else as_int(0)
        head = np.uint64(method | (0 if tag == RAW else tag) << SELECTOR_BITS)
        bit = put(out, bit, head, HEAD_BITS)
        if method == VALUES:
            for at in range(line, line + line_bytes, 4):
                bit = put_value(book, 0, as_int(load(raw, at, _LIKE_U32)), out, bit)
        elif method == FLOATS:
            for at in range(line, line + line_bytes, 8):
                word = load(raw, at, LIKE_U64)
                exponent, high, low = _parts(word)
                bit = put(out, bit, word >> np.uint64(63), 1)
                bit = put_value(book, BOOK_SIZE, exponent, out, bit)
                bit = put_value(book, 2 * BOOK_SIZE, high, out, bit)
                bit = put_value(book, 3 * BOOK_SIZE, low, out, bit)
        elif method == DELTAS and REPEATED < tag < RAW:
            bit = put_deltas(raw, line, line_bytes, BASE_BYTES[tag], DELTA_BYTES[tag], out, bit)
        elif method == DELTAS:
            for at in range(line, line + (8 if tag == REPEATED else line_bytes), 8):
                bit = put(out, bit, load(raw, at, LIKE_U64), 64)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, _word_bytes: int, book: Book, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line is not valid."""
    bit = as_int(0)
    for line in range(0, raw.size, line_bytes):
        if bit + HEAD_BITS > n_bits:
            return -1
        method = as_int(get(data, bit, SELECTOR_BITS))
        tag = as_int(get(data, bit + SELECTOR_BITS, META_BITS))
        bit += HEAD_BITS
        if method != DELTAS and tag != 0:
            return -1
        if method == ZERO:
            for at in range(line, line + line_bytes, 8):
                store(raw, at, np.uint64(0))
        elif method == VALUES:
            for at in range(line, line + line_bytes, 4):
                value, bit = get_value(book, 0, data, n_bits, bit)
                if bit < 0:
                    return -1
                store(raw, at, np.uint32(value))
        elif method == FLOATS:
            bit = _get_floats(data, n_bits, bit, book, raw, line, line_bytes)
        else:
            bit = _get_line(data, n_bits, bit, RAW if tag == 0 else tag, raw, line, line_bytes)
        if bit < 0:
            return -1
    return bit


@kernel
def _vote(raw: Bytes, line: int, line_bytes: int) -> int:
    """Which kind has most of the chunks that are not zero; of equal ones integer, pointer, float."""
    integers, pointers, floats, zeros = 0, 0, 0, 0
    for at in range(line, line + line_bytes, 8):
        word = load(raw, at, LIKE_U64)
        top = word >> np.uint64(32)
        if word == 0:
            zeros += 1
        elif top == 0 or top == _LOW_32:
            integers += 1
        elif word >> np.uint64(48) == 0:
            pointers += 1
        elif _is_like(raw, at, line, line_bytes, word):
            floats += 1
    if 8 * zeros == line_bytes:
        return ZERO
    if integers >= max(pointers, floats):
        return VALUES
    return DELTAS if pointers >= floats else FLOATS


@kernel
def _is_like(raw: Bytes, at: int, line: int, line_bytes: int, word: np.uint64) -> bool:
    """Whether the seven highest bits of its exponent are those of a chunk beside it."""
    mine = word >> _FLOAT_SHIFT & _SEVEN_BITS
    if at > line and load(raw, at - 8, LIKE_U64) >> _FLOAT_SHIFT & _SEVEN_BITS == mine:
        return True
    after = at + 8
    return bool(
        after < line + line_bytes and load(raw, after, LIKE_U64) >> _FLOAT_SHIFT & _SEVEN_BITS == mine
    )


@kernel
def _parts(word: np.uint64) -> tuple[int, int, int]:
    """Exponent, high and low mantissa of a double."""
    exponent = as_int(word >> np.uint64(52) & np.uint64(2047))
    return exponent, as_int(word >> np.uint64(32) & np.uint64(0xFFFFF)), as_int(word & _LOW_32)


@kernel
def _get_floats(
    data: Bytes, n_bits: int, bit: int, book: Book, raw: Bytes, line: int, line_bytes: int
) -> int:
    for at in range(line, line + line_bytes, 8):
        if bit >= n_bits:
            return -1
        sign = get(data, bit, 1)
        exponent, bit = get_value(book, BOOK_SIZE, data, n_bits, bit + 1)
        if bit < 0:
            return -1
        high, bit = get_value(book, 2 * BOOK_SIZE, data, n_bits, bit)
        if bit < 0:
            return -1
        low, bit = get_value(book, 3 * BOOK_SIZE, data, n_bits, bit)
        if bit < 0:
            return -1
        top = sign << np.uint64(31) | np.uint64(exponent) << np.uint64(20) | np.uint64(high)
        store(raw, at, top << np.uint64(32) | np.uint64(low))
    return bit


@kernel
def _get_line(data: Bytes, n_bits: int, bit: int, tag: int, raw: Bytes, line: int, line_bytes: int) -> int:
    """Read a line of base and deltas, of one chunk repeated, or a raw one."""
    end = bit + payload_bits(tag, line_bytes)
    if end > n_bits:
        return -1
    if REPEATED < tag < RAW:
        get_deltas(data, bit, line_bytes, BASE_BYTES[tag], DELTA_BYTES[tag], raw, line)
        return as_int(end)
    for at in range(line, line + line_bytes, 8):
        source = bit + 8 * (at - line) if tag == RAW else bit
        store(raw, at, get(data, source, 32) | get(data, source + 32, 32) << np.uint64(32))
    return as_int(end)
