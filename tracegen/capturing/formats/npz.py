"""`.npz`: arrays by name, as `numpy.savez` wrote them."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tensorcodecs.arrays import Array, dtype_name
from tracegen.capturing._roles import place
from tracegen.capturing.formats.base import Stored, no_dtype
from tracegen.corpus import DTYPES, CorpusError
from tracegen.corpus.checks import refused_size

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[Sequence[Stored]]:
    """Open an `.npz` file; raises CorpusError for one that is none, or truncated."""
    try:
        with zipfile.ZipFile(path) as archive:
            stored = [_stored(archive, info) for info in archive.infolist() if info.filename.endswith(".npy")]
            if not stored:
                raise CorpusError(f"{path} holds no array")
            yield stored
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, SyntaxError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{path} is no .npz file, or damaged: {str(error).splitlines()[0]}") from error


def _stored(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Stored:
    name = info.filename.removesuffix(".npy")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{info.filename} is of format {version}, which is not read")
        shape, _, dtype = _HEADERS[version](file)
    little = dtype.newbyteorder("<")
    refusal = "" if dtype_name(dtype) in DTYPES else _why_not(dtype)
    refusal = refusal or refused_size(math.prod(shape) * dtype.itemsize) or refused_size(info.file_size)
    return Stored(
        name,
        place(tuple(name.split("/"))),
        tuple(shape),
        None if refusal else little,
        read=partial(_read, archive, info, little),
        identity=name,
        refusal=refusal,
    )


def _why_not(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "V" and dtype.names is None:  # how numpy saves the types of ml_dtypes
        return (
            f"its type is not told: {dtype.itemsize} bytes an item; `tracegen import` takes it with a dtype"
        )
    return no_dtype(str(dtype))


def _read(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, dtype: np.dtype[Any], kept: tuple[slice, ...]
) -> Array:
    with archive.open(info) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    return np.ascontiguousarray(array[kept], dtype=dtype)
