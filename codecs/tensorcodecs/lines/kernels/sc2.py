"""SC2 lines: 32-bit words as canonical Huffman codes of a table's values, others behind an escape.

A book holds the code counts that `kernels.canonical` decodes with, then HEAD's other numbers, the values in
their codes' order (the escape is the one above all words), and an open hash table: the values of its slots
and, for each slot, code | length of the code << 32 | bits in all << 40; an empty slot has the escape's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int, load, store
from tensorcodecs.lines.kernels.bitfields import get, put
from tensorcodecs.lines.kernels.canonical import LENGTH_BITS_MAX, RANK_BITS, code_at

ESCAPE = 1 << 32
RAW_BITS = 32
N_SYMBOLS, LOG2_SLOTS, SYMBOLS = LENGTH_BITS_MAX + 1, LENGTH_BITS_MAX + 2, LENGTH_BITS_MAX + 3
ALL_BITS_AT = 40
EMPTY = -1
_HASH = 0x9E3779B1
_LIKE_U32 = np.zeros(1, np.uint32)

Book = npt.NDArray[np.int64]


@kernel
def fill_slots(symbols: Book, infos: Book, log2_slots: int, keys: Book, slot_infos: Book) -> None:
    """Put the values and their codes into the hash table's empty `keys` and `slot_infos`."""
    for rank in range(symbols.size):
        if symbols[rank] != ESCAPE:
            slot = _slot(keys, 0, log2_slots, symbols[rank])
            keys[slot] = symbols[rank]
            slot_infos[slot] = infos[rank]


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int, book: Book) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw` (a whole number of lines)."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    keys, log2_slots = SYMBOLS + book[N_SYMBOLS], book[LOG2_SLOTS]
    infos = keys + (1 << log2_slots)
    for line in range(bits.size):
        n_bits = as_int(0)
        for at in range(line * line_bytes, (line + 1) * line_bytes, 4):
            slot = _slot(book, keys, log2_slots, as_int(load(raw, at, _LIKE_U32)))
            n_bits += book[infos + slot] >> ALL_BITS_AT
        bits[line] = n_bits
    return bits


@kernel
def pack_lines(raw: Bytes, _line_bytes: int, _word_bytes: int, book: Book, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    keys, log2_slots = SYMBOLS + book[N_SYMBOLS], book[LOG2_SLOTS]
    infos = keys + (1 << log2_slots)
    for at in range(0, raw.size, 4):
        word = as_int(load(raw, at, _LIKE_U32))
        slot = _slot(book, keys, log2_slots, word)
        info = book[infos + slot]
        bit = put(out, bit, np.uint64(info), info >> 32 & 0xFF)
        if book[keys + slot] == EMPTY:
            bit = put(out, bit, np.uint64(word), RAW_BITS)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, _line_bytes: int, _word_bytes: int, book: Book, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line ends too early."""
    bit = 0
    for at in range(0, raw.size, 4):
        found = code_at(data, bit, n_bits, book)
        if found < 0:
            return -1
        bit += found >> RANK_BITS
        value = book[SYMBOLS + (found & (ESCAPE - 1))]
        if value == ESCAPE:
            if bit + RAW_BITS > n_bits:
                return -1
            value = as_int(get(data, bit, RAW_BITS))
            bit += RAW_BITS
        store(raw, at, np.uint32(value))
    return bit


@kernel
def _slot(book: Book, keys: int, log2_slots: int, value: int) -> int:
    """Return the slot of `value` in the hash table at `keys`, or the empty one that ends its search."""
    slot = ((value * _HASH) & (ESCAPE - 1)) >> (32 - log2_slots)
    while book[keys + slot] != value and book[keys + slot] != EMPTY:
        slot = (slot + 1) & ((1 << log2_slots) - 1)
    return slot
