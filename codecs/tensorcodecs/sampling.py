"""Samples of bounded size for codecs that learn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorcodecs.arrays import Array, in_memory_order, raw_bytes


class Spread:
    """Cuts arrays' bytes into samples and keeps every n-th of all, at most `count_max`.

    n is a power of two. An array's last sample may be shorter. No more than `count_max` samples are held.
    """

    def __init__(self, sample_bytes: int, count_max: int) -> None:
        self.kept: list[Any] = []
        self._sample_bytes, self._count_max = sample_bytes, count_max
        self._stride, self._number = 1, 0

    def add(self, array: Array) -> None:
        """Take the samples of one more array."""
        data = raw_bytes(in_memory_order(array))
        for at in range(0, data.size, self._sample_bytes):
            if self._number % self._stride == 0:
                self.kept.append(data[at : at + self._sample_bytes].tobytes())
            self._number += 1
            if len(self.kept) > self._count_max:
                self.kept, self._stride = self.kept[::2], 2 * self._stride


def spread(arrays: Iterable[Array], sample_bytes: int, count_max: int) -> list[Any]:
    """Return the samples that a `Spread` keeps of `arrays`, of which one at a time is held."""
    samples = Spread(sample_bytes, count_max)
    for array in arrays:
        samples.add(array)
    return samples.kept
