"""Keras' weights: `.weights.h5`, `.h5` of older versions, and `.keras`, a zip file with such a file in it.

Only the HDF5 file is read, by h5py: no class, function or pickle of Keras' is ever loaded.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from tensorcodecs.arrays import Array, dtype_name
from tracegen.capturing._roles import place
from tracegen.capturing.formats.base import Stored, no_dtype
from tracegen.corpus import DTYPES, CorpusError
from tracegen.corpus.checks import open_hdf5, refused_dataset, refused_size

_MEMBER = "model.weights.h5"
# Parts of a dataset's path that say nothing of the layer.
_WITHOUT_MEANING = frozenset({"vars", "layers", "model_weights", "_layer_checkpoint_dependencies"})


@contextlib.contextmanager
def open_keras(path: Path) -> Iterator[Sequence[Stored]]:
    """Open a file of Keras' weights; raises CorpusError for one that is none, or damaged."""
    with contextlib.ExitStack() as stack:
        inner = stack.enter_context(_unzipped(path)) if path.suffix.lower() == ".keras" else path
        file = stack.enter_context(open_hdf5(inner))
        stored: list[Stored] = []

        def take(name: str, found: object) -> None:
            if isinstance(found, h5py.Dataset) and found.shape is not None:
                stored.append(_stored(name, found))

        file.visititems(take)  # hard links alone, each object once
        if not stored:
            raise CorpusError(f"{path} holds no tensor")
        yield stored


@contextlib.contextmanager
def _unzipped(path: Path) -> Iterator[Path]:
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            info = archive.getinfo(_MEMBER)
            if refusal := refused_size(info.file_size):
                raise CorpusError(f"{path}: {_MEMBER}: {refusal}")
            inner = Path(folder) / _MEMBER
            with archive.open(info) as packed, inner.open("wb") as out:
                shutil.copyfileobj(packed, out)
            yield inner
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise CorpusError(f"{path} is no .keras file, or damaged: {reason}") from error


def _stored(name: str, dataset: h5py.Dataset) -> Stored:
    parts = [part.removesuffix(":0") for part in name.split("/")]
    told = tuple(part for part in parts if part not in _WITHOUT_MEANING) or (parts[-1],)
    refusal = refused_dataset(dataset)
    if not refusal and dtype_name(dataset.dtype) not in DTYPES:
        refusal = no_dtype(str(dataset.dtype))
    return Stored(
        ".".join(told),
        place(told),
        tuple(dataset.shape),
        None if refusal else dataset.dtype.newbyteorder("<"),
        read=partial(_read, dataset),
        identity=name,
        refusal=refusal and f"it {refusal}",
    )


def _read(dataset: h5py.Dataset, kept: tuple[slice, ...]) -> Array:
    array = dataset[kept]
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
