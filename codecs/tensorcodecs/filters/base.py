"""Filters that make one word of each word: their frames are words again, for another filter behind."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from tensorcodecs.arrays import WORD_DTYPES, Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec


class WordFilter(TensorCodec):
    """A filter whose frame is a word with the word width in bytes and then as many words as there were.

    See docs/formats/README.md, "Filters that keep words".
    """

    is_filter = True
    keeps_words = True

    def pack(self, words: Array) -> bytes:
        """Return the width, as a word, and the filtered words."""
        frame = np.empty(1 + words.size, words.dtype)
        frame[0] = words.itemsize
        self.filter_words(words, frame[1:])
        return frame.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the frame must be whole words, the first their width."""
        word_bytes = int(data[0]) if data.size else 0
        if word_bytes not in WORD_DTYPES or data.size % word_bytes or data[1:word_bytes].any():
            raise DecodeError(f"{data.size} bytes are not a width of 1, 2, 4 or 8 as a word and whole words")
        # An aligned copy only where the frame lies anywhere else.
        frame = np.require(data.view(WORD_DTYPES[word_bytes]), requirements="A")
        frame.flags.writeable = False
        words = np.empty(frame.size - 1, frame.dtype)
        self.unfilter_words(frame[1:], words)
        return words.view(np.uint8)

    @abstractmethod
    def filter_words(self, words: Array, filtered: Array) -> None:
        """Fill `filtered` from `words`, of equal width and number."""

    @abstractmethod
    def unfilter_words(self, filtered: Array, words: Array) -> None:
        """Undo `filter_words`."""
