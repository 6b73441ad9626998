"""Checks of what users hand over: names, texts, numbers, files. Each raises CorpusError in one line."""

from __future__ import annotations

import numbers
from pathlib import Path

import h5py
import numpy as np

from tensorcodecs.arrays import Array
from tracegen.corpus import _guarding
from tracegen.corpus.reading import CorpusError

_MAX_SHOWN = 60


def check_content(path: Path) -> None:
    """Raise CorpusError for a file that is only a pointer to the one that was meant."""
    if wrong := _guarding.wrong_content(path):
        raise CorpusError(f"{path} {wrong}")


def plain_name(name: str) -> str:
    """The name of a file, which may be made of any bytes, as a text that readers take."""
    return "".join("_" if _guarding.wrong_text(character) else character for character in name)


def shown(value: object) -> str:
    """A wrong value in a message of one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def check_finite(where: str, values: Array) -> None:
    """Raise CorpusError, naming `where`, for NaNs and infinities in an array of any dtype."""
    bad = 0 if values.dtype.kind in "iu" else int(np.count_nonzero(~np.isfinite(values.astype(np.float64))))
    if bad:
        raise CorpusError(
            f"{where}: {bad} of {values.size} values are NaN or infinite; allow_nonfinite "
            "(--allow-nonfinite on the command line) keeps them"
        )


def check_name(what: str, value: str, length_max: int | None = _guarding.MAX_NAME) -> str:
    """Return the name; CorpusError, naming `what`, where readers would refuse it."""
    if wrong := _guarding.wrong_name(value, length_max):
        raise CorpusError(f"{what} {shown(value)} {wrong}")
    return value


def check_text(what: str, value: str) -> str:
    """Return the text; CorpusError, naming `what` and the character, where readers would refuse it."""
    if wrong := _guarding.wrong_text(value):
        raise CorpusError(f"{what} {shown(value)} {wrong}")
    return value


def check_count(what: str, value: object) -> None:
    """Raise CorpusError, naming `what`, unless the value is a whole number of at least 1."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise CorpusError(f"{what} {shown(value)} is no whole number of at least 1")


def check_flag(what: str, value: object) -> None:
    """Raise CorpusError, naming `what`, unless the value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise CorpusError(f"{what} {shown(value)} is neither True nor False")


def open_hdf5(path: Path) -> h5py.File:
    """Open a stranger's HDF5 file for reading; CorpusError where it is none."""
    try:
        return _guarding.open_file(path)
    except OSError as error:
        raise CorpusError(f"{path} is no readable HDF5 file: {str(error).splitlines()[0]}") from error


def refused_dataset(dataset: h5py.Dataset) -> str:
    """Why a dataset is not read: it holds no plain numbers, claims too much, ...; empty where it is."""
    return _guarding.wrong_dataset(dataset)


def refused_size(n_bytes: int) -> str:
    """Why a tensor of so many bytes is not read; empty where it is."""
    limit = _guarding.max_trace_bytes()
    return f"it claims {n_bytes} bytes; a trace has at most {limit} here" if n_bytes > limit else ""
