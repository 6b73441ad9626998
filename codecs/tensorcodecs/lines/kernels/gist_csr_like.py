"""Narrow compressed sparse rows: 256 words a row, so that a column index is one byte."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put
from tensorcodecs.lines.kernels.zeroruns import clear, element, find_kept, set_element

ROW_WORDS = 256
COLUMN_BITS = 8
POINTER_BITS = 32
WORD_BYTES_MAX = 4
_NO_FILLERS = 2 * ROW_WORDS


@kernel
def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, out: Bytes) -> int:
    """Write the blocks of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    width = min(word_bytes, WORD_BYTES_MAX)
    kept = np.empty(ROW_WORDS, np.int32)
    n_rows = line_bytes // (ROW_WORDS * width)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        end = 0
        for row in range(n_rows):
            at = line + row * ROW_WORDS * width
            end += find_kept(raw, at, width, _NO_FILLERS, False, False, ROW_WORDS, kept)
            bit = put(out, bit, np.uint64(end), POINTER_BITS)
        word_bit = bit + end * COLUMN_BITS
        for row in range(n_rows):
            at = line + row * ROW_WORDS * width
            n = find_kept(raw, at, width, _NO_FILLERS, False, False, ROW_WORDS, kept)
            for column in kept[:n]:
                bit = put(out, bit, np.uint64(column), COLUMN_BITS)
                word_bit = put(out, word_bit, element(raw, at + as_int(column) * width, width), 8 * width)
        bit = word_bit
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` and return the bits read, or -1 where pointers or columns do not rise."""
    width = min(word_bytes, WORD_BYTES_MAX)
    n_rows = line_bytes // (ROW_WORDS * width)
    clear(raw)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        column_bit = bit + n_rows * POINTER_BITS
        if column_bit > n_bits:
            return -1
        n = as_int(get(data, column_bit - POINTER_BITS, POINTER_BITS))
        word_bit = column_bit + n * COLUMN_BITS
        if word_bit + n * 8 * width > n_bits:
            return -1
        entry = 0
        for row in range(n_rows):
            end = as_int(get(data, bit + row * POINTER_BITS, POINTER_BITS))
            if end < entry or end > n:
                return -1
            previous = -1
            while entry < end:
                column = as_int(get(data, column_bit + entry * COLUMN_BITS, COLUMN_BITS))
                if column <= previous:
                    return -1
                at = line + (row * ROW_WORDS + column) * width
                set_element(raw, at, width, get(data, word_bit + entry * 8 * width, 8 * width))
                previous = column
                entry += 1
        bit = word_bit + n * 8 * width
    return bit
