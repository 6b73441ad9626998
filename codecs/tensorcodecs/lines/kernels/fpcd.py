"""Frequent-pattern lines with a dictionary of the two words before: sixteen patterns of a 32-bit word.

Every word enters the dictionary, which holds zeros where a line begins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int, load, store
from tensorcodecs.lines.kernels.bitfields import get, put

PREFIX_BITS = 4
_LIKE_U32 = np.zeros(1, np.uint32)
# Z: a zero byte, F: one of all ones, X: one that follows, R: one repeated, M: one of an earlier word.
_ZZZZ, _FFFF, _MMMM_1, _MMMM_2, _ZZZX, _XZZZ, _RRRR, _MMMX_1 = range(8)
_MMMX_2, _ZZXX, _ZXZX, _FFXX, _XXZZ, _MMXX_1, _MMXX_2, _XXXX = range(8, 16)
# Bits behind the prefix, by prefix.
_DATA_BITS = np.array([0, 0, 0, 0, 8, 8, 8, 8, 8, 16, 16, 16, 16, 16, 16, 32], np.int64)
_ONES = np.uint32(0xFFFFFFFF)


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw` (a whole number of lines)."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    words = raw.view(np.uint32)
    n_words = line_bytes // 4
    for line in range(bits.size):
        first = line * n_words
        n_bits = _word_bits(words[first], np.uint32(0), np.uint32(0))
        n_bits += _word_bits(words[first + 1], words[first], np.uint32(0))
        for at in range(first + 2, first + n_words):
            n_bits += _word_bits(words[at], words[at - 1], words[at - 2])
        bits[line] = n_bits
    return bits


@kernel
def pack_lines(raw: Bytes, line_bytes: int, _word_bytes: int, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    for line in range(0, raw.size, line_bytes):
        previous = before = np.uint32(0)
        for at in range(line, line + line_bytes, 4):
            word = np.uint32(load(raw, at, _LIKE_U32))
            prefix = _prefix(word, previous, before)
            code = np.uint64(prefix) | _data(word, prefix) << np.uint64(PREFIX_BITS)
            bit = put(out, bit, code, PREFIX_BITS + as_int(_DATA_BITS[prefix]))
            before, previous = previous, word
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, _word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line ends too early.

    `data` holds `n_bits` bits and SLACK_BYTES more.
    """
    bit = 0
    for line in range(0, raw.size, line_bytes):
        previous = before = np.uint32(0)
        for at in range(line, line + line_bytes, 4):
            if bit + PREFIX_BITS > n_bits:
                return -1
            prefix = as_int(get(data, bit, PREFIX_BITS))
            data_bits = as_int(_DATA_BITS[prefix])
            bit += PREFIX_BITS + data_bits
            if bit > n_bits:
                return -1
            field = np.uint32(0)
            if data_bits > 0:
                field = np.uint32(get(data, bit - data_bits, data_bits))
            word = _word(prefix, field, previous, before)
            store(raw, at, word)
            before, previous = previous, word
    return bit


@kernel
def _is_repeated(word: np.uint32) -> bool:
    return bool(word == np.uint32(word << np.uint32(8) | word & np.uint32(0xFF)))


@kernel
def _word_bits(word: np.uint32, previous: np.uint32, before: np.uint32) -> np.int32:
    """Return the bits of the word's code; without a branch, since data is random."""
    # As many high bytes agree with zeros or a word of the dictionary as are zero in the least difference.
    least = min(word, np.uint32(word ^ previous), np.uint32(word ^ before))
    halves = ((word & np.uint32(0xFFFF)) == 0) | ((word & np.uint32(0xFF00FF00)) == 0)
    n_bits = np.int32(36)
    n_bits = np.int32(20) if (least <= 0xFFFF) | halves | (word >= np.uint32(0xFFFF0000)) else n_bits
    byte = ((word & np.uint32(0x00FFFFFF)) == 0) | _is_repeated(word)
    n_bits = np.int32(12) if (least <= 0xFF) | byte else n_bits
    return np.int32(4) if (least == 0) | (word == _ONES) else n_bits


@kernel
def _prefix(word: np.uint32, previous: np.uint32, before: np.uint32) -> int:
    """Return the prefix of the word's shortest code, the lowest of equally short ones."""
    recent, older = np.uint32(word ^ previous), np.uint32(word ^ before)
    least = min(word, recent, older)
    if least == 0:
        return _ZZZZ if word == 0 else (_MMMM_1 if recent == 0 else _MMMM_2)
    if word == _ONES:
        return _FFFF
    if word <= 0xFF:
        return _ZZZX
    if (word & np.uint32(0x00FFFFFF)) == 0:
        return _XZZZ
    if _is_repeated(word):
        return _RRRR
    if least <= 0xFF:
        return _MMMX_1 if recent <= 0xFF else _MMMX_2
    return _prefix_of_half(word, recent, older)


@kernel
def _prefix_of_half(word: np.uint32, recent: np.uint32, older: np.uint32) -> int:
    """Return the lowest prefix of two bytes that fits, or that of the raw word."""
    if word <= 0xFFFF:
        return _ZZXX
    if (word & np.uint32(0xFF00FF00)) == 0:
        return _ZXZX
    if word >= np.uint32(0xFFFF0000):
        return _FFXX
    if (word & np.uint32(0xFFFF)) == 0:
        return _XXZZ
    if recent <= 0xFFFF:
        return _MMXX_1
    return _MMXX_2 if older <= 0xFFFF else _XXXX


@kernel
def _data(word: np.uint32, prefix: int) -> np.uint64:
    """Return what stands behind the prefix."""
    if prefix == _XZZZ:
        return np.uint64(word >> np.uint32(24))
    if prefix == _XXZZ:
        return np.uint64(word >> np.uint32(16))
    if prefix == _ZXZX:
        return np.uint64(word & np.uint32(0xFF) | word >> np.uint32(8) & np.uint32(0xFF00))
    return np.uint64(word) & ((np.uint64(1) << np.uint64(_DATA_BITS[prefix])) - np.uint64(1))


@kernel
def _word(prefix: int, field: np.uint32, previous: np.uint32, before: np.uint32) -> np.uint32:
    """Return the word that the code stands for."""
    if prefix in (_XZZZ, _XXZZ):
        return np.uint32(field << np.uint32(24 if prefix == _XZZZ else 16))
    if prefix == _RRRR:
        return np.uint32(field * np.uint32(0x01010101))
    if prefix == _ZXZX:
        return np.uint32(field & np.uint32(0xFF) | (field & np.uint32(0xFF00)) << np.uint32(8))
    high = np.uint32(0)
    if prefix in (_FFFF, _FFXX):
        high = _ONES
    elif prefix in (_MMMM_1, _MMMX_1, _MMXX_1):
        high = previous
    elif prefix in (_MMMM_2, _MMMX_2, _MMXX_2):
        high = before
    kept = np.uint32(np.uint64(0xFFFFFFFF) << np.uint64(_DATA_BITS[prefix]))
    return np.uint32(high & kept | field)
