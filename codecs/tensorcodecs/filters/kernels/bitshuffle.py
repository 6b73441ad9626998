"""Bit planes of words: eight bits of 64 words at a time.

A block of words stays in the first-level cache while one plane after the other is taken from it, or made
into it.
"""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitrows import gather_rows, spread_rows
from tensorcodecs.kernels.shuffle import unshuffle

_BLOCK_WORDS = 2048
_STEP = 64
"""Words that one step turns into rows of bits."""


@kernel
def bitshuffle(words: Array, planes: Bytes) -> None:
    """Fill `planes` (words.nbytes // 8 * 8 bytes) from `words`, a multiple of eight."""
    row_bytes = words.size // 8
    width = words.itemsize
    n_whole = words.size // _STEP * _STEP
    for start in range(0, n_whole, _BLOCK_WORDS):
        end = min(start + _BLOCK_WORDS, n_whole)
        for place in range(width):
            shift = words.dtype.type(8 * place)
            first = 8 * place * row_bytes
            for index in range(start, end, _STEP):
                gather_rows(words, index * width, shift, planes, first + index // 8, row_bytes)
    for index in range(n_whole, words.size, 8):
        for bit in range(8 * width):
            row = np.uint8(0)
            for lane in range(8):
                row |= np.uint8((words[index + lane] >> words.dtype.type(bit)) & words.dtype.type(1)) << lane
            planes[bit * row_bytes + index // 8] = row


@kernel
def bitunshuffle(planes: Bytes, words: Array) -> None:
    """Fill `words`, a multiple of eight, from `planes` (words.nbytes)."""
    row_bytes = words.size // 8
    places = np.empty(_BLOCK_WORDS * words.itemsize, np.uint8)
    n_whole = words.size // _STEP * _STEP
    for start in range(0, n_whole, _BLOCK_WORDS):
        n = min(_BLOCK_WORDS, n_whole - start)
        for place in range(words.itemsize):
            first = 8 * place * row_bytes + start // 8
            for index in range(0, n, _STEP):
                spread_rows(planes, first + index // 8, row_bytes, places, place * n + index)
        unshuffle(places, words[start : start + n])
    for index in range(n_whole, words.size):
        word = words.dtype.type(0)
        for bit in range(8 * words.itemsize):
            row = planes[bit * row_bytes + index // 8]
            word |= words.dtype.type((row >> (index & 7)) & 1) << words.dtype.type(bit)
        words[index] = word
