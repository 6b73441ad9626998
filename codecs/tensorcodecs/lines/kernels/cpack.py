"""C-Pack lines: a 32-bit word as a zero pattern, or as what it shares with a dictionary of sixteen.

The dictionary is empty where a line begins. Every word but the zero patterns enters it, the seventeenth at
the place of the first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int, load, store
from tensorcodecs.lines.kernels.bitfields import get, put

ENTRIES, INDEX_BITS = 16, 4
ZERO_BITS = 2
LANES = 64
_LIKE_U32 = np.zeros(1, np.uint32)
# Z: a zero byte, X: one that follows, M: one of the dictionary's word.
_ZZZZ, _XXXX, _MMMM, _MMXX, _ZZZX, _MMMX = range(6)
# The paper's codes 00, 01, 10, 1100, 1101, 1110, their first bit lowest.
_CODE = np.array([0b00, 0b10, 0b01, 0b0011, 0b1011, 0b0111], np.uint64)
_CODE_BITS = np.array([2, 2, 2, 4, 4, 4], np.int64)
_INDEX_BITS = np.array([0, 0, 4, 4, 0, 4], np.int64)
_DATA_BITS = np.array([0, 32, 0, 16, 8, 8], np.int64)
_ALL_BITS = _CODE_BITS + _INDEX_BITS + _DATA_BITS
_PATTERN_OF_CODE = np.full(16, -1, np.int64)
_PATTERN_OF_CODE[[0b00, 0b10, 0b01]] = _ZZZZ, _XXXX, _MMMM
_PATTERN_OF_CODE[[0b0011, 0b1011, 0b0111]] = _MMXX, _ZZZX, _MMMX


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw` (a whole number of lines).

    Many lines at once, so that the compiler compares several words with one instruction.
    """
    bits = np.zeros(raw.size // line_bytes, np.int32)
    words = raw.view(np.uint32)
    n_words = line_bytes // 4
    entered = np.zeros(n_words * LANES, np.uint32)
    n_entered = np.zeros(LANES, np.int32)
    least = np.empty(LANES, np.uint32)
    for first in range(0, bits.size, LANES):
        n_lines = min(LANES, bits.size - first)
        most = 0
        for lane in range(n_lines):
            n_bits, count = _enter(words, (first + lane) * n_words, n_words, entered, lane)
            bits[first + lane] = n_bits
            n_entered[lane] = count
            most = max(most, count)
        for nth in range(most):
            _least_differences(entered, nth, least)
            for lane in range(n_lines):
                word_bits = np.int32(24) if least[lane] <= 0xFFFF else np.int32(34)
                word_bits = np.int32(16) if least[lane] <= 0xFF else word_bits
                word_bits = np.int32(6) if least[lane] == 0 else word_bits
                bits[first + lane] += word_bits if nth < n_entered[lane] else np.int32(0)
    return bits


@kernel
def _enter(
    words: npt.NDArray[np.uint32], first: int, n_words: int, entered: npt.NDArray[np.uint32], lane: int
) -> tuple[np.int32, int]:
    """Put a line's words that enter the dictionary into its lane; return the other words' bits, and how many.

    The n-th of them is at n * LANES + lane.
    """
    n_bits = np.int32(0)
    count = 0
    for at in range(first, first + n_words):
        word = words[at]
        entered[count * LANES + lane] = word
        count += word > 0xFF
        zero_bits = np.int32(12) if word > 0 else np.int32(ZERO_BITS)
        n_bits += zero_bits if word <= 0xFF else np.int32(0)
    return n_bits, count


@kernel
def _least_differences(entered: npt.NDArray[np.uint32], nth: int, least: npt.NDArray[np.uint32]) -> None:
    """Fill `least` with the least difference of each lane's n-th word to those that its dictionary holds.

    These are the sixteen that entered before it. As many high bytes agree as are zero in a difference, so the
    least one tells the best entry; where there is none, all bits differ.
    """
    for lane in range(LANES):
        least[lane] = np.uint32(0xFFFFFFFF)
    at = nth * LANES
    word = entered[at : at + LANES]
    for other in range(max(0, nth - ENTRIES) * LANES, at, LANES):
        entry = entered[other : other + LANES]
        for lane in range(LANES):
            difference = np.uint32(word[lane] ^ entry[lane])
            least[lane] = min(least[lane], difference)


@kernel
def pack_lines(raw: Bytes, line_bytes: int, _word_bytes: int, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    dictionary = np.empty(ENTRIES, np.uint32)
    for line in range(0, raw.size, line_bytes):
        n_entered = 0
        for at in range(line, line + line_bytes, 4):
            word = np.uint32(load(raw, at, _LIKE_U32))
            pattern, entry = _best(word, dictionary, min(n_entered, ENTRIES))
            bit = put(out, bit, _CODE[pattern], as_int(_CODE_BITS[pattern]))
            bit = put(out, bit, np.uint64(entry), as_int(_INDEX_BITS[pattern]))
            bit = put(out, bit, np.uint64(word), as_int(_DATA_BITS[pattern]))
            if word > 0xFF:
                dictionary[n_entered % ENTRIES] = word
                n_entered += 1
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, _word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line is not valid.

    `data` holds `n_bits` bits and SLACK_BYTES more. An index of an empty entry is not valid, nor is a word
    that a zero pattern holds in another pattern: it would enter here, and not in the encoder.
    """
    bit = 0
    dictionary = np.zeros(ENTRIES, np.uint32)
    for line in range(0, raw.size, line_bytes):
        n_entered = 0
        for at in range(line, line + line_bytes, 4):
            if bit + ZERO_BITS > n_bits:
                return -1
            code = as_int(get(data, bit, 4))
            pattern = as_int(_PATTERN_OF_CODE[code if code & 3 == 3 else code & 3])
            if pattern < 0 or bit + as_int(_ALL_BITS[pattern]) > n_bits:
                return -1
            word = np.uint64(0)
            bit += as_int(_CODE_BITS[pattern])
            if _INDEX_BITS[pattern] > 0:
                entry = as_int(get(data, bit, INDEX_BITS))
                if entry >= min(n_entered, ENTRIES):
                    return -1
                bit += INDEX_BITS
                word = np.uint64(dictionary[entry])
            data_bits = as_int(_DATA_BITS[pattern])
            if data_bits > 0:
                word = word >> np.uint64(data_bits) << np.uint64(data_bits) | get(data, bit, data_bits)
                bit += data_bits
            if (word > 0xFF) != (pattern not in (_ZZZZ, _ZZZX)):
                return -1
            store(raw, at, np.uint32(word))
            if word > 0xFF:
                dictionary[n_entered % ENTRIES] = word
                n_entered += 1
    return bit


@kernel
def _best(word: np.uint32, dictionary: npt.NDArray[np.uint32], n_entries: int) -> tuple[int, int]:
    """Return the pattern with the fewest bits and the lowest entry that gives it."""
    if word <= 0xFF:
        return (_ZZZZ if word == 0 else _ZZZX), 0
    best, best_entry = _XXXX, 0
    for entry in range(n_entries):
        difference = np.uint32(word ^ dictionary[entry])
        pattern = _XXXX
        if difference <= 0xFFFF:
            pattern = _MMXX
        if difference <= 0xFF:
            pattern = _MMMX
        if difference == 0:
            pattern = _MMMM
        if _ALL_BITS[pattern] < _ALL_BITS[best]:
            best, best_entry = pattern, entry
    return best, best_entry
