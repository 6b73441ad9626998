"""HyComp: each line goes to the compressor for the kind of data that its chunks vote for."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.lines._value_tables import learn_values, read_table
from tensorcodecs.lines.kernels import hycomp
from tensorcodecs.lines.kernels.hycomp import EXPONENT_BITS, HIGH_BITS, LOW_BITS
from tensorcodecs.lines.learned import Book, LearnedLines, TableKernels

_ENTRIES = 1024
_VALUE_BITS = (32, EXPONENT_BITS, HIGH_BITS, LOW_BITS)


class HyComp(LearnedLines):
    """Huffman codes of values (SC2), BDI, FP-H for floats, or zero; see docs/formats/hycomp.md."""

    name = "hycomp"
    codec_id = "squeezemark.hycomp"
    title = "HyComp: a vote between SC2, BDI, FP-H and zero"
    source = "Arelakis, Dahlgren and Stenstrom, HyComp, MICRO 2015"
    version = "1"
    word_bytes = 8
    line_bits_min = hycomp.HEAD_BITS
    kernels = TableKernels(hycomp.line_bits, hycomp.pack_lines, hycomp.unpack_lines)

    def learn(self, raw: Bytes, word_bytes: int, *, complete: bool) -> bytes:  # noqa: ARG002 - always 8
        """Return four tables: values of lines that vote integer, three parts of chunks of those for float."""
        chosen = hycomp.methods(raw, self.block_bytes)
        lines = raw.reshape(-1, self.block_bytes)
        words = lines[chosen == hycomp.FLOATS].view("<u8").reshape(-1)
        parts: list[Array] = [lines[chosen == hycomp.VALUES].view("<u4").reshape(-1)]
        parts += [words >> np.uint64(52) & np.uint64(2047), words >> np.uint64(32) & np.uint64(0xFFFFF)]
        parts.append(words & np.uint64(0xFFFFFFFF))
        # An entry costs about as much as two values that it shortens.
        tables = (
            learn_values(part, bits, _ENTRIES, 3) for part, bits in zip(parts, _VALUE_BITS, strict=True)
        )
        return b"".join(tables)

    def book(self, table: bytes, word_bytes: int) -> Book:  # noqa: ARG002 - always 8
        """Return the four books, one behind the other."""
        books, at = [], 0
        for value_bits in _VALUE_BITS:
            book, at = read_table(table, at, value_bits)
            books.append(book)
        if at != len(table):
            raise ValueError(f"{len(table) - at} bytes follow the last table")
        return np.concatenate(books)
