"""Byte planes of words, highest first, the sign moved behind the mantissa or not."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.shuffle import shuffle, unshuffle

# Words that stay in the first-level cache between the steps.
_BLOCK_WORDS = 1024


@kernel
def split(words: Array, turn: int, planes: Bytes) -> None:
    """Fill `planes` (words.nbytes) from `words`, each turned left by `turn` bits: 0 or 1."""
    one, top = words.dtype.type(turn), words.dtype.type(8 * words.itemsize - 1)
    turned = np.empty(_BLOCK_WORDS, words.dtype)
    places = np.empty(_BLOCK_WORDS * words.itemsize, np.uint8)
    for start in range(0, words.size, _BLOCK_WORDS):
        n = min(_BLOCK_WORDS, words.size - start)
        block = words[start : start + n]
        for index in range(n):
            turned[index] = (block[index] << one) | ((block[index] >> top) & one)
        shuffle(turned[:n], places)
        for place in range(words.itemsize):
            first = (words.itemsize - 1 - place) * words.size + start
            plane, source = planes[first : first + n], places[place * n : place * n + n]
            for index in range(n):
                plane[index] = source[index]


@kernel
def unsplit(planes: Bytes, turn: int, words: Array) -> None:
    """Fill `words` from their `planes` (words.nbytes)."""
    one, top = words.dtype.type(turn), words.dtype.type(8 * words.itemsize - 1)
    places = np.empty(_BLOCK_WORDS * words.itemsize, np.uint8)
    for start in range(0, words.size, _BLOCK_WORDS):
        n = min(_BLOCK_WORDS, words.size - start)
        block = words[start : start + n]
        for place in range(words.itemsize):
            first = (words.itemsize - 1 - place) * words.size + start
            source, plane = planes[first : first + n], places[place * n : place * n + n]
            for index in range(n):
                plane[index] = source[index]
        unshuffle(places, block)
        for index in range(n):
            block[index] = (block[index] >> one) | ((block[index] & one) << top)
