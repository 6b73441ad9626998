"""Words that a small history buffer holds, by their place in it; the others by Huffman codes of their bytes.

A book is one book of `kernels.value_huffman` for each byte of a word. The buffer goes on over all lines.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put
from tensorcodecs.lines.kernels.value_huffman import BOOK_SIZE, Book, get_value, put_value, value_bits

PLACES = 16
PLACE_BITS = 4
HIT_BITS = 1 + PLACE_BITS
Words64 = npt.NDArray[np.uint64]


@kernel
def line_bits(raw: Bytes, line_bytes: int, word_bytes: int, book: Book) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw`, a whole number of lines."""
    bits = np.zeros(raw.size // line_bytes, np.int32)
    history = np.zeros(PLACES, np.uint64)
    n_pushed = as_int(0)
    for at in range(0, raw.size, word_bytes):
        word = _word(raw, at, word_bytes)
        place = _find(history, n_pushed, word)
        n_bits = _miss_bits(raw, at, word_bytes, book)
        bits[at // line_bytes] += HIT_BITS if place >= 0 and n_bits >= HIT_BITS else n_bits
        if place < 0:
            history[n_pushed % PLACES] = word
            n_pushed += 1
    return bits


@kernel
def pack_lines(raw: Bytes, _line_bytes: int, word_bytes: int, book: Book, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = as_int(0)
    history = np.zeros(PLACES, np.uint64)
    n_pushed = as_int(0)
    for at in range(0, raw.size, word_bytes):
        word = _word(raw, at, word_bytes)
        place = _find(history, n_pushed, word)
        if place >= 0 and _miss_bits(raw, at, word_bytes, book) >= HIT_BITS:
            bit = put(out, bit, np.uint64(place << 1 | 1), HIT_BITS)
        else:
            bit += 1  # a zero is there already
            for part in range(word_bytes):
                bit = put_value(book, part * BOOK_SIZE, as_int(raw[at + part]), out, bit)
        if place < 0:
            history[n_pushed % PLACES] = word
            n_pushed += 1
    return bit


@kernel
def unpack_lines(
    data: Bytes,
    n_bits: int,
    _line_bytes: int,
    word_bytes: int,
    book: Book,
    raw: Bytes,
) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a word is not valid."""
    bit = as_int(0)
    history = np.zeros(PLACES, np.uint64)
    n_pushed = as_int(0)
    for at in range(0, raw.size, word_bytes):
        if bit >= n_bits:
            return -1
        if get(data, bit, 1):
            if bit + HIT_BITS > n_bits:
                return -1
            place = as_int(get(data, bit + 1, PLACE_BITS))
            if place >= n_pushed:
                return -1
            for part in range(word_bytes):
                raw[at + part] = history[place] >> np.uint64(8 * part) & np.uint64(255)
            bit += HIT_BITS
            continue
        bit += 1
        for part in range(word_bytes):
            value, bit = get_value(book, part * BOOK_SIZE, data, n_bits, bit)
            if bit < 0:
                return -1
            raw[at + part] = value
        word = _word(raw, at, word_bytes)
        if _find(history, n_pushed, word) < 0:
            history[n_pushed % PLACES] = word
            n_pushed += 1
    return bit


@kernel
def _word(raw: Bytes, at: int, word_bytes: int) -> np.uint64:
    word = np.uint64(0)
    for part in range(word_bytes):
        word |= np.uint64(raw[at + part]) << np.uint64(8 * part)
    return word


@kernel
def _find(history: Words64, n_pushed: int, word: np.uint64) -> int:
    """Return the place of `word`, or -1."""
    for place in range(min(n_pushed, PLACES)):
        if history[place] == word:
            return place
    return -1


@kernel
def _miss_bits(raw: Bytes, at: int, word_bytes: int, book: Book) -> int:
    n_bits = as_int(1)
    for part in range(word_bytes):
        n_bits += value_bits(book, part * BOOK_SIZE, as_int(raw[at + part]))
    return n_bits
