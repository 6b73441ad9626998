"""The distinct words of an array, as long as they are few, and each word's place among them."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel

ENTRIES_MAX = 256
_SLOTS = 1024
_SLOT_MASK = np.uint64(_SLOTS - 1)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - 10)


@kernel
def find_codebook(words: Array, codebook: Array, indices: Bytes) -> int:
    """Fill `codebook` in the order of first appearance, and `indices`; return its size, or 0 beyond 256."""
    slots = np.full(_SLOTS, -1, np.int16)
    n_entries = 0
    for index in range(words.size):
        word = words[index]
        slot = (np.uint64(word) * _MULTIPLIER) >> _SHIFT
        while slots[slot] >= 0 and codebook[slots[slot]] != word:
            slot = (slot + np.uint64(1)) & _SLOT_MASK
        if slots[slot] < 0:
            if n_entries == ENTRIES_MAX:
                return 0
            codebook[n_entries] = word
            slots[slot] = n_entries
            n_entries += 1
        indices[index] = slots[slot]
    return n_entries


@kernel
def look_up(codebook: Array, indices: Bytes, words: Array) -> bool:
    """Fill `words`; return False where an index is beyond the codebook."""
    for index in range(indices.size):
        if indices[index] >= codebook.size:
            return False
        words[index] = codebook[indices[index]]
    return True
