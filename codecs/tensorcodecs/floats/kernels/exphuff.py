"""Byte planes of floats whose sign was rotated to the end, so that the first plane is the exponent's.

Every chunk of words has planes of its own, each a Huffman chunk: coded where that saves, stored elsewhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.huffman import (
    CHUNK_CODED_BYTES_MIN,
    LEVEL_SHIFT,
    Room,
    decode_chunk,
    encode_chunk,
    store_chunk,
)
from tensorcodecs.kernels.huffman_chunks import BLOCK_BYTES, LEVEL_MAX, N_NODES, coded_bits, histogram
from tensorcodecs.kernels.huffman_code import N_SYMBOLS

CHUNK_WORDS_MAX = BLOCK_BYTES
_CHUNK_BYTES_MAX = 1 << 18
ZEROS_LEFT_OUT = 1
# One zero among so many words pays for leaving zeros out.
_ZERO_SHARE = 16
# Of a plane, so many bytes are looked at out of each stretch, to see whether coding it can save enough.
_SAMPLE_BYTES = 512
_STRETCH_BYTES = 4096
_SAVING_MIN = 0.03


def chunk_words(word_bytes: int) -> int:
    """Return how many words of `word_bytes` bytes a chunk has, except the last one."""
    return min(CHUNK_WORDS_MAX, _CHUNK_BYTES_MAX // word_bytes)


@kernel
def encode_planes(planes: Bytes, frozen: Bytes, n: int, n_planes: int, out: Bytes, at: int) -> int:
    """Write a chunk of `n` words, split to `planes`, to `out` at `at`; return where it ends.

    `frozen` is the memory of `planes`, read-only.
    """
    counts = np.empty((N_NODES, N_SYMBOLS), np.int64)[0]
    codes = np.empty(N_SYMBOLS, np.uint64)
    lengths = np.empty(N_SYMBOLS, np.uint8)
    histogram(frozen[:n], counts)
    n_kept = n
    if n_planes > 1 and counts[0] * _ZERO_SHARE >= n and _are_zeros(planes, n, n_planes):
        n_kept = n - counts[0]
        _leave_out(planes, n, n_planes)
    out[at] = ZEROS_LEFT_OUT if n_kept < n else 0
    at = encode_chunk(frozen[:n], LEVEL_MAX, counts, lengths, codes, out, at + 1)
    for place in range(1, n_planes if n_kept > 0 else 1):
        plane = frozen[place * n : place * n + n_kept]
        if _saves(plane, counts):
            histogram(plane, counts)
            at = encode_chunk(plane, LEVEL_MAX, counts, lengths, codes, out, at)
        else:
            at = store_chunk(plane, LEVEL_MAX, out, at)
    return at


@kernel
def decode_planes(data: Bytes, at: int, n: int, n_planes: int, planes: Bytes, room: Room) -> int:
    """Fill `planes` from the chunk of `n` words at `at`; return where it ends, or -1 if it is not valid."""
    if at >= data.size or data[at] > ZEROS_LEFT_OUT:
        return -1
    are_zeros_left_out = data[at] == ZEROS_LEFT_OUT
    at += 1
    n_kept = n
    for place in range(n_planes):
        if n_kept == 0:
            _fill(planes[place * n : (place + 1) * n])
            continue
        if at + CHUNK_CODED_BYTES_MIN > data.size or data[at] >> LEVEL_SHIFT != LEVEL_MAX:
            return -1
        at = decode_chunk(data, at, planes[place * n : place * n + n_kept], room)
        if at < 0:
            return -1
        if are_zeros_left_out and place == 0:
            n_kept = n - _zeros(planes[:n])
    if are_zeros_left_out and n_kept > 0:
        _put_back(planes, n, n_kept, n_planes)
    return at


# Pairs of bytes have loops of their own, with constant shifts and of one width: those become vectors.


@kernel
def split(words: Array, rotation: int, planes: Bytes) -> None:
    """Fill `planes` with the bytes of `words`, rotated up by `rotation` bits, the highest ones first."""
    n = words.size
    n_bits = 8 * words.itemsize
    if n_bits == 16:
        first, second = planes[:n], planes[n : 2 * n]
        if rotation:
            for index in range(n):
                word = np.uint32(words[index])
                first[index] = word >> np.uint32(7)
                second[index] = word << np.uint32(1) | word >> np.uint32(15)
        else:
            for index in range(n):
                word = np.uint32(words[index])
                first[index] = word >> np.uint32(8)
                second[index] = word
        return
    for place in range(words.itemsize):
        plane = planes[place * n : (place + 1) * n]
        shift = np.uint64(n_bits - 8 * (place + 1))
        if rotation == 0:
            _take_byte(words, shift, plane)
        elif shift > np.uint64(0):
            _take_byte(words, shift - np.uint64(1), plane)
        else:
            for index in range(n):
                word = words[index]
                plane[index] = np.uint8(word << 1) | np.uint8(word >> (n_bits - 1))


@kernel
def _take_byte(words: Array, shift: np.uint64, plane: Bytes) -> None:
    for index in range(words.size):
        plane[index] = np.uint8(words[index] >> shift)


@kernel
def merge(planes: Bytes, rotation: int, words: Array) -> None:
    """Undo `split`."""
    n = words.size
    n_bits = 8 * words.itemsize
    first = planes[:n]
    if n_bits == 16:
        second = planes[n : 2 * n]
        if rotation:
            for index in range(n):
                word = np.uint32(first[index]) << np.uint32(8) | np.uint32(second[index])
                words[index] = word >> np.uint32(1) | word << np.uint32(15)
        else:
            for index in range(n):
                words[index] = np.uint32(first[index]) << np.uint32(8) | np.uint32(second[index])
        return
    for index in range(n):
        words[index] = first[index]
    for place in range(1, words.itemsize):
        plane = planes[place * n : (place + 1) * n]
        for index in range(n):
            words[index] = words[index] << 8 | plane[index]
    if rotation:
        for index in range(n):
            words[index] = words[index] >> 1 | words[index] << (n_bits - 1)


@kernel
def _are_zeros(planes: Bytes, n: int, n_planes: int) -> bool:
    """Return whether all words with 0 in the first plane are 0."""
    n_others = 0
    for place in range(1, n_planes):
        plane = planes[place * n : (place + 1) * n]
        for index in range(n):
            n_others += (planes[index] == 0) & (plane[index] != 0)
    return n_others == 0


@kernel
def _zeros(words: Bytes) -> int:
    n_zeros = 0
    for index in range(words.size):
        n_zeros += words[index] == 0
    return n_zeros


@kernel
def _fill(plane: Bytes) -> None:
    for index in range(plane.size):
        plane[index] = 0


@kernel
def _leave_out(planes: Bytes, n: int, n_planes: int) -> None:
    """Close up the planes but the first over the places where the first is 0."""
    for place in range(1, n_planes):
        to = place * n
        for index in range(n):
            planes[to] = planes[place * n + index]
            to += planes[index] != 0


@kernel
def _put_back(planes: Bytes, n: int, n_kept: int, n_planes: int) -> None:
    """Undo `_leave_out`."""
    for place in range(1, n_planes):
        source = place * n + n_kept
        for index in range(n - 1, -1, -1):
            is_kept = planes[index] != 0
            source -= is_kept
            planes[place * n + index] = planes[source] * is_kept


@kernel
def _saves(plane: Bytes, counts: npt.NDArray[np.int64]) -> bool:
    """Return whether a sample of `plane` says that a code saves enough; `counts` is room to work in."""
    n_lanes = 4
    lanes = np.zeros((n_lanes, N_SYMBOLS), np.int64)
    n_seen = 0
    for start in range(0, plane.size, _STRETCH_BYTES):
        sample = plane[start : start + _SAMPLE_BYTES]
        n_seen += sample.size
        for index in range(sample.size):
            lanes[index % n_lanes, sample[index]] += 1
    for symbol in range(N_SYMBOLS):
        counts[symbol] = lanes[0, symbol] + lanes[1, symbol] + lanes[2, symbol] + lanes[3, symbol]
    return coded_bits(counts) < (1 - _SAVING_MIN) * 8 * n_seen
