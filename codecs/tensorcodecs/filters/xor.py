"""XOR: the bits in which each word differs from the one before it."""

from __future__ import annotations

from tensorcodecs.arrays import Array
from tensorcodecs.filters.base import WordFilter
from tensorcodecs.filters.kernels.wordfilters import unxor, xor


class Xor(WordFilter):
    """A filter: bits that do not change become zeros; see docs/formats/xor.md."""

    name = "xor"
    codec_id = "squeezemark.xor"
    title = "XOR with the previous word"
    source = "Pelkonen et al., Gorilla, VLDB 2015 (its XOR step)"
    version = "1"

    def filter_words(self, words: Array, filtered: Array) -> None:
        """Fill `filtered` from `words`."""
        xor(words, filtered)

    def unfilter_words(self, filtered: Array, words: Array) -> None:
        """Undo `filter_words`."""
        unxor(filtered, words)
