"""Zigzag: small signed numbers become small unsigned ones."""

from __future__ import annotations

from tensorcodecs.arrays import Array
from tensorcodecs.filters.base import WordFilter
from tensorcodecs.filters.kernels.wordfilters import unzigzag, zigzag


class Zigzag(WordFilter):
    """A filter: the sign moves to the lowest bit; see docs/formats/zigzag.md."""

    name = "zigzag"
    codec_id = "squeezemark.zigzag"
    title = "zigzag (signed to unsigned)"
    source = "Google, Protocol Buffers encoding, 2008"
    version = "1"

    def filter_words(self, words: Array, filtered: Array) -> None:
        """Fill `filtered` from `words`."""
        zigzag(words, filtered)

    def unfilter_words(self, filtered: Array, words: Array) -> None:
        """Undo `filter_words`."""
        unzigzag(filtered, words)
