# ruff: noqa: ANN401, ARG001 -- numba calls these by its own untyped protocol
"""Numbers of any width up to 64 bits at any bit of a byte array, lowest bit first; frame of reference.

None of this checks bounds. `put` and `get` touch up to WORD_SLACK_BYTES from where a number begins on, so
writers allocate and readers append that much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store

Words64 = npt.NDArray[np.uint64]
WORD_SLACK_BYTES = 16
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def _leading_zeros(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], cgutils.false_bit)

    return types.uint64(types.uint64), generate


def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], cgutils.false_bit)

    return types.uint64(types.uint64), generate


def _ones(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), generate


leading_zeros = cast("Callable[[Any], Any]", intrinsic(_leading_zeros))
"""`leading_zeros(word)`: the zeros above the highest one of a uint64, 64 for 0."""

trailing_zeros = cast("Callable[[Any], Any]", intrinsic(_trailing_zeros))
"""`trailing_zeros(word)`: the zeros below the lowest one of a uint64, 64 for 0."""

_count_ones = cast("Callable[[Any], Any]", intrinsic(_ones))


@kernel
def put(out: Bytes, bit: int, value: Any, n_bits: int) -> int:
    """Write the uint64 `value`, below 2**n_bits, at bit `bit` and return the bit behind it.

    Bits before `bit` stay; those behind in the same eight bytes become 0.
    """
    at = bit >> 3
    shift = np.uint64(bit & 7)
    kept = np.uint64(out[at]) & ((_ONE << shift) - _ONE)
    store(out, at, kept | (value << shift))
    if (bit & 7) + n_bits > 64:
        out[at + 8] = np.uint8(value >> (np.uint64(64) - shift))
    return bit + n_bits


@kernel
def get(data: Bytes, bit: int, n_bits: int) -> Any:
    """Return the uint64 of `n_bits` (0 to 64) at bit `bit`."""
    at = bit >> 3
    shift = np.uint64(bit & 7)
    word = load(data, at, LIKE_U64) >> shift
    if (bit & 7) + n_bits > 64:
        word |= np.uint64(data[at + 8]) << (np.uint64(64) - shift)
    if n_bits == 0:
        return np.uint64(0)
    return word & (_ALL >> np.uint64(64 - n_bits))


@kernel
def population(word: Any) -> int:
    """Return how many bits of the uint64 `word` are 1."""
    return as_int(_count_ones(word))


@kernel
def width_of(value: Any) -> int:
    """Return how many bits the uint64 `value` needs, 0 for 0."""
    return 64 - as_int(leading_zeros(value))


@kernel
def pack_bits(values: Words64, base: Any, n_bits: int, out: Bytes, at: int) -> int:
    """Write `values` - `base`, `n_bits` each, from byte `at` on and return the byte behind the last."""
    bit = at * 8
    for index in range(values.size):
        bit = put(out, bit, values[index] - base, n_bits)
    return (bit + 7) >> 3


@kernel
def unpack_bits(data: Bytes, at: int, base: Any, n_bits: int, values: Words64) -> int:
    """Undo `pack_bits` for all of `values`; the caller knows that `data` holds them."""
    bit = at * 8
    for index in range(values.size):
        values[index] = base + get(data, bit, n_bits)
        bit += n_bits
    return (bit + 7) >> 3
