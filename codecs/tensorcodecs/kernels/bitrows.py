# ruff: noqa: ANN401, ARG001 -- numba calls these by its own untyped protocol
"""Sixty-four bytes as eight rows of bits and back, and where 64 words differ, in wide registers.

As vectors of booleans that turn into one 64-bit word, which every LLVM target has and x86 has in one
instruction. No bounds checks: the caller proves that all bytes touched lie inside the arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # publishes no types
from numba import types
from numba.extending import intrinsic

from tensorcodecs.arrays import Array, Bytes

_BYTE = ir.IntType(8)
_ROW = ir.IntType(64)
_BYTES = ir.VectorType(_BYTE, 64)
_INDEX = ir.IntType(32)
_FLAGS = ir.VectorType(ir.IntType(1), 64)


def _everywhere(value: int) -> Any:
    return ir.Constant(_BYTES, [value] * 64)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, kind: Any) -> Any:
    first = context.make_array(array_type)(context, builder, array).data
    place = builder.gep(builder.bitcast(first, _BYTE.as_pointer()), [offset])
    return builder.bitcast(place, kind.as_pointer())


def _gather_rows(
    typing_context: Any, words: Any, at: Any, shift: Any, rows: Any, to: Any, stride: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, first, down, planes, start, step = args
        kind = ir.VectorType(context.get_data_type(words.dtype), 64)
        many = builder.load(_pointer(context, builder, words, source, first, kind), align=1)
        if words.dtype.bitwidth > 8:
            nothing = ir.Constant(kind, ir.Undefined)
            one = builder.insert_element(nothing, down, ir.Constant(_INDEX, 0))
            spread = ir.Constant(ir.VectorType(_INDEX, 64), [0] * 64)
            many = builder.trunc(builder.lshr(many, builder.shuffle_vector(one, one, spread)), _BYTES)
        for bit in range(7, -1, -1):
            offset = builder.add(start, builder.mul(step, ir.Constant(step.type, bit)))
            row = builder.bitcast(builder.icmp_signed("<", many, _everywhere(0)), _ROW)
            builder.store(row, _pointer(context, builder, rows, planes, offset, _ROW), align=1)
            many = builder.add(many, many)
        return context.get_dummy_value()

    return types.void(words, types.intp, words.dtype, rows, types.intp, types.intp), generate


def _spread_rows(typing_context: Any, rows: Any, at: Any, stride: Any, target: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows_type, target_type = signature.args[0], signature.args[3]
        many = _everywhere(0)
        for bit in range(8):
            offset = builder.add(args[1], builder.mul(args[2], ir.Constant(args[2].type, bit)))
            row = builder.load(_pointer(context, builder, rows_type, args[0], offset, _ROW), align=1)
            flags = builder.bitcast(row, _FLAGS)
            many = builder.select(flags, builder.or_(many, _everywhere(1 << bit)), many)
        pointer = _pointer(context, builder, target_type, args[3], args[4], _BYTES)
        builder.store(many, pointer, align=1)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, target, types.intp), generate


def _differing(typing_context: Any, words: Any, at: Any, other_at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(context.get_data_type(words.dtype), 64)
        pointers = [_pointer(context, builder, words, args[0], offset, kind) for offset in args[1:]]
        left, right = (builder.load(pointer, align=1) for pointer in pointers)
        return builder.bitcast(builder.icmp_unsigned("!=", left, right), _ROW)

    return types.uint64(words, types.intp, types.intp), generate


differing = cast("Callable[[Array, int, int], np.uint64]", intrinsic(_differing))
"""`differing(words, at, other_at)`: bit i tells that word i of the 64 at byte `at` is not word i of the 64 at
byte `other_at`."""

gather_rows = cast("Callable[[Array, int, Any, Bytes, int, int], None]", intrinsic(_gather_rows))
"""`gather_rows(words, at, shift, rows, to, stride)`: for i from 0 to 7, put bit `shift` + i of the 64 words
at byte `at` into the eight bytes at `to + i * stride` of `rows`, the first word's bit lowest."""

spread_rows = cast("Callable[[Bytes, int, int, Bytes, int], None]", intrinsic(_spread_rows))
"""`spread_rows(rows, at, stride, target, to)`: undo `gather_rows`; 64 bytes of `target` are written."""
