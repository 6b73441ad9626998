"""Which of several tables codes a bin: contexts from the values to the left and a row back.

Each bin belongs to a group, and the group's number is its rank. Running means of ranks, one along the row
and one for each column, tell how large the next value may be: the neighbours themselves where the means
move fast, the magnitude of a row or a channel where they move slowly.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.frequencies import BINS_MAX, GROUPS_MAX
from tensorcodecs.kernels.memory import as_int

RANK_SHIFT = 4
SCORES = 128
SCORE_WEIGHTS = 2
SCORE_SHIFT = 3
"""(weight * mean along the row + (SCORE_WEIGHTS - weight) * mean of the column) >> SCORE_SHIFT < SCORES."""
CONTEXTS_MAX_LOG2 = 4
CONTEXTS_MAX = 1 << CONTEXTS_MAX_LOG2
LEFT, UP, BOTH = 0, 1, 2
_LEFT_WEIGHTS = (2, 0, 1)
_SHIFTS_LEFT = (1, 3)
_SHIFTS_UP = (0, 3)
_TRIAL_LOG2 = 3
_SCALE_BITS = 2.5
_GAIN_MIN = 0.002
"""Contexts that save less of a block are not worth their time."""

# What a plan says of contexts: how many (log2), of which neighbours, how slowly their means move, row length.
COUNT, KIND, LEFT_SHIFT, UP_SHIFT, COLUMNS = 0, 1, 2, 3, 4
PLAN_SIZE = 5
Plan = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]


@kernel
def ranks_of(groups: Bytes) -> Plan:
    """Return the groups of all possible bins, times 2 ** RANK_SHIFT: int64[BINS_MAX]."""
    ranks = np.zeros(BINS_MAX, np.int64)
    for place in range(groups.size):
        ranks[place] = as_int(groups[place]) << RANK_SHIFT
    return ranks


@kernel
def left_weight(kind: int) -> int:
    """Return how often the mean along the row counts in a score, out of SCORE_WEIGHTS."""
    return _LEFT_WEIGHTS[min(kind, BOTH)]


@kernel
def _score_counts(groups: Bytes, n_groups: int, plan: Plan, counts: Counts) -> None:
    """Count, in `counts` (int32[SCORES, GROUPS_MAX]), which groups follow which scores."""
    counts[:, :n_groups] = 0
    columns = plan[COLUMNS]
    on_left = left_weight(plan[KIND])
    on_up = SCORE_WEIGHTS - on_left
    left_shift, up_shift = plan[LEFT_SHIFT], plan[UP_SHIFT]
    ups = np.zeros(columns, np.int32)
    left = as_int(0)
    column = 0
    for group in groups:
        up = as_int(ups[column])
        counts[(on_left * left + on_up * up) >> SCORE_SHIFT, group] += 1
        rank = as_int(group) << RANK_SHIFT
        left += (rank - left) >> left_shift
        ups[column] = up + ((rank - up) >> up_shift)
        column += 1
        if column == columns:
            column = 0


@kernel
def _class_bits(
    counts: Counts, n_groups: int, n: int, log2_contexts: int, scale: float, context_of: Bytes
) -> float:
    """Cut the scores into classes of like size, into `context_of` (uint8[SCORES]); their cost in bits."""
    n_contexts = 1 << log2_contexts
    totals = np.zeros(n_groups, np.int64)
    bits = 0.0
    context = 0
    seen = as_int(0)
    for value in range(SCORES):
        row = as_int(0)
        for group in range(n_groups):
            row += counts[value, group]
        # The score goes to the class where its middle lies.
        place = min((seen + row // 2) * n_contexts // n, n_contexts - 1)
        if place > context:
            bits += _group_bits(totals, scale)
            totals[:] = 0
            context = place
        context_of[value] = context
        if row > 0:
            for group in range(n_groups):
                totals[group] += counts[value, group]
        seen += row
    return bits + _group_bits(totals, scale) + 7 * n_contexts


@kernel
def _group_bits(totals: npt.NDArray[np.int64], scale: float) -> float:
    n = totals.sum()
    if n == 0:
        return 0.0
    bits = n * math.log2(n)
    n_live = 0
    for count in totals:
        if count > 0:
            bits -= count * math.log2(count)
            n_live += 1
    return float(bits * scale + n_live * _SCALE_BITS)


@kernel
def plan_contexts(
    groups: Bytes, n_groups: int, columns: Plan, n: int, cost: float, plan: Plan, context_of: Bytes
) -> float:
    """Choose contexts for a block of `n` values by a stretch of it, `groups`.

    `columns` are the row lengths that may be meant, `cost` what the block takes without contexts, in bits.
    Fills `plan` (int64[PLAN_SIZE]) and `context_of` (uint8[SCORES]); returns the cost with them. A `plan`
    that is made already, for another order of the keys, is only tried.
    """
    counts = np.zeros((SCORES, GROUPS_MAX), np.int32)
    counts[0, :n_groups] = np.bincount(groups, minlength=n_groups)
    scale = n / groups.size
    alone = _class_bits(counts, n_groups, groups.size, 0, scale, context_of)
    if plan[COUNT] > 0:
        return cost - alone + _choose_count(groups, n_groups, plan, counts, scale, context_of)
    best = alone
    trial = np.zeros(PLAN_SIZE, np.int64)
    trial[COUNT] = _TRIAL_LOG2
    for turn in range(2 + 3 * columns.size):
        place = max(turn - 2, 0) // 3
        step = turn if turn < 2 else (turn - 2) % 3
        trial[COLUMNS] = columns[place]
        if turn < 2:
            trial[KIND], trial[LEFT_SHIFT] = LEFT, _SHIFTS_LEFT[step]
        elif 2 * columns[place] > groups.size:
            continue
        elif step < 2:
            trial[KIND], trial[UP_SHIFT] = UP, _SHIFTS_UP[step]
        else:
            trial[KIND] = BOTH
        bits = _trial_bits(groups, n_groups, trial, counts, scale, context_of)
        if bits < best:
            best = bits
            plan[:] = trial
        if step == 0:
            first_bits = bits
        elif step == 1 and first_bits < bits:
            # For the mean on both sides, the better speed of each.
            if turn < 2:
                trial[LEFT_SHIFT] = _SHIFTS_LEFT[0]
            else:
                trial[UP_SHIFT] = _SHIFTS_UP[0]
    if alone - best < _GAIN_MIN * cost:
        plan[COUNT] = 0
        return cost
    return cost - alone + _choose_count(groups, n_groups, plan, counts, scale, context_of)


@kernel
def _trial_bits(
    groups: Bytes, n_groups: int, trial: Plan, counts: Counts, scale: float, context_of: Bytes
) -> float:
    """Return the bits of a block of which `groups` are a stretch, with the contexts of `trial`."""
    _score_counts(groups, n_groups, trial, counts)
    return _class_bits(counts, n_groups, groups.size, trial[COUNT], scale, context_of)


@kernel
def _choose_count(
    groups: Bytes, n_groups: int, plan: Plan, counts: Counts, scale: float, context_of: Bytes
) -> float:
    """Set the number of contexts that costs least, and `context_of` for it; return the bits."""
    best = np.inf
    best_count = as_int(0)
    _score_counts(groups, n_groups, plan, counts)
    for log2_contexts in range(2, CONTEXTS_MAX_LOG2 + 1):
        bits = _class_bits(counts, n_groups, groups.size, log2_contexts, scale, context_of)
        if bits < best:
            best, best_count = bits, as_int(log2_contexts)
    plan[COUNT] = best_count
    _class_bits(counts, n_groups, groups.size, best_count, scale, context_of)
    return best
