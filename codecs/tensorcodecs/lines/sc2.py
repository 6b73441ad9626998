"""SC2: statistical compression of 32-bit words with a learned table of frequent values."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._canonical import Numbers, limited_lengths
from tensorcodecs.lines._sc2_tables import VALUES_MAX, read_table, value_table
from tensorcodecs.lines.kernels import sc2
from tensorcodecs.lines.learned import Book, LearnedLines, TableKernels

_SIZES_TRIED = (4, 16, 64, 256, VALUES_MAX)
_MINIMUM_COUNT = 2


class Sc2(LearnedLines):
    """At most 1024 values as canonical Huffman codes, others behind an escape; see docs/formats/sc2.md."""

    name = "sc2"
    codec_id = "squeezemark.sc2"
    title = "SC2: Huffman codes of frequent 32-bit values"
    source = "Arelakis & Stenstrom, SC2: A Statistical Compression Cache Scheme, ISCA 2014; details are ours"
    version = "1"
    word_bytes = 4
    line_bits_min = 8  # a line of 32 bytes
    kernels = TableKernels(sc2.line_bits, sc2.pack_lines, sc2.unpack_lines)

    def learn(self, raw: Bytes, word_bytes: int, *, complete: bool) -> bytes:
        """Return the table of the most frequent values; one that is stored with the data may be shorter."""
        values, counts = np.unique(raw.view(f"u{word_bytes}"), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:VALUES_MAX]
        order = order[counts[order] >= _MINIMUM_COUNT]
        sizes = self.table_sizes(order.size)
        tables = [
            value_table(values[order[:size]], counts[order[:size]], int(counts.sum()), self.code_lengths)
            for size in (sizes if complete else sizes[-1:])
        ]
        return min(tables)[1] if tables else b""

    def table_sizes(self, n_values: int) -> list[int]:
        """Numbers of values, ascending, that a table may have where `n_values` are worth an entry."""
        return sorted({min(size, n_values) for size in _SIZES_TRIED}) if n_values else []

    def code_lengths(self, counts: Numbers) -> Numbers:
        """Return the bits of the code of each value, and last of the escape, from how often they occur."""
        return limited_lengths(counts)

    def book(self, table: bytes, word_bytes: int) -> Book:  # noqa: ARG002 - the circuit has one width
        """Return the kernels' numbers; ValueError where the table is not one that `learn` could write."""
        return read_table(table)
