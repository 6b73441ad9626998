"""Reading the clock: repeats until they are many enough, and inputs that no cache holds.

A time is the median of its repeats, so repeats go on until that is known well, or until their time is spent.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from tensorcodecs.arrays import Array

T = TypeVar("T")

BUDGET_S = 0.03
"""Per direction and cell: the first repeats stop when they would take longer than this, never below one."""
FIRST_REPEATS = 5
EXTRA_S = 0.004
"""Further repeats, where the median is not known well after the first, end when all took so long together."""
REPEATS_MAX = 31
WARM_UPS_MAX = 4
STABLE = 0.95
"""A warm-up is the last one when it was not faster than this share of the fastest before."""
TIGHT = 0.05
"""A median is known well when its interval is no wider than this share of it."""
CONFIDENCE = 0.9
COLD_FACTOR = 2
"""Copies take together so many times the largest cache: one that comes again is then gone from it."""
CACHE_BYTES_UNKNOWN = 64 << 20
_LINE_BYTES = 64


def repeat(call: Callable[[T], object], inputs: Iterator[T]) -> list[float]:
    """Wall seconds of each repeat of `call`, every time on the next of `inputs`.

    Warm-ups come first, until they get no faster. One that alone spends the budget is the one repeat.
    """
    fastest_s = math.inf
    for _ in range(WARM_UPS_MAX):
        warm_up_s = _clock(call, next(inputs))
        if warm_up_s >= BUDGET_S:
            return [warm_up_s]
        is_stable = warm_up_s >= STABLE * fastest_s
        fastest_s = min(fastest_s, warm_up_s)
        # One call of such a length has left nothing to be warmed.
        if is_stable or warm_up_s > EXTRA_S:
            break
    first = min(FIRST_REPEATS, max(1, int(BUDGET_S / max(fastest_s, 1e-9))))
    repeats_s = [_clock(call, next(inputs)) for _ in range(first)]
    while len(repeats_s) < REPEATS_MAX and sum(repeats_s) < EXTRA_S and not is_tight(repeats_s):
        repeats_s.append(_clock(call, next(inputs)))
    return repeats_s


def is_tight(repeats_s: Sequence[float]) -> bool:
    """Whether the interval that holds the median, with confidence 0.9, is narrow.

    Its ends are order statistics, which assumes nothing of how times are distributed (David and Nagaraja,
    Order Statistics, 3rd ed., section 7.1).
    """
    rank = _rank(len(repeats_s))
    if not rank:
        return False
    ordered = sorted(repeats_s)
    return ordered[-rank] - ordered[rank - 1] <= TIGHT * ordered[len(ordered) // 2]


@functools.cache
def _rank(n: int) -> int:
    """The r for which the r-th smallest and the r-th largest of `n` enclose the median; 0: too few."""
    outside, rank = 0.0, 0
    while rank < n // 2:
        outside += 2 * math.comb(n, rank) / 2**n
        if outside > 1 - CONFIDENCE:
            break
        rank += 1
    return rank


def _clock(call: Callable[[T], object], value: T) -> float:
    start = time.perf_counter()
    # What is returned lives until the clock has stopped: giving it back is not the codec's time.
    result = call(value)
    seconds = time.perf_counter() - start
    del result
    return seconds


def cold_copies(array: Array) -> Iterator[Array]:
    """Copies of `array` without end, each last touched more than the largest cache's size of bytes ago.

    They follow each other in one block of memory, and begin again at its start. The codec's own tables and
    its code stay warm: what is cold is what streams through.
    """
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    stride = max(_LINE_BYTES, math.ceil(flat.size / _LINE_BYTES) * _LINE_BYTES)
    copies = max(2, math.ceil(COLD_FACTOR * last_level_cache_bytes() / stride))
    block = np.empty((copies, stride), np.uint8)
    block[:, : flat.size] = flat

    def rows() -> Iterator[Array]:
        for index in itertools.count():
            yield block[index % copies, : flat.size].view(array.dtype).reshape(array.shape)

    return rows()


def last_level_cache_bytes() -> int:
    """Size of the largest cache of this core; an assumed 64 MiB where the system does not tell."""
    return max((size for _, _, size in caches()), default=CACHE_BYTES_UNKNOWN)


@functools.cache
def caches() -> tuple[tuple[int, str, int], ...]:
    """(level, type, bytes) of each cache of the first core, from sysfs; empty elsewhere."""
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (folder / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size")
            )
            found.append((int(level), kind, _bytes(size)))
        except (OSError, ValueError):
            continue
    return tuple(found)


def _bytes(size: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(size[:-1]) * units[size[-1]] if size[-1] in units else int(size)
