"""Encoding a block of `squeeze`: choose bins and contexts, then code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bits import Cursor, write_bits, write_number
from tensorcodecs.kernels.frequencies import (
    BINS_MAX,
    EACH,
    TOTAL,
    ZEROS_MAX,
    frequencies,
    group_bins,
    levels_of,
    scales_of,
    write_depths,
    write_levels,
    write_scales,
)
from tensorcodecs.kernels.memory import as_int, store
from tensorcodecs.squeeze.kernels.bins import (
    Keys,
    bin_starts,
    find_bins,
    find_fixed,
    plan_bins,
    sorted_sample,
)
from tensorcodecs.squeeze.kernels.contexts import (
    COLUMNS,
    COUNT,
    KIND,
    LEFT_SHIFT,
    SCORES,
    UP_SHIFT,
    Plan,
    plan_contexts,
    ranks_of,
)
from tensorcodecs.squeeze.kernels.streams import (
    N_STREAMS,
    STATE_BYTES,
    Steps,
    add_contexts,
    encode_steps,
    find_alone,
    find_contexts,
)

STORED, CODED = 0, 1
ORDER_SHIFT, ZEROS_SHIFT, NARROW_SHIFT = 1, 4, 5
FIXED_BITS = 6
WIDTH_BITS = 6
SHIFT_BITS = 3
SLACK_BYTES = 1 << 16
"""What coding a block may write past its raw size before it is seen not to shrink."""
_STRETCH = 4096

Sizes = npt.NDArray[np.uint64]


@kernel
def end_in_zeros(words: Keys) -> bool:
    """Return whether the lowest bit of words other than 0, by a sample, is seldom 1.

    So it is in differences of floats: multiples of what the larger one's last bit was worth.
    """
    n = 0
    n_ones = 0
    for index in range(0, words.size, max(words.size // _STRETCH, 1)):
        n += words[index] != 0
        n_ones += words[index] & np.uint32(1)
    return n > 64 and 5 * n_ones < 2 * n


@kernel
def plan_block(
    keys: Keys, bits: int, columns: Plan, effort: int, depths: Bytes, plan: Plan, context_of: Bytes
) -> tuple[float, int]:
    """Choose bins and contexts for a block; (estimated bits, number of bins).

    `columns` are the row lengths that may be meant. Fills `depths` (uint8[BINS_MAX]), `plan`
    (int64[PLAN_SIZE]; one that is made already is only tried) and `context_of` (uint8[SCORES]).
    """
    cost, n_bins = plan_bins(sorted_sample(keys, bits), keys.size, bits, depths)
    if effort > 1:
        cost = _plan_block_contexts(keys, bits, depths, n_bins, columns, cost, plan, context_of)
    return cost, n_bins


@kernel
def _plan_block_contexts(
    keys: Keys,
    bits: int,
    depths: Bytes,
    n_bins: int,
    columns: Plan,
    cost: float,
    plan: Plan,
    context_of: Bytes,
) -> float:
    """Choose contexts by a stretch from the middle of the block; the block's cost with them, in bits."""
    n = keys.size
    length = min(n, max(_STRETCH, 4 * columns.max()), 2 * _STRETCH)
    first = (n - length) // 2
    tokens = np.empty(length, np.uint8)
    counts = np.empty(BINS_MAX, np.int64)
    starts = np.empty(n_bins, np.uint32)
    levels = np.empty(n_bins, np.int64)
    groups = np.empty(n_bins, np.uint8)
    bin_starts(depths, n_bins, bits, starts)
    find_bins(keys[first : first + length], depths, starts, n_bins, bits, tokens, counts)
    levels_of(counts, n_bins, length, levels)
    n_groups = group_bins(levels, groups)
    if n_groups == 1:
        return cost
    for index in range(length):
        tokens[index] = groups[tokens[index]]
    return plan_contexts(tokens, n_groups, columns, n, cost, plan, context_of)


@kernel
def store_words(words: Keys, bits: int, out: Bytes, at: int) -> int:
    """Write the block of `words` as they are and return where it ends."""
    out[at] = STORED
    at += 1
    n_bytes = (bits + 7) // 8
    for index in range(words.size):
        for byte in range(n_bytes):
            out[at + index * n_bytes + byte] = (words[index] >> np.uint32(8 * byte)) & np.uint32(0xFF)
    return at + words.size * n_bytes


