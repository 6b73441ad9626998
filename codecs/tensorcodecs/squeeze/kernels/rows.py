"""Rows as wholes: which of them repeat an earlier one, and the most common value of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(29)


@kernel
def find_repeats(raw: Bytes, row_bytes: int, origins: npt.NDArray[np.uint32]) -> int:
    """Fill `origins` (uint32[rows]): 0 for a new row, else 1 + which of the new rows it repeats.

    `raw` holds whole rows of at least 8 bytes. Returns how many rows are new.
    """
    size = as_int(16)
    while size < 2 * origins.size:
        size *= 2
    slots = np.zeros(size, np.uint32)
    firsts = np.empty(origins.size, np.int64)
    n_new = 0
    for row in range(origins.size):
        at = row * row_bytes
        slot = as_int(_hash(raw, at, row_bytes) & np.uint64(size - 1))
        origins[row] = 0
        while slots[slot]:
            if _are_equal(raw, firsts[slots[slot] - 1], at, row_bytes):
                origins[row] = slots[slot]
                break
            slot = (slot + 1) & (size - 1)
        if not origins[row]:
            firsts[n_new] = at
            n_new += 1
            slots[slot] = n_new
    return n_new


@kernel
def _hash(raw: Bytes, at: int, n_bytes: int) -> np.uint64:
    state = np.uint64(n_bytes)
    for step in range(0, n_bytes - 7, 8):
        state = (state ^ load(raw, at + step, LIKE_U64)) * _PRIME
        state ^= state >> _FOLD
    return np.uint64((state ^ load(raw, at + n_bytes - 8, LIKE_U64)) * _PRIME >> _FOLD)


@kernel
def _are_equal(raw: Bytes, one: int, other: int, n_bytes: int) -> bool:
    for step in range(0, n_bytes - 7, 8):
        if load(raw, one + step, LIKE_U64) != load(raw, other + step, LIKE_U64):
            return False
    return bool(load(raw, one + n_bytes - 8, LIKE_U64) == load(raw, other + n_bytes - 8, LIKE_U64))


@kernel
def row_modes(values: Bytes, row_length: int, modes: Bytes) -> tuple[int, int]:
    """Fill `modes` (uint8[rows]) with the most common value of each row.

    Returns how many values are their row's mode, and how many the most common value of all has.
    """
    total = np.zeros(256, np.int64)
    counts = np.empty(256, np.int64)
    n_hits = 0
    for row in range(modes.size):
        counts[:] = 0
        for value in values[row * row_length : (row + 1) * row_length]:
            counts[value] += 1
        modes[row] = counts.argmax()
        n_hits += counts.max()
        total += counts
    return n_hits, total.max()
