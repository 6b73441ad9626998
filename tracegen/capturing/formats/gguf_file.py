"""`.gguf`: packed blocks as they lie in the file, and beside them the values that they stand for.

Read by the library `gguf`. A dequantised tensor never passes for one of natural floating-point numbers: its
precision says what it comes from.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tensorcodecs.arrays import Array
from tracegen.capturing._roles import place
from tracegen.capturing.formats.base import Stored
from tracegen.corpus import CorpusError
from tracegen.corpus.checks import refused_size
from tracegen.progress import need

_HEAD = struct.Struct("<4sIQQ")
# Bytes that a tensor's row and a key with its value take at least.
_TENSOR_BYTES_MIN, _KEY_BYTES_MIN = 32, 13
_PLAIN = {"F32": "float32", "F16": "float16", "F64": "float64", "I8": "int8", "I16": "int16", "I32": "int32"}


@contextlib.contextmanager
def open_gguf(path: Path) -> Iterator[Sequence[Stored]]:
    """Open a GGUF file; raises CorpusError for one that is none, truncated, or of another byte order."""
    need("reading .gguf files", "gguf", extra="formats")
    import gguf

    _check_counts(path)
    try:
        tensors = gguf.GGUFReader(path).tensors
        stored = [one for tensor in tensors for one in _both(tensor)]
    except (ValueError, IndexError, KeyError, OverflowError, TypeError, MemoryError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CorpusError(f"{path} is no GGUF file, or damaged: {type(error).__name__} {reason}") from error
    if not stored:
        raise CorpusError(f"{path} holds no tensor")
    yield stored


def _check_counts(path: Path) -> None:
    """What the file claims to hold must fit into it, before the library believes it."""
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(b"GGUF"):
        raise CorpusError(f"{path} is no GGUF file: it does not begin as one")
    _, version, tensors, keys = _HEAD.unpack(head)
    if tensors * _TENSOR_BYTES_MIN + keys * _KEY_BYTES_MIN > path.stat().st_size:
        what = f"version {version}, {tensors} tensors and {keys} keys"
        raise CorpusError(f"{path} is no GGUF file, or truncated: it claims {what}")


def _both(tensor: Any) -> Iterator[Stored]:  # noqa: ANN401 - the library's
    """The tensor as it lies there and, where that is packed blocks, its values."""
    kind, data = tensor.tensor_type.name, tensor.data
    where = place((tensor.name,))
    if kind in _PLAIN or kind == "BF16":
        dtype = np.dtype("bfloat16") if kind == "BF16" else np.dtype(_PLAIN[kind])
        words = data.view(dtype) if kind == "BF16" else data
        yield Stored(tensor.name, where, words.shape, dtype, partial(_part, words), tensor.name)
        return
    values_shape = tuple(int(length) for length in reversed(tensor.shape))
    blocks = {"bits": 8 * tensor.n_bytes / tensor.n_elements, "values_shape": list(values_shape)}
    yield Stored(
        *(tensor.name, where, data.shape, np.dtype(np.uint8), partial(_part, data), tensor.name),
        precision=kind.lower(),
        attributes=blocks,
    )
    refusal = refused_size(4 * math.prod(values_shape))
    yield Stored(
        *(tensor.name, where, values_shape, None if refusal else np.dtype(np.float32)),
        read=partial(_values, data, tensor.tensor_type),
        identity=tensor.name,
        precision=f"{kind.lower()}-dequantised",
        refusal=refusal,
    )


def _part(data: Array, kept: tuple[slice, ...]) -> Array:
    return np.array(data[kept])


def _values(data: Array, kind: Any, kept: tuple[slice, ...]) -> Array:  # noqa: ANN401 - the library's
    import gguf

    # Blocks lie along the last axis, which is cut alone where there is no other.
    rows, last = (kept[:-1], kept[-1]) if data.ndim > 1 and kept else ((), slice(None))
    return np.asarray(gguf.quants.dequantize(np.array(data[rows]), kind), np.float32)[..., last]