@kernel
def write_coded(
    keys: Keys,
    bits: int,
    head: int,
    depths: Bytes,
    n_bins: int,
    plan: Plan,
    context_of: Bytes,
    out: Bytes,
    at: int,
) -> int:
    """Write the block of `keys`, coded, to out[at:] and return where it ends.

    The plan is `plan_block`'s. `head` is the block's first byte: with NARROW in it, `bits` are written; with
    ZEROS, how many zeros offsets end in is coded. `out` has room for the keys as they are and SLACK_BYTES.
    """
    n = keys.size
    has_zeros = (head >> ZEROS_SHIFT) & 1
    tokens = np.empty(n, np.uint8)
    counts = np.empty(BINS_MAX, np.int64)
    starts = np.empty(n_bins, np.uint32)
    fixed = np.empty(n_bins, np.uint8)
    levels = np.empty(n_bins, np.int64)
    groups = np.empty(n_bins, np.uint8)
    bin_starts(depths, n_bins, bits, starts)
    find_bins(keys, depths, starts, n_bins, bits, tokens, counts)
    levels_of(counts, n_bins, n, levels)
    fixed[:] = 0
    n_fixed = 0
    if leave_offsets(levels, depths, fixed, bits):
        n_fixed = find_fixed(keys, tokens, counts, depths, starts, n_bins, bits, fixed)
    n_groups = group_bins(levels, groups)
    cursor = np.zeros(1, np.int64)
    cursor[0] = 8 * (at + 1)
    out[at] = head
    if head >> NARROW_SHIFT:
        write_bits(out, cursor, bits, WIDTH_BITS)
    write_depths(depths, n_bins, out, cursor)
    write_levels(levels, out, cursor)
    _write_fixed(starts, fixed, levels, depths, bits, n_fixed, out, cursor)
    steps = np.empty(n, np.uint32)
    frequency = _write_contexts(tokens, levels, groups, n_groups, plan, context_of, steps, out, cursor)
    end = write_steps(steps, frequency, out, cursor)
    if not has_zeros and not leave_offsets(levels, depths, fixed, bits):
        return end
    sizes = np.empty(n_bins, np.uint64)
    for place in range(n_bins):
        sizes[place] = bits - as_int(depths[place]) - as_int(fixed[place])
    if has_zeros:
        return _write_zeros_and_offsets(keys, tokens, starts, sizes, fixed, groups, n_groups, out, end)
    return _write_offsets(keys, tokens, starts, sizes, fixed, out, end)


@kernel
def _write_contexts(
    tokens: Bytes,
    levels: Plan,
    groups: Bytes,
    n_groups: int,
    plan: Plan,
    context_of: Bytes,
    steps: Steps,
    out: Bytes,
    cursor: Cursor,
) -> Plan:
    """Write the contexts, fill `steps`, and return the bins' frequencies (int64[contexts, bins])."""
    write_bits(out, cursor, plan[COUNT], SHIFT_BITS)
    n_contexts = 1 << plan[COUNT]
    scales = np.zeros((n_contexts, n_groups), np.int64)
    if plan[COUNT] == 0:
        find_alone(tokens, steps)
    else:
        find_contexts(tokens, ranks_of(groups), plan, context_of, steps)
        _write_plan(plan, context_of, out, cursor)
        group_counts = np.zeros((n_contexts, n_groups), np.int64)
        for step in steps:
            group_counts[(step >> np.uint32(8)) & np.uint32(0xFF), groups[step & np.uint32(0xFF)]] += 1
        scales_of(group_counts, levels, groups, scales)
        write_scales(scales, out, cursor)
    frequency = np.empty((n_contexts, levels.size), np.int64)
    for context in range(n_contexts):
        frequencies(levels, groups, scales[context], TOTAL, frequency[context])
    return frequency


@kernel
def _write_fixed(
    starts: Keys,
    fixed: Bytes,
    levels: Plan,
    depths: Bytes,
    bits: int,
    n_fixed: int,
    out: Bytes,
    cursor: Cursor,
) -> None:
    """Write, for each bin with values, how many low bits are fixed, and those."""
    write_bits(out, cursor, n_fixed > 0, 1)
    if n_fixed == 0:
        return
    for place in range(levels.size):
        if levels[place] == 0 or depths[place] == bits:
            continue
        write_bits(out, cursor, fixed[place] > 0, 1)
        if fixed[place] > 0:
            write_bits(out, cursor, fixed[place], FIXED_BITS)
            write_bits(out, cursor, as_int(starts[place]), fixed[place])


@kernel
def _write_plan(plan: Plan, context_of: Bytes, out: Bytes, cursor: Cursor) -> None:
    write_bits(out, cursor, plan[KIND], 2)
    write_bits(out, cursor, plan[LEFT_SHIFT], SHIFT_BITS)
    write_bits(out, cursor, plan[UP_SHIFT], SHIFT_BITS)
    write_number(out, cursor, plan[COLUMNS])
    context = as_int(0)
    for value in range(SCORES):
        # Unary: how many contexts further this score is.
        while context < context_of[value]:
            write_bits(out, cursor, 1, 1)
            context += 1
        write_bits(out, cursor, 0, 1)


