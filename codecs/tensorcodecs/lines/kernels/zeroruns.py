"""Which words of a row a zero run-length format keeps: those that are not zero, and those that rules add.

A zero is kept, too, where a run is longer than its field can tell (a filler), and at a row's first or last
word where the format says so. Rows are powers of two of at least 16 words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import leading_zeros, population, trailing_zeros
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store

_LIKE_U32 = np.zeros(1, np.uint32)
_LIKE_U16 = np.zeros(1, np.uint16)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_ONE = np.uint64(1)


@kernel
def count_kept(
    masks: Bytes,
    row_words: int,
    period: int,
    keeps_first: bool,
    keeps_last: bool,
    counts: npt.NDArray[np.int32],
) -> None:
    """Fill `counts` (int32[blocks]) with the words that each block keeps.

    masks: `zeros.nonzero_masks` of whole blocks, and 7 bytes behind. period: zeros that make a filler, 16 or
    32.
    """
    step = min(row_words, 64)
    lanes = _ALL >> np.uint64(64 - step)
    first = np.uint64(keeps_first)
    last = np.uint64(keeps_last) << np.uint64(step - 1)
    n_steps = max(row_words >> 6, 1)
    log2_period = as_int(trailing_zeros(np.uint64(period)))
    row_steps = 8 * (masks.size - 7) // step // max(counts.size, 1)
    bit = 0
    for block in range(counts.size):
        n_kept, gap = 0, 0
        for index in range(row_steps):
            place = index & (n_steps - 1)
            mask = (load(masks, bit >> 3, LIKE_U64) >> np.uint64(bit & 7)) & lanes
            bit += step
            if place == 0:
                gap = 0
                mask |= first
            if place == n_steps - 1:
                mask |= last
            if mask == 0:
                gap += step
                continue
            low, top = as_int(trailing_zeros(mask)), 63 - as_int(leading_zeros(mask))
            n_kept += population(mask) + ((gap + low) >> log2_period)
            between = ~mask & ((_ONE << np.uint64(top)) - _ONE) & (_ALL << np.uint64(low))
            n_kept += _fillers(between, period)
            gap = step - 1 - top
        counts[block] = n_kept


@kernel
def _fillers(zeros: np.uint64, period: int) -> int:
    """Count how often `period` ones in a row fit into the runs of `zeros`."""
    run = zeros & (zeros >> _ONE)
    run &= run >> np.uint64(2)
    run &= run >> np.uint64(4)
    run &= run >> np.uint64(8)
    if period > 16:
        run &= run >> np.uint64(16)
    n = 0
    while run != 0:
        n += 1
        end = as_int(trailing_zeros(run)) + period
        run = run & (_ALL << np.uint64(end)) if end < 64 else np.uint64(0)
    return n


@kernel
def find_kept(
    raw: Bytes,
    at: int,
    word_bytes: int,
    period: int,
    keeps_first: bool,
    keeps_last: bool,
    row_words: int,
    kept: npt.NDArray[np.int32],
) -> int:
    """Fill `kept` with the places of the words that the row at byte `at` keeps; return how many."""
    n, previous = 0, -1
    for place in range(row_words):
        if (
            element(raw, at + place * word_bytes, word_bytes) != 0
            or (keeps_first and place == 0)
            or (keeps_last and place == row_words - 1)
        ):
            while place - previous > period:
                previous += period
                kept[n] = previous
                n += 1
            kept[n] = place
            n += 1
            previous = place
    return n


@kernel
def element(raw: Bytes, at: int, n_bytes: int) -> np.uint64:
    """Return the word of 1, 2 or 4 bytes at byte `at`."""
    if n_bytes == 1:
        return np.uint64(raw[at])
    if n_bytes == 2:
        return np.uint64(load(raw, at, _LIKE_U16))
    return np.uint64(load(raw, at, _LIKE_U32))


@kernel
def set_element(raw: Bytes, at: int, n_bytes: int, word: np.uint64) -> None:
    """Write `word`, 1, 2 or 4 bytes of it, at byte `at`."""
    if n_bytes == 1:
        raw[at] = np.uint8(word)
    elif n_bytes == 2:
        store(raw, at, np.uint16(word))
    else:
        store(raw, at, np.uint32(word))


@kernel
def clear(raw: Bytes) -> None:
    """Make all bytes zero."""
    for at in range(raw.size):
        raw[at] = 0
