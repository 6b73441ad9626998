"""Canonical Huffman codes of frequent values, and an escape with the raw value for all others.

A book lies at `base` of an array of numbers: the escape's code and length, bits of a value; for each length
the first code, the number of codes, and where their values begin; the values in the order of their codes (-1
is the escape); and a table of slots that finds a value's code. Codes go to the stream first bit first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put

Book = npt.NDArray[np.int64]

ENTRIES_MAX = 2048
CODE_BITS_MAX = 15
_ESCAPE_CODE, _ESCAPE_BITS, _VALUE_BITS = 0, 1, 2
_FIRST = 3
_COUNT = _FIRST + CODE_BITS_MAX + 1
_OFFSET = _COUNT + CODE_BITS_MAX + 1
_VALUES = _OFFSET + CODE_BITS_MAX + 1
_SLOTS = _VALUES + ENTRIES_MAX + 1
_SLOT_BITS = 12
BOOK_SIZE = _SLOTS + (2 << _SLOT_BITS)
_SPREAD = np.uint64(0x9E37_79B9_7F4A_7C15)
_LENGTH_BITS = 4


@kernel
def fill_book(
    values: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], value_bits: int, book: Book
) -> bool:
    """Fill `book` (int64[BOOK_SIZE], zeros) with the code of `lengths`, one for each value and the escape.

    Codes ascend by (length, index); the escape is the last index. False where the lengths are no complete
    code or a value occurs twice.
    """
    n = values.size
    book[_VALUE_BITS] = value_bits
    if n == 0:
        return as_int(lengths[0]) == 0
    for index in range(n + 1):
        if lengths[index] < 1 or lengths[index] > CODE_BITS_MAX:
            return False
        book[_COUNT + lengths[index]] += 1
    code, offset = as_int(0), as_int(0)
    for length in range(1, CODE_BITS_MAX + 1):
        code <<= 1
        book[_FIRST + length] = code
        book[_OFFSET + length] = offset
        code += book[_COUNT + length]
        offset += book[_COUNT + length]
    if code != 1 << CODE_BITS_MAX:
        return False
    used = np.zeros(CODE_BITS_MAX + 1, np.int64)
    for index in range(n + 1):
        length = lengths[index]
        code = book[_FIRST + length] + used[length]
        book[_VALUES + book[_OFFSET + length] + used[length]] = values[index] if index < n else -1
        used[length] += 1
        if index == n:
            book[_ESCAPE_CODE], book[_ESCAPE_BITS] = _reversed(code, length), length
        elif not _enter(book, values[index], _reversed(code, length) << _LENGTH_BITS | length):
            return False
    return True


@kernel
def _reversed(code: int, n_bits: int) -> int:
    turned = as_int(0)
    for _ in range(n_bits):
        turned = turned << 1 | (code & 1)
        code >>= 1
    return turned


@kernel
def _enter(book: Book, value: int, code: int) -> bool:
    at = as_int(np.uint64(value) * _SPREAD >> np.uint64(64 - _SLOT_BITS))
    while book[_SLOTS + 2 * at] != 0:
        if book[_SLOTS + 2 * at] == value + 1:
            return False
        at = (at + 1) & ((1 << _SLOT_BITS) - 1)
    book[_SLOTS + 2 * at] = value + 1
    book[_SLOTS + 2 * at + 1] = code
    return True


@kernel
def find_code(book: Book, base: int, value: int) -> int:
    """Return code << 4 | length of `value`, or -1 where it needs the escape."""
    at = as_int(np.uint64(value) * _SPREAD >> np.uint64(64 - _SLOT_BITS))
    slots = base + _SLOTS
    while True:
        entry = book[slots + 2 * at]
        if entry == value + 1:
            return as_int(book[slots + 2 * at + 1])
        if entry == 0:
            return -1
        at = (at + 1) & ((1 << _SLOT_BITS) - 1)


@kernel
def value_bits(book: Book, base: int, value: int) -> int:
    """Return the bits of `value`."""
    code = find_code(book, base, value)
    if code >= 0:
        return code & ((1 << _LENGTH_BITS) - 1)
    return as_int(book[base + _ESCAPE_BITS] + book[base + _VALUE_BITS])


@kernel
def put_value(book: Book, base: int, value: int, out: Bytes, bit: int) -> int:
    """Write `value` at `bit` of `out` and return the next bit."""
    code = find_code(book, base, value)
    if code >= 0:
        return put(out, bit, np.uint64(code >> _LENGTH_BITS), code & ((1 << _LENGTH_BITS) - 1))
    bit = put(out, bit, np.uint64(book[base + _ESCAPE_CODE]), book[base + _ESCAPE_BITS])
    return put(out, bit, np.uint64(value), book[base + _VALUE_BITS])


@kernel
def get_value(book: Book, base: int, data: Bytes, n_bits: int, bit: int) -> tuple[int, int]:
    """Return the value at `bit` of `data` and the next bit; (0, -1) where it ends behind `n_bits`."""
    code, length = as_int(0), as_int(0)
    value = as_int(-1)
    while book[base + _ESCAPE_BITS] > 0:
        if bit >= n_bits:
            return as_int(0), as_int(-1)
        code = code << 1 | as_int(get(data, bit, 1))
        bit += 1
        length += 1
        index = code - book[base + _FIRST + length]
        if index < book[base + _COUNT + length]:
            value = as_int(book[base + _VALUES + book[base + _OFFSET + length] + index])
            break
    if value >= 0:
        return value, as_int(bit)
    n_raw = book[base + _VALUE_BITS]
    if bit + n_raw > n_bits:
        return as_int(0), as_int(-1)
    return as_int(get(data, bit, n_raw)), as_int(bit + n_raw)
