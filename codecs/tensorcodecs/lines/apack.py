"""After APack: bytes as an arithmetic-coded range and a raw place in it, with a learned table."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._proportions import in_whole_parts
from tensorcodecs.lines.kernels import apack
from tensorcodecs.lines.kernels.apack import N_RANGES, TOTAL
from tensorcodecs.lines.learned import Book, LearnedLines, TableKernels

_SHARE_BITS = 11
_SHARES_BYTES = N_RANGES * _SHARE_BITS // 8
_PART_BYTES = N_RANGES + _SHARES_BYTES
"""For each byte of a word: the ranges' first values, then their probabilities (one may be 1, so 11 bits)."""


class ApackLike(LearnedLines):
    """16 ranges with probabilities of 10 bits for each byte of a word; see docs/formats/apack-like.md."""

    name = "apack-like"
    codec_id = "squeezemark.apack-like"
    title = "APack-like: arithmetic-coded ranges and raw offsets"
    source = "Delmas Lascorz, Mahmoud and Moshovos, APack, arXiv 2201.08830, 2022; details are this project's"
    version = "1"
    line_bits_min = apack.FLUSH_BITS
    kernels = TableKernels(apack.line_bits, apack.pack_lines, apack.unpack_lines)

    def learn(self, raw: Bytes, word_bytes: int, *, complete: bool) -> bytes:
        """Return the ranges that take fewest bits; where more may come, each gets a probability."""
        table = b""
        for counts in apack.byte_counts(raw, word_bytes):
            starts = apack.best_ranges(counts)
            weights = np.add.reduceat(counts, starts)
            shares = in_whole_parts(weights, TOTAL, least=0 if complete else 1)
            number = sum(share << _SHARE_BITS * index for index, share in enumerate(shares.tolist()))
            table += starts.astype(np.uint8).tobytes() + number.to_bytes(_SHARES_BYTES, "little")
        return table

    def book(self, table: bytes, word_bytes: int) -> Book:
        """Return the kernels' arrays, one part behind the other."""
        if len(table) != word_bytes * _PART_BYTES:
            raise ValueError(f"{len(table)} bytes are no table for words of {word_bytes} bytes")
        return np.concatenate(
            [_part(table[at : at + _PART_BYTES]) for at in range(0, len(table), _PART_BYTES)]
        )


def _part(table: bytes) -> Book:
    starts = np.frombuffer(table, np.uint8, N_RANGES).astype(np.int64)
    number = int.from_bytes(table[N_RANGES:], "little")
    shares = np.array([number >> _SHARE_BITS * index & 2047 for index in range(N_RANGES)])
    sizes = np.diff(starts, append=256)
    if starts[0] != 0 or sizes.min() < 1 or shares.sum() != TOTAL:
        raise ValueError("the table's ranges do not ascend from 0 or their probabilities do not add up")
    place_bits = [int(size - 1).bit_length() for size in sizes.tolist()]
    ranges = np.repeat(np.arange(N_RANGES), sizes)
    return np.concatenate((starts, place_bits, [0], np.cumsum(shares), ranges)).astype(np.int64)
