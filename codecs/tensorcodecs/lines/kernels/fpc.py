"""Frequent-pattern lines: which of eight patterns a 32-bit word fits, and its code.

A code is a prefix of three bits and what is left of the word. A run of zero words is one code.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int, load, store
from tensorcodecs.lines.kernels.bitfields import get, put

PREFIX_BITS, RUN_BITS = 3, 3
_LIKE_U32 = np.zeros(1, np.uint32)
_RUN, _SIGNED_4, _SIGNED_8, _SIGNED_16, _HIGH_HALF, _TWO_BYTES, _REPEATED, _RAW = range(8)
# Bits behind the prefix, by prefix.
_DATA_BITS = np.array([RUN_BITS, 4, 8, 16, 16, 16, 8, 32], np.int64)


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw` (a whole number of lines)."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    words = raw.view(np.uint32)
    n_words = line_bytes // 4
    for line in range(bits.size):
        first = line * n_words
        n_zeros = np.int32(words[first] == 0)
        n_runs = n_zeros
        n_bits = _word_bits(words[first])
        # No branch and nothing carried over: the compiler takes several words at once.
        for at in range(first + 1, first + n_words):
            is_zero = np.int32(words[at] == 0)
            n_bits += _word_bits(words[at])
            n_zeros += is_zero
            n_runs += is_zero & np.int32(words[at - 1] != 0)
        if n_zeros > 1 << RUN_BITS:
            n_runs = _zero_codes(words, first, n_words)
        bits[line] = n_bits + np.int32(PREFIX_BITS + RUN_BITS) * n_runs
    return bits


@kernel
def _zero_codes(words: npt.NDArray[np.uint32], first: int, n_words: int) -> np.int32:
    """Return how many codes the line's zeros take: one at a run's first word and at every eighth after it."""
    n_codes = zeros = np.int32(0)
    for at in range(first, first + n_words):
        is_zero = np.int32(words[at] == 0)
        n_codes += is_zero & np.int32(zeros & 7 == 0)
        zeros = (zeros + is_zero) * is_zero
    return n_codes


@kernel
def pack_lines(raw: Bytes, line_bytes: int, _word_bytes: int, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    for line in range(0, raw.size, line_bytes):
        at, end = line, line + line_bytes
        while at < end:
            word = load(raw, at, _LIKE_U32)
            prefix = _prefix(word)
            data = _data(word, prefix)
            at += 4
            if prefix == _RUN:
                run = 0
                while at < end and run < 7 and load(raw, at, _LIKE_U32) == 0:
                    run += 1
                    at += 4
                data = np.uint64(run)
            code = np.uint64(prefix) | data << np.uint64(PREFIX_BITS)
            bit = put(out, bit, code, PREFIX_BITS + as_int(_DATA_BITS[prefix]))
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, _word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line is not valid.

    `data` holds `n_bits` bits and SLACK_BYTES more. A run that leaves its line is not valid.
    """
    bit = 0
    for line in range(0, raw.size, line_bytes):
        at, end = line, line + line_bytes
        while at < end:
            if bit + PREFIX_BITS > n_bits:
                return -1
            prefix = as_int(get(data, bit, PREFIX_BITS))
            bit += PREFIX_BITS
            data_bits = as_int(_DATA_BITS[prefix])
            if bit + data_bits > n_bits:
                return -1
            field = get(data, bit, data_bits)
            bit += data_bits
            run = as_int(field) if prefix == _RUN else 0
            if at + 4 * run >= end:
                return -1
            word = _word(prefix, np.uint32(field))
            for _ in range(run + 1):
                store(raw, at, word)
                at += 4
    return bit


@kernel
def _is_signed(word: np.uint32, n_bits: int) -> bool:
    """Tell whether `word` is a two's-complement number of `n_bits`."""
    half = np.uint32(1) << np.uint32(n_bits - 1)
    return bool(np.uint32(word + half) < np.uint32(half + half))


@kernel
def _is_two_bytes(word: np.uint32) -> bool:
    """Tell whether both halves are sign-extended bytes."""
    low, high = np.uint32(word & np.uint32(0xFFFF)), np.uint32(word >> np.uint32(16))
    half, byte = np.uint32(0x80), np.uint32(0xFFFF)
    return bool((((low + half) & byte) < np.uint32(256)) & (((high + half) & byte) < np.uint32(256)))


@kernel
def _is_repeated(word: np.uint32) -> bool:
    """Tell whether all four bytes are the same."""
    return bool(word == np.uint32(word << np.uint32(8) | word & np.uint32(0xFF)))


@kernel
def _word_bits(word: np.uint32) -> np.int32:
    """Return the bits of the word's code, none for a zero; without a branch, since data is random."""
    n_bits = np.int32(35)
    halves = (word & np.uint32(0xFFFF)) == 0
    n_bits = np.int32(19) if _is_signed(word, 16) | halves | _is_two_bytes(word) else n_bits
    n_bits = np.int32(11) if _is_signed(word, 8) | _is_repeated(word) else n_bits
    n_bits = np.int32(7) if _is_signed(word, 4) else n_bits
    return np.int32(0) if word == 0 else n_bits


@kernel
def _prefix(word: np.uint32) -> int:
    """Return the prefix of the word's shortest code, the lowest of equally short ones."""
    if word == 0:
        return _RUN
    if _is_signed(word, 4):
        return _SIGNED_4
    if _is_signed(word, 8):
        return _SIGNED_8
    if _is_repeated(word):
        return _REPEATED
    if _is_signed(word, 16):
        return _SIGNED_16
    if (word & np.uint32(0xFFFF)) == 0:
        return _HIGH_HALF
    return _TWO_BYTES if _is_two_bytes(word) else _RAW


@kernel
def _data(word: np.uint32, prefix: int) -> np.uint64:
    """Return what stands behind the prefix of a word that is not zero."""
    if prefix == _HIGH_HALF:
        return np.uint64(word >> np.uint32(16))
    if prefix == _TWO_BYTES:
        return np.uint64(word & np.uint32(0xFF) | word >> np.uint32(8) & np.uint32(0xFF00))
    return np.uint64(word) & ((np.uint64(1) << np.uint64(_DATA_BITS[prefix])) - np.uint64(1))


@kernel
def _word(prefix: int, field: np.uint32) -> np.uint32:
    """Return the word that the code stands for; for a run, zero."""
    if prefix == _RUN:
        return np.uint32(0)
    if prefix <= _SIGNED_16:
        sign = np.uint32(1) << np.uint32(_DATA_BITS[prefix] - 1)
        return np.uint32((field ^ sign) - sign)
    if prefix == _HIGH_HALF:
        return np.uint32(field << np.uint32(16))
    if prefix == _TWO_BYTES:
        bytes_apart = np.uint32(field & np.uint32(0xFF) | (field & np.uint32(0xFF00)) << np.uint32(8))

        low = np.uint32((bytes_apart & np.uint32(0xFFFF) ^ np.uint32(0x80)) - np.uint32(0x80))
        high = np.uint32((bytes_apart >> np.uint32(16) ^ np.uint32(0x80)) - np.uint32(0x80))
        return np.uint32(low & np.uint32(0xFFFF) | high << np.uint32(16))
    return np.uint32(field * np.uint32(0x01010101)) if prefix == _REPEATED else field
