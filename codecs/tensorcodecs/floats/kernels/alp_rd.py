"""ALP_rd: words cut in two; the left part is one of a few, the right part is stored as it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import Words64, get, put
from tensorcodecs.kernels.memory import as_int

VECTOR_WORDS = 1024
GROUP_WORDS = 100 * VECTOR_WORDS
N_ENTRIES_MAX = 8
LEFT_BITS_MAX = 16
EXCEPTION_BITS = 32
"""Place and left part, 16 bits each."""
SAMPLE_WORDS = 4096
GROUP_EXTRA_BYTES = 1024
WORD_EXTRA_BYTES = 5


@kernel
def alp_rd_encode(group: Words64, sample: Words64, width: int, out: Bytes, at: int) -> int:
    """Write one group of words, `width` bits each, from byte `at` on and return the byte behind it.

    `sample` holds some words of the group, ascending. `out` has room for GROUP_EXTRA_BYTES and, for every
    word, WORD_EXTRA_BYTES beyond its width.
    """
    dictionary = np.zeros(N_ENTRIES_MAX, np.uint64)
    left_bits, n_entries = _choose_cut(sample, width, dictionary)
    end = at + 1 + (group.size * width + 7) // 8
    if left_bits > 0:
        coded_end = _write_group(group, width, left_bits, dictionary[:n_entries], out, at)
        if coded_end < end:
            return coded_end
    out[at] = 0
    bit = (at + 1) * 8
    for index in range(group.size):
        bit = put(out, bit, group[index], width)
    return end


@kernel
def alp_rd_decode(data: Bytes, n_bytes: int, width: int, words: Words64) -> int:
    """Fill `words` from `n_bytes` of `data` (16 bytes of slack behind); return the bytes read, or -1."""
    at = 0
    for first in range(0, words.size, GROUP_WORDS):
        group = words[first : first + GROUP_WORDS]
        if at >= n_bytes:
            return -1
        left_bits = as_int(data[at])
        if left_bits > 0:
            at = _read_group(data, n_bytes, width, group, at)
            if at < 0:
                return -1
            continue
        at += 1
        end = at + (group.size * width + 7) // 8
        if end > n_bytes:
            return -1
        for index in range(group.size):
            group[index] = get(data, at * 8 + index * width, width)
        at = end
    return at


@kernel
def _code_bits(n_entries: int) -> int:
    code_bits = 0
    while 1 << code_bits < n_entries:
        code_bits += 1
    return code_bits


@kernel
def _choose_cut(sample: Words64, width: int, dictionary: Words64) -> tuple[int, int]:
    """Fill `dictionary` for the cut that is shortest for `sample`; return its left bits and entries.

    0 left bits where the words as they are would be shorter.
    """
    tops = np.zeros(N_ENTRIES_MAX, np.int64)
    lefts = np.zeros(N_ENTRIES_MAX, np.uint64)
    best_bits = sample.size * width
    best_left, best_entries = 0, 0
    for left_bits in range(1, min(LEFT_BITS_MAX, width - 1) + 1):
        n_found = _most_frequent(sample, np.uint64(width - left_bits), tops, lefts)
        covered = 0
        for n_entries in range(1, n_found + 1):
            covered += tops[n_entries - 1]
            bits = sample.size * (width - left_bits + _code_bits(n_entries))
            bits += (sample.size - covered) * EXCEPTION_BITS
            if bits < best_bits:
                best_bits, best_left, best_entries = bits, left_bits, n_entries
                for place in range(N_ENTRIES_MAX):
                    dictionary[place] = lefts[place]
    return best_left, best_entries


@kernel
def _most_frequent(
    sorted_words: Words64, shift: np.uint64, tops: npt.NDArray[np.int64], lefts: Words64
) -> int:
    """Fill `tops` and `lefts` with counts and values of the most frequent left parts; return how many."""
    n_found = 0
    start = 0
    while start < sorted_words.size:
        left = sorted_words[start] >> shift
        end = start + 1
        while end < sorted_words.size and sorted_words[end] >> shift == left:
            end += 1
        place = n_found
        while place > 0 and tops[place - 1] < end - start:
            place -= 1
        if place < N_ENTRIES_MAX:
            n_found = min(n_found + 1, N_ENTRIES_MAX)
            for later in range(n_found - 1, place, -1):
                tops[later], lefts[later] = tops[later - 1], lefts[later - 1]
            tops[place], lefts[place] = end - start, left
        start = end
    return n_found


@kernel
def _write_group(group: Words64, width: int, left_bits: int, dictionary: Words64, out: Bytes, at: int) -> int:
    """Write one group and return the byte behind it."""
    right = np.uint64(width - left_bits)
    code_bits = _code_bits(dictionary.size)
    code_of = np.full(1 << left_bits, -1, np.int64)
    bit = put(out, at * 8, np.uint64(left_bits | (dictionary.size << 8)), 16)
    for code in range(dictionary.size):
        code_of[dictionary[code]] = code
        bit = put(out, bit, dictionary[code], 16)
    mask = (np.uint64(1) << right) - np.uint64(1)
    places = np.empty(VECTOR_WORDS, np.uint64)
    for first in range(0, group.size, VECTOR_WORDS):
        vector = group[first : first + VECTOR_WORDS]
        count_at = bit >> 3
        body = bit + 16
        n_exceptions = 0
        bit = body
        for index in range(vector.size):
            word = vector[index]
            code = code_of[word >> right]
            places[n_exceptions] = index
            n_exceptions += code < 0
            together = np.uint64(max(code, 0)) | ((word & mask) << np.uint64(code_bits))
            # Never more than 64 bits: a cut whose codes are as long as the left parts is not chosen.
            bit = put(out, bit, together, code_bits + width - left_bits)
        for exception in range(n_exceptions):
            left = vector[places[exception]] >> right
            bit = put(out, bit, places[exception] | (left << np.uint64(16)), EXCEPTION_BITS)
        bit = (bit + 7) & ~7
        out[count_at] = n_exceptions & 0xFF
        out[count_at + 1] = n_exceptions >> 8
    return bit >> 3


@kernel
def _read_group(data: Bytes, n_bytes: int, width: int, group: Words64, at: int) -> int:
    """Undo `_write_group`; return the byte behind it, or -1 where it is not valid."""
    if at + 2 > n_bytes:
        return -1
    left_bits = as_int(data[at])
    n_entries = as_int(data[at + 1])
    if left_bits > min(LEFT_BITS_MAX, width - 1) or not 1 <= n_entries <= N_ENTRIES_MAX:
        return -1
    if at + 2 + 2 * n_entries > n_bytes:
        return -1
    code_bits = _code_bits(n_entries)
    if code_bits >= left_bits:
        return -1
    dictionary = np.zeros(N_ENTRIES_MAX, np.uint64)
    for code in range(n_entries):
        dictionary[code] = get(data, (at + 2 + 2 * code) * 8, 16)
    at += 2 + 2 * n_entries
    right_bits = width - left_bits
    right = np.uint64(right_bits)
    for first in range(0, group.size, VECTOR_WORDS):
        vector = group[first : first + VECTOR_WORDS]
        if at + 2 > n_bytes:
            return -1
        n_exceptions = as_int(get(data, at * 8, 16))
        bit = (at + 2) * 8
        n_bits = vector.size * (code_bits + right_bits) + n_exceptions * EXCEPTION_BITS
        if bit + n_bits > n_bytes * 8:
            return -1
        for index in range(vector.size):
            together = get(data, bit, code_bits + right_bits)
            code = together & np.uint64((1 << code_bits) - 1)
            vector[index] = (dictionary[code] << right) | (together >> np.uint64(code_bits))
            bit += code_bits + right_bits
        mask = (np.uint64(1) << right) - np.uint64(1)
        for _ in range(n_exceptions):
            place = as_int(get(data, bit, 16))
            if place >= vector.size:
                return -1
            vector[place] = (vector[place] & mask) | (get(data, bit + 16, 16) << right)
            bit += EXCEPTION_BITS
        at = (bit + 7) >> 3
    return at
