"""SCNN's run-length code: how many words are kept, four bits of zeros before each, the words."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import width_of
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put
from tensorcodecs.lines.kernels.zeroruns import clear, element, find_kept, set_element

RUN_BITS = 4
PERIOD = 1 << RUN_BITS
WORD_BYTES_MAX = 4


@kernel
def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, out: Bytes) -> int:
    """Write the blocks of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    width = min(word_bytes, WORD_BYTES_MAX)
    n_words = line_bytes // width
    kept = np.empty(n_words, np.int32)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        n = find_kept(raw, line, width, PERIOD, False, False, n_words, kept)
        bit = put(out, bit, np.uint64(n), width_of(np.uint64(n_words)))
        word_bit = bit + RUN_BITS * n
        previous = -1
        for index in range(n):
            place = as_int(kept[index])
            bit = put(out, bit, np.uint64(place - previous - 1), RUN_BITS)
            word_bit = put(out, word_bit, element(raw, line + place * width, width), 8 * width)
            previous = place
        bit = word_bit
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` and return the bits read, or -1 where a block's words do not fit it."""
    width = min(word_bytes, WORD_BYTES_MAX)
    n_words = line_bytes // width
    count_bits = width_of(np.uint64(n_words))
    clear(raw)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        if bit + count_bits > n_bits:
            return -1
        n = as_int(get(data, bit, count_bits))
        bit += count_bits
        if n > n_words or bit + n * (RUN_BITS + 8 * width) > n_bits:
            return -1
        word_bit = bit + RUN_BITS * n
        place = -1
        for _ in range(n):
            place += 1 + as_int(get(data, bit, RUN_BITS))
            if place >= n_words:
                return -1
            set_element(raw, line + place * width, width, get(data, word_bit, 8 * width))
            bit += RUN_BITS
            word_bit += 8 * width
        bit = word_bit
    return bit
