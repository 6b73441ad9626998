"""Sign and magnitude: small negative integers share their high bits with small positive ones."""

from __future__ import annotations

from tensorcodecs.arrays import Array
from tensorcodecs.filters.base import WordFilter
from tensorcodecs.filters.kernels.wordfilters import signmagnitude


class SignMagnitude(WordFilter):
    """A filter: two's complement becomes sign and magnitude; see docs/formats/signmagnitude.md."""

    name = "signmagnitude"
    codec_id = "squeezemark.signmagnitude"
    title = "sign and magnitude of integers"
    source = "IEEE 754-1985 (as its floats have them)"
    version = "1"

    def filter_words(self, words: Array, filtered: Array) -> None:
        """Fill `filtered` from `words`."""
        signmagnitude(words, filtered)

    def unfilter_words(self, filtered: Array, words: Array) -> None:
        """Undo `filter_words`."""
        signmagnitude(filtered, words)
