"""Bit planes of words: the bytes of a block of words sorted by their place, then their bits by rows.

A block stays in the first-level cache between the two steps.
"""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitrows import gather_rows, spread_rows
from tensorcodecs.kernels.shuffle import shuffle, unshuffle

_BLOCK_WORDS = 2048
_STEP = 64
"""Bytes, and so words, that one step turns into rows."""


@kernel
def bitshuffle(words: Array, planes: Bytes) -> None:
    """Fill `planes` (words.nbytes // 8 * 8 bytes) from `words`, a multiple of eight."""
    row_bytes = words.size // 8
    places = np.empty(_BLOCK_WORDS * words.itemsize, np.uint8)
    rest = np.zeros(2 * _STEP, np.uint8)
    for start in range(0, words.size, _BLOCK_WORDS):
        n = min(_BLOCK_WORDS, words.size - start)
        shuffle(words[start : start + n], places)
        n_whole = n // _STEP * _STEP
        for place in range(words.itemsize):
            first = 8 * place * row_bytes + start // 8
            for index in range(0, n_whole, _STEP):
                gather_rows(places, place * n + index, planes, first + index // 8, row_bytes)
            if n_whole < n:
                for index in range(n - n_whole):
                    rest[index] = places[place * n + n_whole + index]
                gather_rows(rest, 0, rest, _STEP, 8)
                for bit in range(8):
                    for index in range((n - n_whole) // 8):
                        planes[first + bit * row_bytes + n_whole // 8 + index] = rest[_STEP + 8 * bit + index]


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
