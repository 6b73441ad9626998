"""Byte shuffle: all first bytes of the words, then all second bytes, and so on.

Each inner loop has one stream in and one out, both slices that start at 0: that is what the compiler turns
into vector instructions.
"""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel

# Words that stay in the first-level cache while one plane after the other is taken from them.
_BLOCK_WORDS = 1024


@kernel
def shuffle(words: Array, planes: Bytes) -> None:
    """Fill `planes` (words.nbytes), lowest byte's plane first."""
    n = words.size
    for start in range(0, n, _BLOCK_WORDS):
        block = words[start : start + _BLOCK_WORDS]
        for place in range(words.itemsize):
            plane = planes[place * n + start : place * n + start + block.size]
            shift = words.dtype.type(8 * place)
            for index in range(block.size):
                plane[index] = np.uint8((block[index] >> shift) & words.dtype.type(0xFF))


@kernel
def unshuffle(planes: Bytes, words: Array) -> None:
    """Fill `words` from their `planes` (words.nbytes)."""
    n = words.size
    for start in range(0, n, _BLOCK_WORDS):
        block = words[start : start + _BLOCK_WORDS]
        for place in range(words.itemsize):
            plane = planes[place * n + start : place * n + start + block.size]
            shift = words.dtype.type(8 * place)
            if place == 0:
                for index in range(block.size):
                    block[index] = plane[index]
            else:
                for index in range(block.size):
                    block[index] |= words.dtype.type(plane[index]) << shift
