"""Decoding a block of `squeeze`. Nothing that the block says is believed unchecked."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bits import Cursor, read_bits, read_number
from tensorcodecs.kernels.frequencies import (
    BINS_MAX,
    EACH,
    TOTAL,
    ZEROS_MAX,
    frequencies,
    group_bins,
    read_depths,
    read_levels,
    read_scales,
)
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load
from tensorcodecs.squeeze.kernels.bins import Keys, bin_starts
from tensorcodecs.squeeze.kernels.contexts import (
    COLUMNS,
    COUNT,
    KIND,
    LEFT_SHIFT,
    PLAN_SIZE,
    SCORES,
    UP_SHIFT,
    Plan,
    ranks_of,
)
from tensorcodecs.squeeze.kernels.encode import (
    FIXED_BITS,
    NARROW_SHIFT,
    ORDER_SHIFT,
    SHIFT_BITS,
    STORED,
    WIDTH_BITS,
    ZEROS_SHIFT,
    leave_offsets,
)
from tensorcodecs.squeeze.kernels.keys import N_ORDERS, from_keys
from tensorcodecs.squeeze.kernels.streams import (
    N_STREAMS,
    PADDING_WORDS,
    STATE_BYTES,
    States,
    Steps,
    Words,
    decode_alone,
    decode_given,
    decode_steps,
    decoding_table,
)

_ORDER_MASK = 7


@kernel
def _read_fixed(
    data: Bytes, cursor: Cursor, levels: Plan, depths: Bytes, bits: int, starts: Keys, fixed: Bytes
) -> bool:
    """Undo `_write_fixed`; False where more bits are fixed than a bin has."""
    fixed[:] = 0
    if not read_bits(data, cursor, 1):
        return True
    for place in range(levels.size):
        if levels[place] == 0 or depths[place] == bits or not read_bits(data, cursor, 1):
            continue
        fixed[place] = read_bits(data, cursor, FIXED_BITS)
        if fixed[place] > bits - depths[place]:
            return False
        starts[place] |= np.uint32(read_bits(data, cursor, fixed[place]))
    return True


@kernel
def _read_plan(data: Bytes, cursor: Cursor, n: int, plan: Plan, context_of: Bytes) -> bool:
    """Undo `_write_plan`; False where it is not legal."""
    plan[KIND] = read_bits(data, cursor, 2)
    plan[LEFT_SHIFT] = read_bits(data, cursor, SHIFT_BITS)
    plan[UP_SHIFT] = read_bits(data, cursor, SHIFT_BITS)
    plan[COLUMNS] = read_number(data, cursor)
    if plan[COLUMNS] < 1 or plan[COLUMNS] > n:
        return False
    context = as_int(0)
    for value in range(SCORES):
        while read_bits(data, cursor, 1):
            context += 1
            if context >= 1 << plan[COUNT]:
                return False
        context_of[value] = context
    return True


@kernel
def decode_block(data: Bytes, at: int, bits: int, words: Keys) -> int:
    """Fill `words` from the block at data[at:]; return where it ends, or -1 where it is not valid."""
    if at >= data.size or (data[at] >> ORDER_SHIFT) & _ORDER_MASK >= N_ORDERS or data[at] >> NARROW_SHIFT > 1:
        return -1
    n = words.size
    if data[at] & 1 == STORED:
        return _read_stored(data, at + 1, bits, words)
    order = as_int((data[at] >> ORDER_SHIFT) & _ORDER_MASK)
    has_zeros = (data[at] >> ZEROS_SHIFT) & 1
    word_bits = bits
    depths = np.empty(BINS_MAX, np.uint8)
    context_of = np.zeros(SCORES, np.uint8)
    plan = np.zeros(PLAN_SIZE, np.int64)
    cursor = np.zeros(1, np.int64)
    cursor[0] = 8 * (at + 1)
    if data[at] >> NARROW_SHIFT:
        bits = as_int(read_bits(data, cursor, WIDTH_BITS))
        if bits < 1 or bits > word_bits:
            return -1
    n_bins = read_depths(data, cursor, bits, depths)
    if n_bins < 0:
        return -1
    starts = np.empty(n_bins, np.uint32)
    levels = np.empty(n_bins, np.int64)
    fixed = np.empty(n_bins, np.uint8)
    groups = np.empty(n_bins, np.uint8)
    if not bin_starts(depths, n_bins, bits, starts) or not read_levels(data, cursor, levels):
        return -1
    if not _read_fixed(data, cursor, levels, depths, bits, starts, fixed):
        return -1
    n_groups = group_bins(levels, groups)
    plan[COUNT] = read_bits(data, cursor, SHIFT_BITS)
    plan[COLUMNS] = n
    scales = np.zeros((1 << plan[COUNT], n_groups), np.int64)
    if plan[COUNT] > 0 and not (
        _read_plan(data, cursor, n, plan, context_of) and read_scales(data, cursor, scales)
    ):
        return -1
    frequency = np.empty((scales.shape[0], n_bins), np.int64)
    for context in range(scales.shape[0]):
        frequencies(levels, groups, scales[context], TOTAL, frequency[context])
    tokens = np.empty(n, np.uint8)
    at = _read_steps(data, cursor, decoding_table(frequency), groups, plan, context_of, tokens)
    zeros = np.zeros(n if has_zeros else 1, np.uint8)
    if at >= 0 and has_zeros:
        at = _read_zeros(data, at, tokens, groups, n_groups, zeros)
    if at < 0:
        return -1
    if has_zeros or leave_offsets(levels, depths, fixed, bits):
        at = _read_offsets(data, at, tokens, zeros, starts, depths, fixed, bits, words)
    else:
        for index in range(n):
            words[index] = starts[tokens[index]]
    from_keys(words, order, word_bits, words)
    return at


@kernel
def _read_stored(data: Bytes, at: int, bits: int, words: Keys) -> int:
    """Undo `store_words`; -1 where `data` ends too early."""
    n_bytes = (bits + 7) // 8
    if at + words.size * n_bytes > data.size:
        return -1
    for index in range(words.size):
        word = np.uint32(0)
        for byte in range(n_bytes):
            word |= np.uint32(data[at + index * n_bytes + byte]) << np.uint32(8 * byte)
        words[index] = word
    return at + words.size * n_bytes


@kernel
def read_words(data: Bytes, cursor: Cursor, n: int, states: States) -> Words:
    """Return the words of `write_steps`, padded, and fill `states`; none where they are not valid."""
    n_words = read_number(data, cursor)
    at = (cursor[0] + 7) >> 3
    if n_words > n or at + N_STREAMS * STATE_BYTES + 2 * n_words > data.size:
        return np.empty(0, np.uint16)
    for stream in range(N_STREAMS):
        state = as_int(0)
        for byte in range(STATE_BYTES):
            state |= as_int(data[at + byte]) << (8 * byte)
        states[stream] = state & 0x7FFFFFFF
        at += STATE_BYTES
    words = np.zeros(n_words + PADDING_WORDS, np.uint16)
    for index in range(n_words):
        words[index] = np.uint16(data[at + 2 * index]) | np.uint16(data[at + 2 * index + 1]) << 8
    cursor[0] = 8 * (at + 2 * n_words)
    return words


@kernel
def _read_steps(
    data: Bytes, cursor: Cursor, table: Steps, groups: Bytes, plan: Plan, context_of: Bytes, tokens: Bytes
) -> int:
    """Fill `tokens` from what `write_steps` wrote; the next byte, or -1 where that is not valid."""
    states = np.empty(N_STREAMS, np.uint64)
    words = read_words(data, cursor, tokens.size, states)
    if words.size == 0:
        return -1
    if plan[COUNT] == 0:
        is_valid = decode_alone(words, states, table, tokens)
    else:
        is_valid = decode_steps(words, states, table, ranks_of(groups), plan, context_of, tokens)
    return as_int(cursor[0] >> 3) if is_valid else -1


@kernel
def _read_zeros(data: Bytes, at: int, tokens: Bytes, groups: Bytes, n_groups: int, zeros: Bytes) -> int:
    """Undo `_write_zeros`: fill `zeros`; the next byte, or -1 where that is not valid."""
    cursor = np.full(1, 8 * at, np.int64)
    levels = np.empty(ZEROS_MAX + 1, np.int64)
    scales = np.empty((n_groups, ZEROS_MAX + 1), np.int64)
    if not read_levels(data, cursor, levels) or not read_scales(data, cursor, scales):
        return -1
    frequency = np.empty(scales.shape, np.int64)
    for group in range(n_groups):
        frequencies(levels, EACH, scales[group], TOTAL, frequency[group])
    states = np.empty(N_STREAMS, np.uint64)
    words = read_words(data, cursor, zeros.size, states)
    if words.size == 0 or not decode_given(words, states, decoding_table(frequency), tokens, groups, zeros):
        return -1
    return as_int(cursor[0] >> 3)


@kernel
def _read_offsets(
    data: Bytes,
    at: int,
    tokens: Bytes,
    zeros: Bytes,
    starts: Keys,
    depths: Bytes,
    fixed: Bytes,
    bits: int,
    keys: Keys,
) -> int:
    """Undo `_write_offsets`: fill `keys`; the next byte, or -1 where `data` ends too early.

    `zeros` holds how many zeros each offset ends in, or is of size 1 where the block does not say.
    """
    sizes = np.zeros(BINS_MAX, np.int64)
    shifts = np.zeros(BINS_MAX, np.uint64)
    firsts = np.zeros(BINS_MAX, np.uint32)
    for place in range(starts.size):
        sizes[place] = bits - as_int(depths[place]) - as_int(fixed[place])
        shifts[place] = fixed[place]
        firsts[place] = starts[place]
    bit = as_int(at) * 8
    last_bit = (as_int(data.size) - 8) * 8
    for index in range(keys.size):
        token = tokens[index]
        size = sizes[token]
        shift = shifts[token]
        lowest = np.uint64(0)
        if zeros.size > 1:
            most = min(size, ZEROS_MAX)
            count = min(as_int(zeros[index]), most)
            lowest = np.uint64(count < most) << (shift + np.uint64(count))
            size -= count + (count < most)
            shift += np.uint64(count + (count < most))
        offset = load(data, bit >> 3, LIKE_U64) if bit <= last_bit else _load_end(data, bit >> 3)
        offset = (offset >> np.uint64(bit & 7)) & ((np.uint64(1) << np.uint64(size)) - np.uint64(1))
        bit += size
        keys[index] = firsts[token] | np.uint32(offset << shift | lowest)
    end = (bit + 7) >> 3
    return -1 if end > data.size else end


@kernel
def _load_end(data: Bytes, at: int) -> np.uint64:
    """Return five bytes from `at` on, zeros behind the end."""
    word = np.uint64(0)
    for ahead in range(5):
        if at + ahead < data.size:
            word |= np.uint64(data[at + ahead]) << np.uint64(8 * ahead)
    return word
