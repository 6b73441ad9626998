"""Reading a checkpoint file's weights: `.safetensors` without any library, `.pt` by torch; no pickles."""

from __future__ import annotations

import json
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tensorcodecs.arrays import resolve_dtype
from tracegen.corpus import CorpusError
from tracegen.recording import Captured, Facts, Recorder, layer_name, legal_name, matching, recording
from tracegen.reporting import Report, need

MAX_HEADER_BYTES = 100_000_000
"""As the safetensors library itself bounds it."""
SAFETENSORS_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}
_PREFIX = 8


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies in a safetensors file; `begin` counts bytes from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int


def capture_file(
    path: Path,
    out: Path,
    *,
    layers: tuple[str, ...],
    facts: Callable[[str], Facts],
    dry_run: bool,
    report: Report,
) -> Recorder:
    """Record the tensors of a checkpoint whose names match one of the patterns `layers`, as `weights`.

    `facts` gets the model's default name, the file's. Raises CorpusError for a file that is none, or
    damaged, and for what `recording` refuses.
    """
    readers = {".safetensors": _record_safetensors, ".pt": _record_torch, ".pth": _record_torch}
    if path.suffix not in readers:
        raise CorpusError(
            f"{path}: weights come as {', '.join(readers)}, not as {path.suffix or 'no suffix'!r}"
        )
    if not path.is_file():
        raise CorpusError(f"{path}: there is no such file")
    with recording(out, facts(legal_name(path.stem)), dry_run=dry_run) as recorder:
        readers[path.suffix](path, layers, recorder, report)
        return recorder


def _record_safetensors(path: Path, layers: tuple[str, ...], recorder: Recorder, report: Report) -> None:
    with path.open("rb") as file:
        tensors = read_header(file, path)
        names = matching(layers, list(tensors))
        report.start(f"capturing {path.name}", len(names))
        for name in names:
            _record_stored(file, name, tensors[name], recorder)
            report.step()


def _record_stored(file: BinaryIO, name: str, tensor: StoredTensor, recorder: Recorder) -> None:
    if tensor.dtype not in SAFETENSORS_DTYPES:
        recorder.note(f"weights/{name} skipped: {tensor.dtype} is no dtype of a trace")
        return
    dtype = resolve_dtype(SAFETENSORS_DTYPES[tensor.dtype])
    kept, attributes = recorder.cut(tensor.shape, dtype.itemsize)
    shape = tuple(part.stop for part in kept) or tensor.shape
    file.seek(tensor.begin)  # what is kept is the beginning of the tensor's bytes
    words = np.frombuffer(file.read(math.prod(shape) * dtype.itemsize), f"<u{dtype.itemsize}")
    array = words.view(dtype).reshape(shape)
    recorder.add(Captured(array, "weights", layer_name(name), "inference", attributes))


def read_header(file: BinaryIO, path: Path) -> dict[str, StoredTensor]:
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
        tensors = {
            name: _stored_tensor(row, _PREFIX + header_bytes, file_bytes) for name, row in rows.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__} {error}"
        raise CorpusError(f"{path} is no safetensors file, or damaged: {reason}") from error
    if not tensors:
        raise CorpusError(f"{path} holds no tensor")
    return tensors


def _stored_tensor(row: Any, start: int, file_bytes: int) -> StoredTensor:  # noqa: ANN401 - from JSON
    (begin, end), shape = row["data_offsets"], tuple(row["shape"])
    if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
        raise ValueError(f"shape {list(shape)} and offsets {begin}, {end} must be whole numbers from 0")
    if not begin <= end <= file_bytes - start:
        raise ValueError(f"offsets {begin} to {end} in {file_bytes - start} bytes of tensors")
    dtype = str(row["dtype"])
    if dtype in SAFETENSORS_DTYPES:
        n_bytes = math.prod(shape) * resolve_dtype(SAFETENSORS_DTYPES[dtype]).itemsize
        if n_bytes != end - begin:
            raise ValueError(f"{dtype} {list(shape)} needs {n_bytes} bytes, not {end - begin}")
    return StoredTensor(dtype, shape, start + begin)


def _record_torch(path: Path, layers: tuple[str, ...], recorder: Recorder, report: Report) -> None:
    need("reading .pt files", "torch")
    import torch

    from tracegen.hooking import named_tensors, record_weights

    try:
        # Mapped where the file allows it, so that only what is kept is read.
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        OSError,
    ) as error:
        reason = str(error).split(". ")[0].splitlines()[:1] or [type(error).__name__]
        raise CorpusError(f"{path} holds no plain tensors that torch can load: {reason[0]}") from error
    tensors = dict(named_tensors(loaded))
    if not tensors:
        raise CorpusError(f"{path} holds no tensor")
    names = matching(layers, list(tensors))
    report.start(f"capturing {path.name}", len(names))
    record_weights(recorder, _counted(((name, tensors[name]) for name in names), report))


def _counted(items: Iterator[tuple[str, Any]], report: Report) -> Iterator[tuple[str, Any]]:
    for item in items:
        yield item
        report.step()
