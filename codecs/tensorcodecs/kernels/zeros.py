"""Where the zeros are: one bit per word, the first step of ZVC and of zero run-length coding."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import LIKE_U64, load

_LOW_SEVEN = np.uint64(0x7F7F7F7F7F7F7F7F)
LOW_ONES = np.uint64(0x0101010101010101)
_SEVEN = np.uint64(0x7F7F7F7F7F7F7F7F)
LOW_ONES = np.uint64(0x0101010101010101)
_PAIRS, _FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_EIGHTS = np.uint64(0x0F0F0F0F0F0F0F0F)
_SEVEN = np.uint64(7)
# Multiplying eight bytes of 0 or 1 by this gathers them in the top byte, first byte in its lowest bit.
_GATHER = np.uint64(0x0102040810204080)
_TOP_BYTE = np.uint64(56)


@kernel
def nonzero_bytes(eight: np.uint64) -> np.uint64:
    """Return eight bytes, 1 where that of `eight` is not zero, else 0."""
    return np.uint64(((((eight & _LOW_SEVEN) + _LOW_SEVEN) | eight) >> _SEVEN) & LOW_ONES)


@kernel
def gathered(ones: np.uint64) -> np.uint64:
    """Return the lowest bits of eight bytes that are 0 or 1 as one byte, the first in its lowest bit."""
    return np.uint64((ones * _GATHER) >> _TOP_BYTE)


@kernel
def nonzero_masks(words: Array, masks: Bytes) -> None:
    """Fill `masks` (uint8, at least ceil(n / 8)): bit i % 8 of byte i / 8 tells words[i] != 0.

    Bits and bytes past the last word become 0.
    """
    n_full = words.size // 8
    if words.itemsize == 1:
        for group in range(n_full):
            eight = load(words, group * 8, LIKE_U64)
            masks[group] = np.uint8(gathered(nonzero_bytes(eight)))
    else:
        for group in range(n_full):
            masks[group] = _mask(words, group * 8, 8)
    for group in range(n_full, masks.size):
        masks[group] = 0
    if n_full < masks.size:
        masks[n_full] = _mask(words, n_full * 8, words.size - n_full * 8)


@kernel
def _mask(words: Array, first: int, count: int) -> np.uint8:
    mask = np.uint8(0)
    for lane in range(count):
        mask |= np.uint8(words[first + lane] != 0) << lane
    return np.uint8(mask)
