"""Lines of bytes as canonical Huffman codes of one table.

A book holds the code counts that `kernels.canonical` decodes with, for each byte value code | length << 32,
and the values in their codes' order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import put
from tensorcodecs.lines.kernels.canonical import LENGTH_BITS_MAX, RANK_BITS, code_at

N_VALUES = 256
INFOS = LENGTH_BITS_MAX + 1
VALUES = INFOS + N_VALUES

Book = npt.NDArray[np.int64]


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int, book: Book) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw` (a whole number of lines)."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    lengths = np.empty(N_VALUES, np.int32)
    for value in range(N_VALUES):
        lengths[value] = book[INFOS + value] >> 32
    for line in range(bits.size):
        n_bits = np.int32(0)
        for at in range(line * line_bytes, (line + 1) * line_bytes):
            n_bits += lengths[raw[at]]
        bits[line] = n_bits
    return bits


@kernel
def pack_lines(raw: Bytes, _line_bytes: int, _word_bytes: int, book: Book, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    for at in range(raw.size):
        info = book[INFOS + as_int(raw[at])]
        bit = put(out, bit, np.uint64(info), info >> 32)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, _line_bytes: int, _word_bytes: int, book: Book, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line ends too early."""
    bit = 0
    for at in range(raw.size):
        found = code_at(data, bit, n_bits, book)
        if found < 0:
            return -1
        bit += found >> RANK_BITS
        raw[at] = book[VALUES + (found & 0xFF)]
    return bit
