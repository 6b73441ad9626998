"""Frequencies of bins and groups of bins, as steps of a quarter octave, and how a block states them.

A context's table is the block's own one with every group of neighbouring bins scaled: so it costs a few
numbers, however many bins there are. A decoder makes the frequencies of what is stated, the same on every
machine.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bits import (
    Cursor,
    read_bits,
    read_rice,
    unzigzag,
    write_bits,
    write_rice,
    zigzag,
)
from tensorcodecs.kernels.memory import as_int

BINS_MAX = 256
DEPTH_MAX = 20
"""No bin is told by more than this many leading bits of a key."""
TOTAL_BITS = 12
TOTAL = 1 << TOTAL_BITS
GROUPS_MAX = 32
_GROUPS_AIM = 24
_STEPS_PER_OCTAVE = 4
_LEVEL_MAX = 80
"""The level of a bin with all values; level 1 is 2 ** -19.75 of them."""
_SCALE_MAX = 60
ZEROS_MAX = 15
"""So many zeros at the end of an offset, and no more, are told."""
EACH = np.arange(ZEROS_MAX + 1, dtype=np.uint8)
"""Every number of zeros is a group of its own."""
ABSENT = -128
"""The scale of a group that does not occur in a context."""
_QUARTER_OCTAVES = (65536, 77936, 92682, 110218)

Counts = npt.NDArray[np.int64]


@kernel
def write_depths(depths: Bytes, n_bins: int, out: Bytes, cursor: Cursor) -> None:
    """Write the tree of bins in preorder: 1 for a node that is cut, 0 for a bin."""
    depth = as_int(0)
    turns = np.zeros(DEPTH_MAX + 1, np.uint8)
    for place in range(n_bins):
        while depth < depths[place]:
            write_bits(out, cursor, 1, 1)
            depth += 1
            turns[depth] = 0
        write_bits(out, cursor, 0, 1)
        while depth > 0 and turns[depth] == 1:
            depth -= 1
        turns[depth] = 1


@kernel
def read_depths(data: Bytes, cursor: Cursor, bits: int, depths: Bytes) -> int:
    """Undo `write_depths`: fill `depths` and return the number of bins, or -1 for an illegal tree."""
    depth = as_int(0)
    n_bins = 0
    depth_max = min(bits, DEPTH_MAX)
    turns = np.zeros(DEPTH_MAX + 1, np.uint8)
    while True:
        while read_bits(data, cursor, 1):
            depth += 1
            if depth > depth_max:
                return -1
            turns[depth] = 0
        if n_bins == BINS_MAX:
            return -1
        depths[n_bins] = depth
        n_bins += 1
        while depth > 0 and turns[depth] == 1:
            depth -= 1
        if depth == 0:
            return n_bins
        turns[depth] = 1


@kernel
def levels_of(counts: Counts, n_bins: int, n: int, levels: Counts) -> None:
    """Fill `levels`: 0 for a bin without values, else its share of `n` in quarter octaves."""
    for place in range(n_bins):
        levels[place] = 0
        if counts[place] > 0:
            octaves = math.log2(counts[place] / n)
            levels[place] = max(1, _LEVEL_MAX + round(_STEPS_PER_OCTAVE * octaves))


@kernel
def write_levels(levels: Counts, out: Bytes, cursor: Cursor) -> None:
    """Write the levels, each as its difference from the last bin's that has values."""
    values = np.empty(levels.size, np.int64)
    last = _LEVEL_MAX
    for place in range(levels.size):
        values[place] = 0
        if levels[place] > 0:
            values[place] = 1 + zigzag(levels[place] - last)
            last = levels[place]
    write_rice(out, cursor, values)


@kernel
def read_levels(data: Bytes, cursor: Cursor, levels: Counts) -> bool:
    """Undo `write_levels`: fill `levels`; False where they are not legal."""
    read_rice(data, cursor, levels)
    last = as_int(_LEVEL_MAX)
    n_live = 0
    for place in range(levels.size):
        if levels[place] > 0:
            last += unzigzag(levels[place] - 1)
            if last < 1 or last > _LEVEL_MAX:
                return False
            levels[place] = last
            n_live += 1
    return n_live > 0


