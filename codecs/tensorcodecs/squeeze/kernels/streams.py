"""Interleaved range ANS over the bins of a block, each coded with the table of its context.

Duda, Asymmetric numeral systems, 2013; interleaved as in Giesen, 2014. Four states take turns, each on a
part of the block of its own: stripes of columns where rows are long, else stretches of rows. So a decoder
follows four chains of dependent steps at once, and every context is known when it is needed. What is left
over, of a row or of all rows, goes to the first state.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.frequencies import TOTAL, TOTAL_BITS
from tensorcodecs.kernels.memory import as_index, as_int
from tensorcodecs.squeeze.kernels.contexts import (
    COLUMNS,
    KIND,
    LEFT_SHIFT,
    SCORE_SHIFT,
    SCORE_WEIGHTS,
    UP_SHIFT,
    Plan,
    left_weight,
)

N_STREAMS = 4
STATE_MIN = 1 << 15
STATE_BYTES = 4
PADDING_WORDS = 8
"""Words that a decoder may look at behind the last one."""
_STRIPED_COLUMNS_MIN = 64 * N_STREAMS
_STATE_MIN = np.uint64(STATE_MIN)
_RENORM_SHIFT = np.uint64(15 - TOTAL_BITS + 16)
_FOUR = np.uint64(4)
_SIXTEEN = np.uint64(16)
_ONE = np.uint64(1)
_TOTAL = np.uint64(TOTAL)
_SLOT = np.uint64(TOTAL - 1)
_TOTAL_BITS = np.uint64(TOTAL_BITS)
_PLACE = np.uint32(TOTAL - 1)
_FREQUENCY_SHIFT = np.uint32(20)
_PLACE_SHIFT = np.uint32(8)
_LOW_BYTE = np.uint32(0xFF)

Indices = npt.NDArray[np.int64]
Means = npt.NDArray[np.int32]
Steps = npt.NDArray[np.uint32]
States = npt.NDArray[np.uint64]
Words = npt.NDArray[np.uint16]


@kernel
def place_streams(n: int, columns: int) -> tuple[int, int, int, int]:
    """Return how four streams share `n` values in rows of `columns`.

    The length of a stream's run, the number of its runs, which begin one row apart, from one stream's values
    to the next stream's, and from one stream's means of columns to the next one's.
    """
    n_rows = n // columns
    if columns >= _STRIPED_COLUMNS_MIN:
        width = columns // N_STREAMS
        return width, n_rows, width, width
    n_runs = n_rows // N_STREAMS
    return columns, n_runs, n_runs * columns, columns


class Walk(NamedTuple):
    """What finding contexts needs, besides where a value is and the mean on its left."""

    tokens: Bytes
    ranks: Indices
    """The groups of the bins, times 2 ** RANK_SHIFT: int64[256]."""
    ups: Means
    """The mean of every column, for each stream."""
    context_of: Bytes
    on_left: int
    on_up: int
    left_shift: int
    up_shift: int


@kernel
def _walk(tokens: Bytes, ranks: Indices, plan: Plan, context_of: Bytes) -> Walk:
    ups = np.zeros(plan[COLUMNS] * N_STREAMS, np.int32)
    on_left = left_weight(plan[KIND])
    on_up = SCORE_WEIGHTS - on_left
    return Walk(tokens, ranks, ups, context_of, on_left, on_up, plan[LEFT_SHIFT], plan[UP_SHIFT])


@kernel
def _find_one(at: int, column: int, left: int, step: int, walk: Walk, steps: Steps) -> int:
    """Put down context and bin of the value at `at` as a step, and return the new mean on the left."""
    token = walk.tokens[as_index(at)]
    up = as_int(walk.ups[as_index(column)])
    score = (walk.on_left * left + walk.on_up * up) >> SCORE_SHIFT
    rank = walk.ranks[token]
    steps[as_index(step)] = np.uint32(walk.context_of[as_index(score)]) << _PLACE_SHIFT | np.uint32(token)
    walk.ups[as_index(column)] = up + ((rank - up) >> walk.up_shift)
    return as_int(left + ((rank - left) >> walk.left_shift))


@kernel
def find_contexts(tokens: Bytes, ranks: Indices, plan: Plan, context_of: Bytes, steps: Steps) -> None:
    """Fill `steps` (uint32[n]) with stream << 16 | context << 8 | bin, in the order of decoding."""
    columns = plan[COLUMNS]
    walk = _walk(tokens, ranks, plan, context_of)
    run, n_runs, apart, means_apart = place_streams(tokens.size, columns)
    left_0, left_1, left_2, left_3 = as_int(0), as_int(0), as_int(0), as_int(0)
    step = 0
    at = 0
    for turn in range(n_runs):
        at = turn * columns
        for column in range(run):
            left_0 = _find_one(at, column, left_0, step, walk, steps)
            left_1 = _find_one(at + apart, means_apart + column, left_1, step + 1, walk, steps)
            left_2 = _find_one(at + 2 * apart, 2 * means_apart + column, left_2, step + 2, walk, steps)
            left_3 = _find_one(at + 3 * apart, 3 * means_apart + column, left_3, step + 3, walk, steps)
            steps[step + 1] |= np.uint32(1 << 16)
            steps[step + 2] |= np.uint32(2 << 16)
            steps[step + 3] |= np.uint32(3 << 16)
            step += N_STREAMS
            at += 1
        at += 3 * apart
        if run < columns:
            for column in range(N_STREAMS * run, columns):
                left_0 = _find_one(at, column, left_0, step, walk, steps)
                step += 1
                at += 1
    for last in range(at, tokens.size):
        left_0 = _find_one(last, last % columns, left_0, step, walk, steps)
        step += 1


@kernel
def find_alone(tokens: Bytes, steps: Steps) -> None:
    """Fill `steps` as `find_contexts` does, all of one context and in one row."""
    run, n_runs, apart, _ = place_streams(tokens.size, tokens.size)
    step = 0
    for at in range(run * n_runs):
        for stream in range(N_STREAMS):
            steps[step] = np.uint32(stream << 16) | np.uint32(tokens[at + stream * apart])
            step += 1
    for last in range(step, tokens.size):
        steps[last] = tokens[last]


@kernel
def add_contexts(tokens: Bytes, groups: Bytes, steps: Steps) -> None:
    """Give each of `steps`, in the order of `find_alone`, the group of the bin beside it as its context."""
    others = np.empty(steps.size, np.uint32)
    find_alone(tokens, others)
    for index in range(steps.size):
        steps[index] |= np.uint32(groups[others[index] & _LOW_BYTE]) << _PLACE_SHIFT


@kernel
def encode_steps(steps: Steps, frequency: Indices, words: Words, states: States) -> int:
    """Code `steps` from the last on, into `words` from the end down; return the first word used.

    `frequency` (int64[contexts, bins]) sums to TOTAL in each context. `states` (uint64[N_STREAMS]) are what
    a decoder begins with. `words` has room for the steps and one more.
    """
    table = _encoding_table(frequency)
    states[:] = STATE_MIN
    at = words.size
    for index in range(steps.size - 1, -1, -1):
        step = steps[index]
        stream = step >> np.uint32(16)
        row = step & np.uint32(0xFFFF)
        state = states[stream]
        count = table[row, 0]
        # Written always, counted only when it is due: no branch to mispredict.
        is_due = np.uint64(state >= count << _RENORM_SHIFT)
        words[at - 1] = np.uint16(state & np.uint64(0xFFFF))
        at -= as_int(is_due)
        state >>= is_due << _FOUR
        quotient = (state * table[row, 2]) >> table[row, 3]
        states[stream] = state + quotient * (_TOTAL - count) + table[row, 1]
    return at


@kernel
def _encoding_table(frequency: Indices) -> States:
    """Return for context << 8 | bin: frequency, first slot, and a reciprocal with its shift.

    Multiplying by the reciprocal divides any 31-bit state exactly.
    """
    table = np.zeros((frequency.shape[0] << 8, 4), np.uint64)
    for context in range(frequency.shape[0]):
        first = as_int(0)
        for place in range(frequency.shape[1]):
            count = frequency[context, place]
            if count > 0:
                shift = as_int(0)
                while (as_int(1) << shift) < count:
                    shift += 1
                row = context << 8 | place
                table[row, 0] = count
                table[row, 1] = first
                table[row, 2] = ((as_int(1) << (31 + shift)) + count - 1) // count
                table[row, 3] = 31 + shift
            first += count
    return table


@kernel
def decoding_table(frequency: Indices) -> Steps:
    """Return, for every context and slot, (frequency - 1) << 20 | slot's place in it << 8 | bin."""
    table = np.empty(frequency.shape[0] << TOTAL_BITS, np.uint32)
    for context in range(frequency.shape[0]):
        at = context << TOTAL_BITS
        for place in range(frequency.shape[1]):
            count = frequency[context, place]
            head = ((count - 1) << 20) | place
            for slot in range(count):
                table[at + slot] = np.uint32(head | slot << 8)
            at += count
    return table


