"""Slices of an array that hold one value throughout, as those of dead channels do: found and put back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tensorcodecs.arrays import Array
from tensorcodecs.squeeze.kernels.rows import row_modes

_LENGTH_MIN = 8
_SHARE_MIN = 1 / 100
"""Of all words, how many must be in constant slices: fewer are not worth their second block."""


@dataclass(frozen=True)
class Slices:
    """Words in threes of axes, (outer, `length`, `step`): a slice runs along the middle one.

    `values` (outer · `step` of them): what each constant slice holds; 0 for the others.
    """

    length: int
    step: int
    values: Array

    def taken_out(self, words: Array) -> Array:
        """A copy of `words` (1-D) with what most words are in the constant slices."""
        rest = words.copy()
        self._fill(rest, _background(words))
        return rest

    def put_back(self, words: Array) -> None:
        """Fill the constant slices of `words` (1-D) in place."""
        self._fill(words, self.values[self.values != 0][:, None])

    def _fill(self, words: Array, filling: Array | int) -> None:
        outer, inner = np.nonzero(self.values.reshape(-1, self.step))
        words.reshape(-1, self.length, self.step)[outer, :, inner] = filling


def find_slices(words: Array, shape: tuple[int, ...]) -> Slices | None:
    """The slices along one axis, or all over the last ones, that save most words; None if that is few."""
    best, most = None, _SHARE_MIN * words.size
    background = _background(words)
    for length, step, rest in _candidates(shape):
        rows = words.reshape(-1, length, step)
        first = rows[:, 0]
        is_alike = first == rows[:, -1]
        if np.count_nonzero(is_alike) * (length - 1) <= most:
            continue
        is_alike &= (first == rows[:, length // 2]) & (first != background)
        if np.count_nonzero(is_alike) * (length - 1) <= most:
            continue
        outer, inner = np.nonzero(is_alike)
        is_alike[outer, inner] = np.all(rows[outer, :, inner] == first[outer, inner][:, None], axis=1)
        saved = float(np.count_nonzero(is_alike)) * (length - 1)
        if saved > most:
            best, most = Slices(length, step, np.where(is_alike, first, 0).reshape(rest)), saved
    return best


def _background(words: Array) -> int:
    """What slices may hold at no cost: zero, or the most common byte, such as a tensor's zero point."""
    modes = np.zeros(1, np.uint8)
    if words.itemsize == 1:
        row_modes(words, words.size, modes)
    return int(modes[0])


def _candidates(shape: tuple[int, ...]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Yield (length, step, shape of the values) of the slices that the array's shape suggests."""
    for axis, length in enumerate(shape):
        after = shape[axis + 1 :]
        if length >= _LENGTH_MIN and 0 not in after:
            yield length, math.prod(after), shape[:axis] + after
        if axis > 0 and len(after) > 0 and math.prod(shape[axis:]) >= _LENGTH_MIN:
            yield math.prod(shape[axis:]), 1, shape[:axis]
