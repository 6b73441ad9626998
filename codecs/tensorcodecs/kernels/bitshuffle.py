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
    last = np.zeros(_STEP, words.dtype)
    rows = np.empty(_STEP, np.uint8)
    last[: words.size - n_whole] = words[n_whole:]
    for place in range(width if n_whole < words.size else 0):
        gather_rows(last, 0, words.dtype.type(8 * place), rows, 0, 8)
        for bit in range(8):
            first = (8 * place + bit) * row_bytes + n_whole // 8
            for index in range((words.size - n_whole) // 8):
                planes[first + index] = rows[8 * bit + index]


@kernel
def bitunshuffle(planes: Bytes, words: Array) -> None:
    """Fill `words`, a multiple of eight, from `planes` (words.nbytes)."""
    row_bytes = words.size // 8
    places = np.empty(_BLOCK_WORDS * words.itemsize, np.uint8)
    rest = np.zeros(2 * _STEP, np.uint8)
    for start in range(0, words.size, _BLOCK_WORDS):
        n = min(_BLOCK_WORDS, words.size - start)
        n_whole = n // _STEP * _STEP
        for place in range(words.itemsize):
            first = 8 * place * row_bytes + start // 8
            for index in range(0, n_whole, _STEP):
                spread_rows(planes, first + index // 8, row_bytes, places, place * n + index)
            if n_whole < n:
                for bit in range(8):
                    for index in range((n - n_whole) // 8):
                        rest[8 * bit + index] = planes[first + bit * row_bytes + n_whole // 8 + index]
                spread_rows(rest, 0, 8, rest, _STEP)
                for index in range(n - n_whole):
                    places[place * n + n_whole + index] = rest[_STEP + index]
        unshuffle(places, words[start : start + n])
