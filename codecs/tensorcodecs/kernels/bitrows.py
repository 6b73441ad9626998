# ruff: noqa: ANN401, ARG001 -- numba calls these by its own untyped protocol
"""Sixty-four bytes as eight rows of bits and back, in the processor's widest registers.

As vectors of booleans that turn into one 64-bit word, which every LLVM target has and x86 has in one
instruction. No bounds checks: the caller proves that all bytes touched lie inside the arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped]  # publishes no types
from numba import types
from numba.extending import intrinsic

from tensorcodecs.arrays import Bytes

_BYTE = ir.IntType(8)
_ROW = ir.IntType(64)
_BYTES = ir.VectorType(_BYTE, 64)
_FLAGS = ir.VectorType(ir.IntType(1), 64)


def _everywhere(value: int) -> Any:
    return ir.Constant(_BYTES, [value] * 64)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, kind: Any) -> Any:
    first = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(first, [offset]), kind.as_pointer())


def _gather_rows(typing_context: Any, source: Any, at: Any, rows: Any, to: Any, stride: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source_type, rows_type = signature.args[0], signature.args[2]
        pointer = _pointer(context, builder, source_type, args[0], args[1], _BYTES)
        many = builder.load(pointer, align=1)
        for bit in range(7, -1, -1):
            offset = builder.add(args[3], builder.mul(args[4], ir.Constant(args[4].type, bit)))
            row = builder.bitcast(builder.icmp_signed("<", many, _everywhere(0)), _ROW)
            builder.store(row, _pointer(context, builder, rows_type, args[2], offset, _ROW), align=1)
            many = builder.add(many, many)
        return context.get_dummy_value()

    return types.void(source, types.intp, rows, types.intp, types.intp), generate


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


gather_rows = cast("Callable[[Bytes, int, Bytes, int, int], None]", intrinsic(_gather_rows))
"""`gather_rows(source, at, rows, to, stride)`: put bit i of the 64 bytes at `at` into the eight bytes at
`to + i * stride` of `rows`, the first byte's bit lowest."""

spread_rows = cast("Callable[[Bytes, int, int, Bytes, int], None]", intrinsic(_spread_rows))
"""`spread_rows(rows, at, stride, target, to)`: undo `gather_rows`; 64 bytes of `target` are written."""