@kernel
def _decode_one(state: np.uint64, words: Words, position: int, entry: np.uint32) -> tuple[np.uint64, int]:
    """Return the state behind the bin of `entry`, and the next word's position."""
    state = (np.uint64(entry >> _FREQUENCY_SHIFT) + _ONE) * (state >> _TOTAL_BITS)
    state += np.uint64((entry >> _PLACE_SHIFT) & _PLACE)
    is_low = np.uint64(state < _STATE_MIN)
    state = state << (is_low << _FOUR) | (np.uint64(words[as_index(position)]) * is_low)
    return state, position + as_int(is_low)


@kernel
def _decode_in_context(
    at: int, column: int, left: int, state: np.uint64, position: int, walk: Walk, words: Words, table: Steps
) -> tuple[int, np.uint64, int]:
    """Decode the bin at `at`; the new mean on the left, state and position."""
    up = as_int(walk.ups[as_index(column)])
    score = (walk.on_left * left + walk.on_up * up) >> SCORE_SHIFT
    entry = table[np.uint64(walk.context_of[as_index(score)]) << _TOTAL_BITS | state & _SLOT]
    token = np.uint8(entry & _LOW_BYTE)
    walk.tokens[as_index(at)] = token
    rank = walk.ranks[token]
    walk.ups[as_index(column)] = up + ((rank - up) >> walk.up_shift)
    state, position = _decode_one(state, words, position, entry)
    return left + ((rank - left) >> walk.left_shift), state, position


