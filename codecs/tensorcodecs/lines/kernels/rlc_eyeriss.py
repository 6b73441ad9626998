"""Eyeriss' run-length code: words of 64 bits that hold pairs of a run of zeros and a level."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put
from tensorcodecs.lines.kernels.zeroruns import clear, element, find_kept, set_element

RUN_BITS = 5
PERIOD = 1 << RUN_BITS
WORD_BITS = 64
LEVEL_BYTES_MAX = 2


@kernel
def pairs_per_word(level_bytes: int) -> int:
    """Return 3 for levels of two bytes, 4 for levels of one; the word's last bit is the terminator."""
    return (WORD_BITS - 1) // (RUN_BITS + 8 * level_bytes)


@kernel
def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, out: Bytes) -> int:
    """Write the blocks of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    width = min(word_bytes, LEVEL_BYTES_MAX)
    per_word = pairs_per_word(width)
    n_words = line_bytes // width
    kept = np.empty(n_words, np.int32)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        n = find_kept(raw, line, width, PERIOD, False, True, n_words, kept)
        previous = -1
        for index in range(n):
            place = as_int(kept[index])
            pair = bit + WORD_BITS * (index // per_word) + (RUN_BITS + 8 * width) * (index % per_word)
            pair = put(out, pair, np.uint64(place - previous - 1), RUN_BITS)
            put(out, pair, element(raw, line + place * width, width), 8 * width)
            previous = place
        bit += WORD_BITS * ((n + per_word - 1) // per_word)
        put(out, bit - 1, np.uint64(1), 1)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` and return the bits read, or -1 where a run or a terminator is not its block's."""
    width = min(word_bytes, LEVEL_BYTES_MAX)
    per_word = pairs_per_word(width)
    n_words = line_bytes // width
    clear(raw)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        place = 0
        while place < n_words:
            if bit + WORD_BITS > n_bits:
                return -1
            for index in range(per_word):
                if place < n_words:
                    pair = bit + (RUN_BITS + 8 * width) * index
                    place += as_int(get(data, pair, RUN_BITS))
                    if place >= n_words:
                        return -1
                    set_element(raw, line + place * width, width, get(data, pair + RUN_BITS, 8 * width))
                    place += 1
            bit += WORD_BITS
            if (get(data, bit - 1, 1) != 0) != (place == n_words):
                return -1
    return bit
