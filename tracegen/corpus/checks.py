"""Checks of what users hand over: names, texts, numbers, files. Each raises CorpusError in one line."""

from __future__ import annotations

import numbers
from pathlib import Path

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
