# ruff: noqa: ANN401, ARG001 -- numba calls these by its own untyped protocol
"""Loads and stores of whole words at any byte of an array, aligned or not, without bounds checks.

numba's own indexing knows only aligned items. Words are little-endian, as on every machine numba supports
but one (s390x). The caller proves that all bytes touched lie inside the array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # publishes no types
from numba import types
from numba.extending import intrinsic

from tensorcodecs.arrays import Array


def _word_pointer(
    context: Any, builder: Any, array_type: Any, array: Any, offset: Any, word_type: Any
) -> Any:
    first = context.make_array(array_type)(context, builder, array).data
    as_bytes = builder.bitcast(first, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(as_bytes, [offset]), context.get_data_type(word_type).as_pointer())


def _load(typing_context: Any, array: Any, offset: Any, like: Any) -> Any:
    word_type = like.dtype

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _word_pointer(context, builder, array, args[0], args[1], word_type)
        return builder.load(pointer, align=1)

    return word_type(array, types.intp, like), generate


def _store(typing_context: Any, array: Any, offset: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _word_pointer(context, builder, array, args[0], args[1], word)
        builder.store(args[2], pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, word), generate


load = cast("Callable[[Array, int, Array], Any]", intrinsic(_load))
"""`load(array, offset, like)`: the word of `like`'s item type at byte `offset` of `array`."""

store = cast("Callable[[Array, int, Any], None]", intrinsic(_store))
"""`store(array, offset, word)`: put `word`, as wide as its type, at byte `offset` of `array`."""

LIKE_U64 = np.zeros(1, np.uint64)
"""Says "eight bytes" to `load`."""

as_int = cast("Callable[[Any], int]", np.int64)
"""Make a signed index of any integer: numba makes a float of int64 + uint64."""

as_index = cast("Callable[[Any], int]", np.uint64)
"""Say that an index is not negative: numba then spares the code that counts from an array's end."""