@kernel
def write_steps(steps: Steps, frequency: Plan, out: Bytes, cursor: Cursor) -> int:
    """Write the number of coded words, the states and the words; return the next byte."""
    words = np.empty(steps.size + 1, np.uint16)
    states = np.empty(N_STREAMS, np.uint64)
    first = encode_steps(steps, frequency, words, states)
    write_number(out, cursor, words.size - first)
    at = (cursor[0] + 7) >> 3
    for stream in range(N_STREAMS):
        store(out, at, np.uint32(states[stream]))
        at += STATE_BYTES
    for index in range(first, words.size):
        store(out, at, words[index])
        at += 2
    return as_int(at)


@kernel
def leave_offsets(levels: Plan, depths: Bytes, fixed: Bytes, bits: int) -> bool:
    """Return whether any bin that has values leaves a bit of them open."""
    for place in range(levels.size):
        if levels[place] > 0 and as_int(depths[place]) + as_int(fixed[place]) < bits:
            return True
    return False


@kernel
def _write_zeros_and_offsets(
    keys: Keys,
    tokens: Bytes,
    starts: Keys,
    sizes: Sizes,
    fixed: Bytes,
    groups: Bytes,
    n_groups: int,
    out: Bytes,
    at: int,
) -> int:
    """Write how many zeros each offset ends in, coded by the bin's group, then what is left of it."""
    n = keys.size
    zeros = np.empty(n, np.uint8)
    counts = np.zeros((n_groups, ZEROS_MAX + 1), np.int64)
    for index in range(n):
        token = tokens[index]
        offset = (keys[index] ^ starts[token]) >> np.uint32(fixed[token])
        most = min(as_int(sizes[token]), ZEROS_MAX)
        count = 0
        while count < most and not (offset >> np.uint32(count)) & np.uint32(1):
            count += 1
        zeros[index] = count
        counts[groups[token], count] += 1
    cursor = np.full(1, 8 * at, np.int64)
    levels = np.empty(ZEROS_MAX + 1, np.int64)
    levels_of(counts.sum(axis=0), ZEROS_MAX + 1, n, levels)
    write_levels(levels, out, cursor)
    scales = np.empty(counts.shape, np.int64)
    scales_of(counts, levels, EACH, scales)
    write_scales(scales, out, cursor)
    frequency = np.empty(counts.shape, np.int64)
    for group in range(n_groups):
        frequencies(levels, EACH, scales[group], TOTAL, frequency[group])
    steps = np.empty(n, np.uint32)
    find_alone(zeros, steps)
    add_contexts(tokens, groups, steps)
    at = write_steps(steps, frequency, out, cursor)
    buffer = n_held = np.uint64(0)
    for index in range(n):
        token = tokens[index]
        most = min(as_int(sizes[token]), ZEROS_MAX)
        # The lowest 1 is known, too.
        taken = as_int(zeros[index]) + (zeros[index] < most)
        offset = np.uint64((keys[index] ^ starts[token]) >> np.uint32(fixed[token])) >> np.uint64(taken)
        buffer, n_held, at = _put(offset, sizes[token] - np.uint64(taken), buffer, n_held, out, at)
    return at + as_int(n_held > 0)


@kernel
def _write_offsets(
    keys: Keys, tokens: Bytes, starts: Keys, sizes: Sizes, fixed: Bytes, out: Bytes, at: int
) -> int:
    """Write what of each key its bin leaves open, in as many bits as that has; return the next byte."""
    buffer = n_held = np.uint64(0)
    for index in range(keys.size):
        token = tokens[index]
        offset = np.uint64((keys[index] ^ starts[token]) >> np.uint32(fixed[token]))
        buffer, n_held, at = _put(offset, sizes[token], buffer, n_held, out, at)
    return at + as_int(n_held > 0)


@kernel
def _put(
    offset: np.uint64, size: np.uint64, buffer: np.uint64, n_held: np.uint64, out: Bytes, at: int
) -> tuple[np.uint64, np.uint64, int]:
    """Append `size` bits, at most 32, to the buffer and write it out, but keep what is no whole byte yet."""
    buffer |= offset << n_held
    n_held += size
    store(out, at, buffer)
    at += as_int(n_held >> np.uint64(3))
    return buffer >> (n_held & ~np.uint64(7)), n_held & np.uint64(7), at
