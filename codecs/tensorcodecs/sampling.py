"""Samples of bounded size for codecs that learn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorcodecs.arrays import Array, raw_bytes


def spread(arrays: Iterable[Array], sample_bytes: int, count_max: int) -> list[Any]:
    """Cut the arrays' bytes into samples and return every n-th of all, at most `count_max`.

    n is a power of two. An array's last sample may be shorter. No more than `count_max` samples and one array
    are held at a time.
    """
    kept: list[bytes] = []
    stride, number = 1, 0
    for array in arrays:
        data = raw_bytes(array)
        for at in range(0, data.size, sample_bytes):
            if number % stride == 0:
                kept.append(data[at : at + sample_bytes].tobytes())
            number += 1
            if len(kept) > count_max:
                kept, stride = kept[::2], 2 * stride
    return kept
