"""Delta: each word less the one before it."""

from __future__ import annotations

from tensorcodecs.arrays import Array
from tensorcodecs.filters.base import WordFilter
from tensorcodecs.filters.kernels.wordfilters import delta, undelta


class Delta(WordFilter):
    """A filter: differences modulo 2 to the word's bits; see docs/formats/delta.md."""

    name = "delta"
    codec_id = "squeezemark.delta"
    title = "difference from the previous word"
    source = "Cutler, Differential quantization, US patent 2605361, 1952 (the idea)"
    version = "1"

    def filter_words(self, words: Array, filtered: Array) -> None:
        """Fill `filtered` from `words`."""
        delta(words, filtered)

    def unfilter_words(self, filtered: Array, words: Array) -> None:
        """Undo `filter_words`."""
        undelta(filtered, words)
