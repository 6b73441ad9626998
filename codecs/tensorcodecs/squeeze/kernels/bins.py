"""Dyadic bins of keys: intervals [p * 2^k, (p + 1) * 2^k) that are narrow where values are dense.

A key is split into the number of its bin, which is entropy coded, and its offset in the bin, which is
stored as it is. The bins are the leaves of a binary tree over the keys' bits, cut where coding a sample of
the keys costs least. As in pcodec, they follow the distribution whatever the number format is.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.frequencies import BINS_MAX, DEPTH_MAX
from tensorcodecs.kernels.memory import as_int

_FIRST_BITS, _FIRST_BITS_OF_MANY = 12, 16
"""A bin is looked up by so many leading bits of a key; where those are not enough, then by the next ones."""
_MANY = 1 << 14
SAMPLE_MAX = 4096
_BIN_BITS = 6.0
"""What describing one more bin costs, about."""
_FIXED_COUNT_MIN = 3
_LONELY_COUNT_MIN = 8
_CUT_COUNT_MAX = 32
"""So many keys of a sample are always looked at more closely; fewer where most of it is one value."""

Keys = npt.NDArray[np.uint32]


@kernel
def sorted_sample(keys: Keys, bits: int) -> Keys:
    """Return every n-th key, at most SAMPLE_MAX of them, ascending (radix sort by bytes)."""
    step = (keys.size + SAMPLE_MAX - 1) // SAMPLE_MAX
    n = keys.size // step
    sample = np.empty(n, np.uint32)
    other = np.empty(n, np.uint32)
    # Scattered (Knuth's multiplicative hash): rows and columns must not beat with the step.
    for index in range(n):
        sample[index] = keys[index * step + ((index * 2654435761) >> 16) % step]
    starts = np.empty(256, np.int64)
    for shift in range(0, bits, 8):
        starts[:] = 0
        for key in sample:
            starts[(key >> np.uint32(shift)) & np.uint32(255)] += 1
        at = 0
        for digit in range(256):
            count = starts[digit]
            starts[digit] = at
            at += count
        for key in sample:
            low = (key >> np.uint32(shift)) & np.uint32(255)
            other[starts[low]] = key
            starts[low] += 1
        sample, other = other, sample
    return sample


@kernel
def plan_bins(sample: Keys, n: int, bits: int, depths: Bytes) -> tuple[float, int]:
    """Fill `depths` with the leading bits of each bin, ascending by key; (estimated bits of n keys, bins).

    The bins cover all keys of `bits` bits; `depths` has room for BINS_MAX.
    """
    scratch = np.empty(8 * sample.size + 64, np.uint8)
    bin_bits = _BIN_BITS
    scale = n / sample.size
    n_others = np.count_nonzero(sample != sample[sample.size // 2])
    count_min = min(max(as_int(n_others) // 64, _LONELY_COUNT_MIN), _CUT_COUNT_MAX)
    while True:
        cost, n_bins = _cut(sample, bits, scale, bin_bits, count_min, scratch)
        if n_bins <= BINS_MAX:
            break
        bin_bits *= 2
    depths[:n_bins] = scratch[:n_bins]
    return cost, n_bins


@kernel
def _cut(
    sample: Keys, bits: int, scale: float, bin_bits: float, count_min: int, out: Bytes
) -> tuple[float, int]:
    """Write the depths of the best bins of the whole sample to `out`; (cost in bits, number of bins).

    A walk over the tree of prefixes, depth first, without recursion, which numba's cache does not survive.
    """
    low = np.zeros(DEPTH_MAX + 2, np.int64)
    high = np.zeros(DEPTH_MAX + 2, np.int64)
    first_bin = np.zeros(DEPTH_MAX + 2, np.int64)
    whole = np.zeros(DEPTH_MAX + 2, np.float64)
    left = np.full(DEPTH_MAX + 2, -1.0)
    high[0] = sample.size
    n_bins = 0
    depth = 0
    while True:
        first_bin[depth] = n_bins
        cost, is_cut = _whole_bin(sample, low[depth], high[depth], depth, bits, scale, bin_bits, count_min)
        if is_cut:
            whole[depth] = cost
            left[depth] = -1.0
            low[depth + 1] = low[depth]
            high[depth + 1] = _first_with_bit(sample, low[depth], high[depth], bits - depth - 1)
            depth += 1
            continue
        out[n_bins] = depth
        n_bins += 1
        # Back up as long as both halves are known; then on to a right half.
        while depth > 0 and left[depth - 1] >= 0:
            depth -= 1
            cost += left[depth]
            # A cut that a sample suggests by chance gains about a bit for each key that one of it stands for.
            if cost + scale >= whole[depth]:
                cost = whole[depth]
                n_bins = first_bin[depth] + 1
                out[n_bins - 1] = depth
        if depth == 0:
            return cost, n_bins
        left[depth - 1] = cost
        low[depth] = high[depth]
        high[depth] = high[depth - 1]


@kernel
def _whole_bin(
    sample: Keys, low: int, high: int, depth: int, bits: int, scale: float, bin_bits: float, count_min: int
) -> tuple[float, bool]:
    """Return the bits of sample[low:high] in one bin, and whether it may be worth cutting."""
    count = high - low
    if count == 0:
        return 2.0, False
    rest = bits - depth
    fixed = _fixed_bits(sample, low, high, rest) if count >= _FIXED_COUNT_MIN else 0
    cost = scale * count * (math.log2(sample.size / count) + rest - fixed) + bin_bits
    if rest == 0 or depth == DEPTH_MAX or count < _LONELY_COUNT_MIN:
        return cost, False
    if fixed == rest:
        # All of one value, as far as the sample knows: narrow it down, lest a stranger costs all low bits.
        return (np.inf, True) if scale > 1.0 else (cost, False)
    middle = (low + high) // 2
    return cost, count >= count_min or sample[middle - 1] == sample[middle]


@kernel
def _first_with_bit(sample: Keys, low: int, high: int, place: int) -> int:
    """Return where in sample[low:high], which is sorted, bit `place` becomes 1."""
    bit = np.uint32(1 << place)
    while low < high:
        middle = (low + high) // 2
        if sample[middle] & bit:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def _fixed_bits(sample: Keys, low: int, high: int, rest: int) -> int:
    """How many of the lowest `rest` bits are the same in all of sample[low:high], from bit 0 on."""
    differ = np.uint32(0)
    for index in range(low + 1, high):
        differ |= sample[index] ^ sample[low]
        if differ & np.uint32(1):
            return 0
    fixed = 0
    while fixed < rest and not (differ >> np.uint32(fixed)) & np.uint32(1):
        fixed += 1
    return fixed


@kernel
def bin_starts(depths: Bytes, n_bins: int, bits: int, starts: Keys) -> bool:
    """Fill `starts` with the first key of every bin; False where the bins do not cover all keys."""
    at = as_int(0)
    end = as_int(1) << bits
    for place in range(n_bins):
        if depths[place] > min(bits, DEPTH_MAX) or at >= end:
            return False
        starts[place] = at
        width = as_int(1) << (bits - as_int(depths[place]))
        if at & (width - 1):
            return False
        at += width
    return at == end


@kernel
def find_bins(
    keys: Keys,
    depths: Bytes,
    starts: Keys,
    n_bins: int,
    bits: int,
    tokens: Bytes,
    counts: npt.NDArray[np.int64],
) -> None:
    """Fill `tokens` with the bin of every key, and `counts` (int64[BINS_MAX])."""
    first_bits = min(bits, _FIRST_BITS_OF_MANY if keys.size >= _MANY else _FIRST_BITS)
    shift = bits - first_bits
    second_bits = min(DEPTH_MAX - first_bits, shift)
    first = np.empty(1 << first_bits, np.uint16)
    second = np.empty((n_bins, 1 << second_bits), np.uint8)
    n_seconds = 0
    for place in range(n_bins):
        cell = as_int(starts[place]) >> shift
        depth = as_int(depths[place])
        if depth <= first_bits:
            first[cell : cell + (1 << (first_bits - depth))] = place
        else:
            within = (as_int(starts[place]) >> (shift - second_bits)) & ((1 << second_bits) - 1)
            if within == 0:
                first[cell] = BINS_MAX + n_seconds
                n_seconds += 1
            second[n_seconds - 1, within : within + (1 << (first_bits + second_bits - depth))] = place
    counts[:] = 0
    low = np.uint32(shift - second_bits)
    mask = np.uint32((1 << second_bits) - 1)
    for index in range(keys.size):
        key = keys[index]
        token = first[key >> np.uint32(shift)]
        if token >= BINS_MAX:
            token = np.uint16(second[token - BINS_MAX, (key >> low) & mask])
        tokens[index] = token
        counts[token] += 1


@kernel
def find_fixed(
    keys: Keys,
    tokens: Bytes,
    counts: npt.NDArray[np.int64],
    depths: Bytes,
    starts: Keys,
    n_bins: int,
    bits: int,
    fixed: Bytes,
) -> int:
    """Fill `fixed` with how many low bits all keys of a bin share, and put those into `starts`.

    Returns the number of bins that have such bits.
    """
    same = np.full(n_bins, 0xFFFFFFFF, np.uint32)
    seen = np.zeros(n_bins, np.uint32)
    for index in range(keys.size):
        token = tokens[index]
        same[token] &= keys[index]
        seen[token] |= keys[index]
    n_fixed = 0
    for place in range(n_bins):
        fixed[place] = 0
        if counts[place] < _FIXED_COUNT_MIN:
            continue
        differ = same[place] ^ seen[place]
        while fixed[place] < bits - depths[place] and not (differ >> np.uint32(fixed[place])) & np.uint32(1):
            fixed[place] += 1
        starts[place] |= seen[place] & np.uint32((as_int(1) << as_int(fixed[place])) - 1)
        n_fixed += fixed[place] > 0
    return n_fixed
