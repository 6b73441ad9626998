"""Zero run-length code of packed tiles: groups of 32 data and, behind them, the zeros after each."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put
from tensorcodecs.lines.kernels.zeroruns import clear, element, find_kept, set_element

RUN_BITS = 4
PERIOD = 1 << RUN_BITS
ROW_WORDS = 256
GROUP_WORDS = 32
INDEX_BITS = 16
SECTION_BITS = 128
WORD_BYTES_MAX = 4


@kernel
def index_bits(n_rows: int) -> int:
    """Return the bits of the row-start indices and of the end, a whole number of sections."""
    return ((n_rows + 1) * INDEX_BITS + SECTION_BITS - 1) // SECTION_BITS * SECTION_BITS


@kernel
def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, out: Bytes) -> int:
    """Write the blocks of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    width = min(word_bytes, WORD_BYTES_MAX)
    row_bytes = ROW_WORDS * width
    group_bits = GROUP_WORDS * (8 * width + RUN_BITS)
    kept = np.empty(ROW_WORDS, np.int32)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        n_rows = line_bytes // row_bytes
        body = bit + index_bits(n_rows)
        datum = 0
        for row in range(n_rows):
            put(out, bit + row * INDEX_BITS, np.uint64(datum), INDEX_BITS)
            at = line + row * row_bytes
            n = find_kept(raw, at, width, PERIOD, True, True, ROW_WORDS, kept)
            for index in range(n):
                place = as_int(kept[index])
                zeros = as_int(kept[index + 1]) - place - 1 if index + 1 < n else 0
                group, lane = body + datum // GROUP_WORDS * group_bits, datum % GROUP_WORDS
                put(out, group + lane * 8 * width, element(raw, at + place * width, width), 8 * width)
                put(out, group + GROUP_WORDS * 8 * width + lane * RUN_BITS, np.uint64(zeros), RUN_BITS)
                datum += 1
        put(out, bit + n_rows * INDEX_BITS, np.uint64(datum), INDEX_BITS)
        bit = body + (datum + GROUP_WORDS - 1) // GROUP_WORDS * group_bits
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` and return the bits read, or -1 where a row does not begin or end where it should."""
    width = min(word_bytes, WORD_BYTES_MAX)
    row_bytes = ROW_WORDS * width
    group_bits = GROUP_WORDS * (8 * width + RUN_BITS)
    clear(raw)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        n_rows = line_bytes // row_bytes
        body = bit + index_bits(n_rows)
        if body > n_bits:
            return -1
        datum = 0
        for row in range(n_rows):
            if as_int(get(data, bit + row * INDEX_BITS, INDEX_BITS)) != datum:
                return -1
            at = line + row * row_bytes
            place = 0
            while place < ROW_WORDS:
                group, lane = body + datum // GROUP_WORDS * group_bits, datum % GROUP_WORDS
                if group + group_bits > n_bits:
                    return -1
                word = get(data, group + lane * 8 * width, 8 * width)
                set_element(raw, at + place * width, width, word)
                zeros = as_int(get(data, group + GROUP_WORDS * 8 * width + lane * RUN_BITS, RUN_BITS))
                place += 1 + zeros
                datum += 1
                if place >= ROW_WORDS and zeros > 0:  # zeros behind the last datum, which is always kept
                    return -1
        if as_int(get(data, bit + n_rows * INDEX_BITS, INDEX_BITS)) != datum:
            return -1
        bit = body + (datum + GROUP_WORDS - 1) // GROUP_WORDS * group_bits
    return bit