@kernel
def decode_steps(
    words: Words, states: States, table: Steps, ranks: Indices, plan: Plan, context_of: Bytes, tokens: Bytes
) -> bool:
    """Fill `tokens`; False where the words do not end with the last of them, as an encoder's do.

    `words` has PADDING_WORDS behind its last one; otherwise as in `find_contexts`.
    """
    columns = plan[COLUMNS]
    walk = _walk(tokens, ranks, plan, context_of)
    run, n_runs, apart, means_apart = place_streams(tokens.size, columns)
    left_0, left_1, left_2, left_3 = as_int(0), as_int(0), as_int(0), as_int(0)
    state_0, state_1, state_2, state_3 = states[0], states[1], states[2], states[3]
    size = words.size - PADDING_WORDS
    position = 0
    at = 0
    for turn in range(n_runs):
        at = turn * columns
        for column in range(run):
            left_0, state_0, position = _decode_in_context(
                at, column, left_0, state_0, position, walk, words, table
            )
            left_1, state_1, position = _decode_in_context(
                at + apart, means_apart + column, left_1, state_1, position, walk, words, table
            )
            left_2, state_2, position = _decode_in_context(
                at + 2 * apart, 2 * means_apart + column, left_2, state_2, position, walk, words, table
            )
            left_3, state_3, position = _decode_in_context(
                at + 3 * apart, 3 * means_apart + column, left_3, state_3, position, walk, words, table
            )
            if position > size:
                return False
            at += 1
        at += 3 * apart
        if run < columns:
            for column in range(N_STREAMS * run, columns):
                left_0, state_0, position = _decode_in_context(
                    at, column, left_0, state_0, position, walk, words, table
                )
                at += 1
            if position > size:
                return False
    for last in range(at, tokens.size):
        left_0, state_0, position = _decode_in_context(
            last, last % columns, left_0, state_0, position, walk, words, table
        )
        if position > size:
            return False
    is_back = state_0 == _STATE_MIN and state_1 == _STATE_MIN and state_2 == _STATE_MIN
    return is_back and state_3 == _STATE_MIN and position == size


