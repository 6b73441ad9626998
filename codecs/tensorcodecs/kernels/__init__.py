"""Compiled inner loops: numba only, arrays in, arrays and numbers out.

numba checks no bounds. So a kernel that reads hostile data checks every index itself and answers with a
negative number, which its codec turns into a `DecodeError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

_dispatchers: list[Any] = []


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` at its first call for each set of types; cached on disk, runs without the GIL."""
    dispatcher = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    _dispatchers.append(dispatcher)
    return cast("Callable[P, R]", dispatcher)


def compile_counts() -> tuple[int, int]:
    """Return how many specialisations this process compiled, and how many it loaded from numba's cache."""
    stats = [dispatcher.stats for dispatcher in _dispatchers]
    compiled = sum(sum(stat.cache_misses.values()) for stat in stats)
    loaded = sum(sum(stat.cache_hits.values()) for stat in stats)
    return compiled, loaded
