"""Compiled inner loops that several families reuse: numba only, arrays in, arrays and numbers out.

numba checks no bounds. So a kernel that reads hostile data checks every index itself and answers with a
negative number, which its codec turns into a `DecodeError`.

| module | for |
|---|---|
| `memory` | whole words at any byte of an array |
| `bits` | small numbers behind each other, with a cursor: what a coded block says about itself |
| `bitpack` | fields of up to 64 bits at any bit, many of one width; counts of ones and of leading zeros |
| `bitrows` | 64 bytes turned into eight rows of bits and back: transposing in wide registers |
| `zeros` | a bit for each word that is not zero |
| `compact` | eight bytes at a time: the gaps that zeros leave closed, and opened again |
| `shuffle` | bytes of equal place together, and back |
| `frequencies` | tables of frequencies for entropy coders, and how a block states them |
| `huffman_code` | code lengths and canonical codes |
| `huffman`, `huffman_streams`, `huffman_chunks` | Huffman-coded bytes: blocks, interleaved streams, plan |

What one family alone needs lies in its own `kernels/`: `lines/kernels/bitfields` (fields of hardware
formats), `lines/kernels/bitplanes` (of differences), `sparse/kernels/bitmask` (words that a mask tells).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

from tensorcodecs.kernels._cache import KernelCache
from tensorcodecs.kernels._folder import base_folder, notes

__all__ = ["base_folder", "compile_counts", "kernel", "notes"]

P = ParamSpec("P")
R = TypeVar("R")

_dispatchers: list[Any] = []


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` at its first call for each set of types; cached on disk, runs without the GIL."""
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = KernelCache(function)  # as numba's own enable_caching does
    _dispatchers.append(dispatcher)
    return cast("Callable[P, R]", dispatcher)


def compile_counts() -> tuple[int, int]:
    """Return how many specialisations this process compiled, and how many it loaded from the cache."""
    stats = [dispatcher.stats for dispatcher in _dispatchers]
    compiled = sum(sum(stat.cache_misses.values()) for stat in stats)
    loaded = sum(sum(stat.cache_hits.values()) for stat in stats)
    return compiled, loaded