@kernel
def weight(level: int) -> int:
    """Return 2 ** (level / 4), times 2 ** 16 over what levels below 1 lose."""
    shift = level // _STEPS_PER_OCTAVE
    mantissa = as_int(_QUARTER_OCTAVES[level % _STEPS_PER_OCTAVE])
    # 2 ** 16 * 2 ** 20 for the level of all values; a context's scale moves it by 2 ** 15 at most.
    return mantissa << min(shift, 40) if shift >= 0 else mantissa >> min(-shift, 62)


@kernel
def group_bins(levels: Counts, groups: Bytes) -> int:
    """Fill `groups` with the group of each bin, neighbours of about equal weight; return their number."""
    total = as_int(0)
    for level in levels:
        if level > 0:
            total += weight(level)
    group = 0
    sum_of_group = as_int(0)
    for place in range(levels.size):
        if sum_of_group * _GROUPS_AIM >= total:
            group += 1
            sum_of_group = 0
        groups[place] = group
        if levels[place] > 0:
            sum_of_group += weight(levels[place])
    return group + 1


@kernel
def scales_of(group_counts: Counts, levels: Counts, groups: Bytes, scales: Counts) -> None:
    """Fill `scales` (int64[contexts, groups]): what the context makes of the group's share, or ABSENT."""
    shares = np.zeros(scales.shape[1], np.float64)
    for place in range(levels.size):
        if levels[place] > 0:
            shares[groups[place]] += weight(levels[place])
    shares /= shares.sum()
    for context in range(scales.shape[0]):
        n = group_counts[context].sum()
        for group in range(scales.shape[1]):
            count = group_counts[context, group]
            scales[context, group] = ABSENT
            if count > 0:
                octaves = math.log2(count / n / shares[group])
                step = round(_STEPS_PER_OCTAVE * octaves)
                scales[context, group] = min(max(step, -_SCALE_MAX), _SCALE_MAX)


@kernel
def write_scales(scales: Counts, out: Bytes, cursor: Cursor) -> None:
    """Write the scales, each as its difference from the same group's in the context before."""
    values = np.empty(scales.size, np.int64)
    last = np.zeros(scales.shape[1], np.int64)
    at = 0
    for context in range(scales.shape[0]):
        for group in range(scales.shape[1]):
            values[at] = 0
            if scales[context, group] != ABSENT:
                values[at] = 1 + zigzag(scales[context, group] - last[group])
                last[group] = scales[context, group]
            at += 1
    write_rice(out, cursor, values)


@kernel
def read_scales(data: Bytes, cursor: Cursor, scales: Counts) -> bool:
    """Undo `write_scales`: fill `scales`; False where they are not legal."""
    values = np.empty(scales.size, np.int64)
    read_rice(data, cursor, values)
    last = np.zeros(scales.shape[1], np.int64)
    at = 0
    for context in range(scales.shape[0]):
        for group in range(scales.shape[1]):
            scales[context, group] = ABSENT
            if values[at] > 0:
                last[group] += unzigzag(values[at] - 1)
                if abs(last[group]) > _SCALE_MAX:
                    return False
                scales[context, group] = last[group]
            at += 1
    return True


@kernel
def frequencies(levels: Counts, groups: Bytes, scales: Counts, total: int, frequency: Counts) -> None:
    """Fill `frequency` (int64[bins]) with one context's, which sum to `total`; 0 for what does not occur.

    `scales` is the context's row; where all groups are absent, the block's own frequencies hold.
    """
    weights = np.zeros(levels.size, np.int64)
    sum_of_weights = as_int(0)
    is_empty = scales.max() == ABSENT
    for place in range(levels.size):
        scale = 0 if is_empty else scales[groups[place]]
        if levels[place] > 0 and scale != ABSENT:
            weights[place] = max(weight(levels[place] + scale), 1)
            sum_of_weights += weights[place]
    left = as_int(total)
    largest = 0
    for place in range(levels.size):
        frequency[place] = 0
        if weights[place] > 0:
            frequency[place] = max(1, int(weights[place] / sum_of_weights * total + 0.5))
            left -= frequency[place]
            if frequency[place] > frequency[largest]:
                largest = place
    while frequency[largest] + left < 1:
        # So many rare bins that the largest cannot pay for all: the others pay in turn.
        for place in range(levels.size):
            if frequency[place] > 1 and left < 0:
                frequency[place] -= 1
                left += 1
    frequency[largest] += left
