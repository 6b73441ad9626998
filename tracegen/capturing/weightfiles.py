"""Reading a checkpoint's weights: `.safetensors` without any library, `.pt` by torch; no pickles.

A checkpoint is a file, or a Hugging Face folder with one file or with shards and their index.
"""

from __future__ import annotations

import contextlib
import json
import math
import pickle
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

import numpy as np

from tensorcodecs.arrays import resolve_dtype
from tracegen.corpus import CorpusError
from tracegen.corpus.checks import check_content
from tracegen.corpus.recording import Captured, Facts, Recorder, layer_name, legal_name, matching, recording
from tracegen.progress import Report, need

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""The weights in a Hugging Face folder, the preferred first."""
INDEX_SUFFIX = ".index.json"
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


@dataclass(frozen=True)
class _Opened:
    """An open checkpoint file: its tensors' names, and what records those that are asked for."""

    names: Collection[str]
    record: Callable[[Iterable[str], Recorder], None]


def capture_weights(
    path: Path,
    out: Path,
    *,
    layers: tuple[str, ...],
    facts: Callable[[str], Facts],
    dry_run: bool,
    report: Report,
) -> Recorder:
    """Record the tensors of a checkpoint whose names match one of the patterns `layers`, as `weights`.

    `path` is a file or a Hugging Face folder. `facts` gets the model's default name, the file's or the
    folder's. Raises CorpusError for what is no checkpoint, incomplete or damaged, and for what `recording`
    refuses.
    """
    if path.is_dir():
        file, index = _in_folder(path)
    else:
        file, index = path, None
        come = f"weights come as {', '.join(_READERS)}, not as {path.suffix or 'no suffix'!r}"
        known = path.suffix in _READERS
        if not path.exists():
            hint = f"; {come}" if path.suffix and not known else ""
            raise CorpusError(f"{path}: there is no such file or folder{hint}")
        if not known:
            raise CorpusError(f"{path}: {come}")
        if not path.is_file():
            raise CorpusError(f"{path} is no regular file")
    default_name = legal_name(path.resolve().name if path.is_dir() else path.stem)
    with recording(out, facts(default_name), dry_run=dry_run) as recorder:
        if index is None:

            def choose(names: Collection[str]) -> list[str]:
                chosen = matching(layers, list(names))
                recorder.choose_profile(list(map(layer_name, chosen)))
                return chosen

            _record(file, recorder, report, choose)
            return recorder
        shards: dict[str, list[str]] = {}
        wanted = matching(layers, list(index))
        recorder.choose_profile(list(map(layer_name, wanted)))
        for name in wanted:
            shards.setdefault(index[name], []).append(name)
        for shard, names in shards.items():
            _record(path / shard, recorder, report, partial(_all_there, path / shard, names))
        return recorder


def _record(
    file: Path, recorder: Recorder, report: Report, choose: Callable[[Collection[str]], list[str]]
) -> None:
    check_content(file)
    with _READERS[file.suffix](file) as opened:
        chosen = choose(opened.names)
        report.start(f"capturing {file.name}", len(chosen))
        opened.record(_counted(chosen, report), recorder)


def _all_there(shard: Path, wanted: list[str], names: Collection[str]) -> list[str]:
    for name in wanted:
        if name not in names:
            raise CorpusError(f"{shard} lacks the tensor {name!r}, which the index says is there")
    return wanted


def _in_folder(folder: Path) -> tuple[Path, dict[str, str] | None]:
    """The one file of weights or, where there are shards, their index and what `_read_index` gives."""
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name, None
        if (index := folder / f"{name}{INDEX_SUFFIX}").is_file():
            return index, _read_index(index)
    message = f"{folder} holds none of {', '.join(f'{name}[{INDEX_SUFFIX}]' for name in WEIGHT_FILES)}"
    others = sorted(path.name for path in folder.iterdir() if path.suffix in _READERS)
    raise CorpusError(f"{message}{f'; give a file in it, such as {others[0]}' if others else ''}")


def _read_index(path: Path) -> dict[str, str]:
    """The shard of each tensor, a file beside the index. Raises CorpusError where one is not there."""
    suffix = Path(path.name.removesuffix(INDEX_SUFFIX)).suffix
    if path.stat().st_size > MAX_HEADER_BYTES:
        raise CorpusError(f"{path} is no index of shards: {path.stat().st_size} bytes are too many")
    try:
        index = {str(name): str(shard) for name, shard in json.loads(path.read_bytes())["weight_map"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CorpusError(f"{path} is no index of shards: {type(error).__name__} {error}") from error
    if not index:
        raise CorpusError(f"{path} names no tensor")
    shards = sorted(set(index.values()))
    for shard in shards:
        # By its text alone: in the hub's cache a shard is a link that leads out of the folder.
        if not shard.endswith(suffix) or any(
            k(shard).name != shard for k in (PurePosixPath, PureWindowsPath)
        ):
            raise CorpusError(f"{path}: shard {shard!r} is no {suffix} file's name in the same folder")
    missing = [shard for shard in shards if not (path.parent / shard).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CorpusError(f"{path.parent} lacks {missing[0]}{more}, which {path.name} names")
    return index


@contextlib.contextmanager
def _open_safetensors(path: Path) -> Iterator[_Opened]:
    with path.open("rb") as file:
        tensors = read_header(file, path)

        def record(names: Iterable[str], recorder: Recorder) -> None:
            first_names: dict[StoredTensor, str] = {}
            for name in names:
                first = first_names.setdefault(tensors[name], name)
                if first == name:
                    _record_stored(file, name, tensors[name], recorder)
                else:
                    recorder.note(f"{name} shares {first}")

        yield _Opened(tensors, record)


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


@contextlib.contextmanager
def _open_torch(path: Path) -> Iterator[_Opened]:
    need(f"reading {path.suffix} files", "torch")
    import torch

    from tracegen.capturing.tensors import named_tensors, record_weights

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
        raise CorpusError(f"{path} holds no plain tensors that torch can load: {_why(error)}") from error
    tensors = dict(named_tensors(loaded))
    if not tensors:
        raise CorpusError(f"{path} holds no tensor")

    def record(names: Iterable[str], recorder: Recorder) -> None:
        record_weights(recorder, ((name, tensors[name]) for name in names))

    yield _Opened(tensors, record)


def _why(error: Exception) -> str:
    """What torch's loader, which unpickles nothing but tensors, found; and the way out where there is one."""
    if found := re.search(r"GLOBAL ([\w.]+)|class ([\w.]+) ", str(error)):
        what = found[1] or found[2]
        return f"it holds a {what}, and only tensors are read: save model.state_dict(), or tensors by name"
    return (str(error).split(". ")[0].splitlines() or [type(error).__name__])[0]


def _counted(names: list[str], report: Report) -> Iterator[str]:
    for name in names:
        yield name
        report.step()


_READERS = {
    ".safetensors": _open_safetensors,
    **dict.fromkeys((".pt", ".pth", ".bin"), _open_torch),
}
