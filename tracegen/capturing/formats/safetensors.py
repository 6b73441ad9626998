"""`.safetensors`, read without any library."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tensorcodecs.arrays import Array, resolve_dtype
from tracegen.capturing._roles import place
from tracegen.capturing.formats.base import Stored, no_dtype
from tracegen.corpus import CorpusError

MAX_HEADER_BYTES = 100_000_000
"""As the safetensors library itself bounds it."""
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}
# Types without a dtype of ours: the bits of an element, and the precision of the words that hold them.
PACKED = {"F8_E8M0": (8, "float8_e8m0fnu"), "F4": (4, "float4_e2m1fn"), "I4": (4, "int4")}
_PREFIX = 8


@dataclass(frozen=True)
class Row:
    """Where a tensor lies in a file; `begin` counts bytes from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int


@contextlib.contextmanager
def open_safetensors(path: Path) -> Iterator[Sequence[Stored]]:
    """Open a safetensors file; raises CorpusError for one that is none, or truncated."""
    with path.open("rb") as file:
        yield [_stored(file, name, row) for name, row in read_header(file, path).items()]


def _stored(file: BinaryIO, name: str, row: Row) -> Stored:
    dtype, shape = _as_words(row)
    bits, precision = PACKED.get(row.dtype, (0, None))
    return Stored(
        *(name, place((name,)), shape, dtype),
        read=partial(_read, file, row),
        identity=row,
        refusal="" if dtype is not None else no_dtype(row.dtype),
        precision=precision,
        attributes={"bits": bits, "values_shape": list(row.shape)} if precision else {},
    )


def _as_words(row: Row) -> tuple[np.dtype[Any] | None, tuple[int, ...]]:
    """The trace's dtype and shape: of packed types the bytes, rows stay rows where they are whole bytes."""
    if row.dtype in DTYPES:
        return resolve_dtype(DTYPES[row.dtype]), row.shape
    if row.dtype not in PACKED:
        return None, row.shape
    bits = PACKED[row.dtype][0]
    if row.shape and row.shape[-1] * bits % 8 == 0:
        return np.dtype(np.uint8), (*row.shape[:-1], row.shape[-1] * bits // 8)
    return np.dtype(np.uint8), (-(-math.prod(row.shape) * bits // 8),)


def _read(file: BinaryIO, row: Row, kept: tuple[slice, ...]) -> Array:
    dtype, whole = _as_words(row)
    assert dtype is not None  # noqa: S101 - nobody reads what is refused
    shape = tuple(part.stop for part in kept) or whole
    file.seek(row.begin)  # what is kept is the beginning of the tensor's bytes
    words = np.frombuffer(file.read(math.prod(shape) * dtype.itemsize), f"<u{dtype.itemsize}")
    return words.view(dtype).reshape(shape)


def read_header(file: BinaryIO, path: Path) -> dict[str, Row]:
    """The tensors of a safetensors file, by name, in the file's order.

    The format (huggingface.co/docs/safetensors): the header's length in bytes as a little-endian uint64,
    the header in JSON, then the tensors' bytes, little-endian in C order. Every size is checked against the
    file's before anything is allocated. Raises CorpusError for a file that is none, or truncated.
    """
    file_bytes = path.stat().st_size
    header_bytes = int.from_bytes(file.read(_PREFIX), "little")
    if file_bytes < _PREFIX or header_bytes > min(file_bytes - _PREFIX, MAX_HEADER_BYTES):
        raise CorpusError(f"{path} is no safetensors file: a header of {header_bytes} bytes cannot be in it")
    try:
        header = json.loads(file.read(header_bytes))
        rows = {name: row for name, row in header.items() if name != "__metadata__"}
        tensors = {name: _row(row, _PREFIX + header_bytes, file_bytes) for name, row in rows.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__} {error}"
        raise CorpusError(f"{path} is no safetensors file, or damaged: {reason}") from error
    if not tensors:
        raise CorpusError(f"{path} holds no tensor")
    return tensors


def _row(row: Any, start: int, file_bytes: int) -> Row:  # noqa: ANN401 - from JSON
    (begin, end), shape = row["data_offsets"], tuple(row["shape"])
    if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
        raise ValueError(f"shape {list(shape)} and offsets {begin}, {end} must be whole numbers from 0")
    if not begin <= end <= file_bytes - start:
        raise ValueError(f"offsets {begin} to {end} in {file_bytes - start} bytes of tensors")
    dtype = str(row["dtype"])
    if dtype in DTYPES or dtype in PACKED:
        bits = PACKED[dtype][0] if dtype in PACKED else 8 * resolve_dtype(DTYPES[dtype]).itemsize
        n_bytes = -(-math.prod(shape) * bits // 8)
        if n_bytes != end - begin:
            raise ValueError(f"{dtype} {list(shape)} needs {n_bytes} bytes, not {end - begin}")
    return Row(dtype, shape, start + begin)