@kernel
def decode_alone(words: Words, states: States, table: Steps, tokens: Bytes) -> bool:
    """Fill `tokens`, all of one context; otherwise as `decode_steps` with rows as long as the block."""
    no_groups = np.zeros(1, np.uint8)
    return decode_given(words, states, table, no_groups, no_groups, tokens)


@kernel
def decode_given(
    words: Words, states: States, table: Steps, givens: Bytes, groups: Bytes, tokens: Bytes
) -> bool:
    """Fill `tokens`, the context of each being the group of what is given beside it (if anything is)."""
    state_0, state_1, state_2, state_3 = states[0], states[1], states[2], states[3]
    size = words.size - PADDING_WORDS
    run, n_runs, apart, _ = place_streams(tokens.size, tokens.size)
    is_given = givens.size == tokens.size and groups.size > 1
    position = 0
    row_0 = row_1 = row_2 = row_3 = np.uint64(0)
    for at in range(run * n_runs):
        if is_given:
            row_0 = np.uint64(groups[givens[at]]) << _TOTAL_BITS
            row_1 = np.uint64(groups[givens[at + apart]]) << _TOTAL_BITS
            row_2 = np.uint64(groups[givens[at + 2 * apart]]) << _TOTAL_BITS
            row_3 = np.uint64(groups[givens[at + 3 * apart]]) << _TOTAL_BITS
        entry_0 = table[row_0 | state_0 & _SLOT]
        entry_1 = table[row_1 | state_1 & _SLOT]
        entry_2 = table[row_2 | state_2 & _SLOT]
        entry_3 = table[row_3 | state_3 & _SLOT]
        tokens[at] = np.uint8(entry_0 & _LOW_BYTE)
        tokens[at + apart] = np.uint8(entry_1 & _LOW_BYTE)
        tokens[at + 2 * apart] = np.uint8(entry_2 & _LOW_BYTE)
        tokens[at + 3 * apart] = np.uint8(entry_3 & _LOW_BYTE)
        state_0, position = _decode_one(state_0, words, position, entry_0)
        state_1, position = _decode_one(state_1, words, position, entry_1)
        state_2, position = _decode_one(state_2, words, position, entry_2)
        state_3, position = _decode_one(state_3, words, position, entry_3)
        if position > size:
            return False
    for at in range(N_STREAMS * run * n_runs, tokens.size):
        if is_given:
            row_0 = np.uint64(groups[givens[at]]) << _TOTAL_BITS
        entry_0 = table[row_0 | state_0 & _SLOT]
        tokens[at] = np.uint8(entry_0 & _LOW_BYTE)
        state_0, position = _decode_one(state_0, words, position, entry_0)
        if position > size:
            return False
    is_back = state_0 == _STATE_MIN and state_1 == _STATE_MIN and state_2 == _STATE_MIN
    return is_back and state_3 == _STATE_MIN and position == size
