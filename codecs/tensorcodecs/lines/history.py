"""A history buffer of recent words and Huffman codes for the bytes of words that it does not hold."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._value_tables import learn_values, read_table
from tensorcodecs.lines.kernels import history
from tensorcodecs.lines.learned import Book, LearnedLines, TableKernels


class HistoryHuffmanLike(LearnedLines):
    """The last 16 different words of the stream; see docs/formats/history-huffman-like.md."""

    name = "history-huffman-like"
    codec_id = "squeezemark.history-huffman-like"
    title = "history buffer and Huffman codes"
    source = "after Chandra, history buffer and Huffman coding for DNN SoCs, 2018; details are this project's"
    version = "1"
    line_bits_min = 4 * history.HIT_BITS  # four words of 8 bytes, every one a hit
    kernels = TableKernels(history.line_bits, history.pack_lines, history.unpack_lines)

    def learn(self, raw: Bytes, word_bytes: int, *, complete: bool) -> bytes:
        """Return a table for each byte of a word, in an own one without values that occur once."""
        rows = raw.reshape(-1, word_bytes)
        return b"".join(
            learn_values(rows[:, part], 8, 256, 2 if complete else 1) for part in range(word_bytes)
        )

    def book(self, table: bytes, word_bytes: int) -> Book:
        """Return the books of a word's bytes, one behind the other."""
        books, at = [], 0
        for _ in range(word_bytes):
            book, at = read_table(table, at, 8)
            books.append(book)
        if at != len(table):
            raise ValueError(f"{len(table) - at} bytes follow the last table")
        return np.concatenate(books)
