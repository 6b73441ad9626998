"""A byte-Huffman engine's lines: every byte as a code of one learned table."""

from __future__ import annotations

from typing import Self

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._canonical import code_infos, length_counts, limited_lengths
from tensorcodecs.lines.kernels import bytehuff
from tensorcodecs.lines.kernels.bytehuff import N_VALUES
from tensorcodecs.lines.learned import Book, LearnedLines, TableKernels

_TABLE_BYTES_MAX = N_VALUES // 2


class ByteHuff(LearnedLines):
    """Canonical Huffman codes of at most 15 bits, lines decode alone; see docs/formats/bytehuff.md."""

    name = "bytehuff"
    codec_id = "squeezemark.bytehuff"
    title = "byte Huffman by lines"
    source = "Huffman, Proc. IRE 1952; the engine is this project's"
    version = "1"
    word_bytes = 1
    line_bits_min = 32  # a line of 32 bytes
    kernels = TableKernels(bytehuff.line_bits, bytehuff.pack_lines, bytehuff.unpack_lines)

    def learn(self, raw: Bytes, word_bytes: int, *, complete: bool) -> bytes:  # noqa: ARG002 - always bytes
        """Return the best code's lengths; where more bytes may come than `raw` has, every value gets one."""
        counts = np.bincount(raw, minlength=N_VALUES).astype(np.int64)
        weights = counts if complete else np.maximum(counts, 1)
        present = np.flatnonzero(weights)
        if present.size == 1:  # a code has two at least
            present = np.array([0, max(1, int(present[0]))])
        lengths = np.zeros(N_VALUES, np.uint8)
        lengths[present] = limited_lengths(weights[present])
        return (lengths[::2] | lengths[1::2] << 4).tobytes().rstrip(b"\0")

    def with_state(self, state: bytes) -> Self:
        """Return a codec of these settings with this table; ValueError where a byte value has no code."""
        twin = super().with_state(state)
        if any(table and not _lengths(table).all() for table in twin._tables.values()):
            raise ValueError("a profiled table must have a code for every byte value")
        return twin

    def book(self, table: bytes, word_bytes: int) -> Book:  # noqa: ARG002 - always bytes
        """Return the kernels' numbers; ValueError where the lengths are no complete code."""
        if not 1 <= len(table) <= _TABLE_BYTES_MAX:
            raise ValueError(f"{len(table)} bytes are no table of 1 to {_TABLE_BYTES_MAX}")
        lengths = _lengths(table)
        values = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
        infos = np.zeros(N_VALUES, np.int64)
        infos[values] = code_infos(lengths[values])
        n_of_length = length_counts(lengths)
        n_of_length[0] = 0
        return np.concatenate((n_of_length, infos, values))


def _lengths(table: bytes) -> Book:
    pairs = np.frombuffer(table.ljust(_TABLE_BYTES_MAX, b"\0"), np.uint8)
    return np.stack((pairs & 15, pairs >> 4), axis=1).reshape(-1).astype(np.int64)
