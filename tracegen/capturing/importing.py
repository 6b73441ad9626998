"""Importing a user's own arrays: an index in JSON and `.npy` files beside it become a corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tensorcodecs.arrays import Array, did_you_mean, dtype_name, resolve_dtype
from tracegen.corpus import DTYPES, PHASES, ROLES, SPLITS, Corpus, CorpusError
from tracegen.corpus.checks import check_content, check_finite, check_name, plain_name
from tracegen.corpus.recording import profile_layers
from tracegen.corpus.writing import CorpusWriter, Identity, ModelWriter
from tracegen.progress import Report

REQUIRED_KEYS = ("file", "model", "role", "layer", "dtype")
OPTIONAL_KEYS = ("sparsity", "pruning", "phase", "precision", "kind", "split")
VERSION = "1"


@dataclass(frozen=True)
class Entry:
    """One array of the index; `where` names it in messages. See `import_arrays` for the fields."""

    where: str
    file: str
    model: str
    role: str
    layer: str
    dtype: str
    sparsity: float = 0.0
    pruning: str | None = None
    phase: str = "inference"
    precision: str | None = None
    kind: str = ""
    split: str | None = None


def import_arrays(
    index: Path,
    out: Path,
    *,
    name: str,
    origin: str,
    licence: str,
    allow_nonfinite: bool,
    report: Report,
) -> Corpus:
    """Make a corpus in `out` of the arrays that `index` lists; returns it, opened.

    `index` holds a list of objects with the keys file (a `.npy` file, beside the index), model, role, layer,
    dtype (float32, fp32, bf16, ...), and, where wanted, sparsity (0 to 1), pruning, phase, precision, kind
    and split. Types that numpy lacks come as unsigned words: bfloat16 as uint16. Where no entry says its
    split, every fourth layer of a model is for codecs to learn from, if it has eight or more.

    Raises CorpusError for everything that is wrong with the index or an array: among them empty arrays
    and, without `allow_nonfinite`, arrays with NaNs or infinities.
    """
    entries = _with_splits(read_index(index), report)
    report.start(f"importing {index.name}", len(entries))
    writer = CorpusWriter(
        out, name=name, version=VERSION, description=f"Imported from {plain_name(index.name)}."
    )
    with writer:
        for model in dict.fromkeys(entry.model for entry in entries):
            facts = {"title": model, "metric": "none", "origin": origin, "licence": licence}
            with writer.model(model, higher_is_better=True, **facts) as model_writer:
                for entry in (entry for entry in entries if entry.model == model):
                    _add(entry, index.parent / entry.file, model_writer, allow_nonfinite=allow_nonfinite)
                    report.step()
    return Corpus.open(out)


def _with_splits(entries: list[Entry], report: Report) -> list[Entry]:
    """The entries with a split each: as they say, or chosen where none says anything."""
    if any(entry.split for entry in entries):
        return [replace(entry, split=entry.split or "test") for entry in entries]
    learned_on: set[tuple[str, str]] = set()
    for model in dict.fromkeys(entry.model for entry in entries):
        layers = dict.fromkeys(entry.layer for entry in entries if entry.model == model)
        learned_on |= {(model, layer) for layer in profile_layers(list(layers))}
    splits = ["profile" if (entry.model, entry.layer) in learned_on else "test" for entry in entries]
    if learned_on:
        chosen = f"{splits.count('profile')} of {len(entries)} arrays, every fourth layer,"
        report.note(f"{chosen} are for codecs to learn from (split profile); the index can say others")
    return [replace(entry, split=split) for entry, split in zip(entries, splits, strict=True)]


def read_index(path: Path) -> list[Entry]:
    """The entries of an index file; raises CorpusError naming the wrong entry and the legal values."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CorpusError(f"index {path}: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CorpusError(f"index {path} is no JSON: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise CorpusError(f"index {path} must hold a list of at least one entry, not {_kind(rows)}")
    return [_entry(f"{path.name} entry {number}", row) for number, row in enumerate(rows, 1)]


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an empty list", str: "a string", type(None): "null", bool: "a boolean"}
    return names.get(type(value), "a number")


def _entry(where: str, row: object) -> Entry:
    if not isinstance(row, dict):
        raise CorpusError(f"{where} must be an object with {', '.join(REQUIRED_KEYS)}, not {_kind(row)}")
    legal = (*REQUIRED_KEYS, *OPTIONAL_KEYS)
    for key in row:
        if key not in legal:
            raise CorpusError(f"{where}: unknown key {key!r}{did_you_mean(key, legal)}")
    for key in REQUIRED_KEYS:
        if key not in row:
            raise CorpusError(f"{where} lacks {key!r}; needed are {', '.join(REQUIRED_KEYS)}")
    for key in row.keys() - {"sparsity"}:
        if not isinstance(row[key], str):
            raise CorpusError(f"{where}: {key} must be a string, not {_kind(row[key])}")
    where = f"{where} ({row['file']})"
    check_name(f"{where}: model", row["model"])
    check_name(f"{where}: layer", row["layer"], None)
    _choice(where, "role", row["role"], ROLES)
    _choice(where, "phase", row.get("phase", "inference"), PHASES)
    _choice(where, "split", row.get("split", "test"), SPLITS)
    return Entry(where, **{**row, "dtype": _dtype(where, row["dtype"]), "sparsity": _sparsity(where, row)})


def _choice(where: str, what: str, value: str, legal: Sequence[str]) -> None:
    if value not in legal:
        near = did_you_mean(value, tuple(legal))
        listed = "" if near.startswith("; legal") else f" (legal: {', '.join(legal)})"
        raise CorpusError(f"{where}: no {what} {value!r}{near}{listed}")


def _dtype(where: str, name: str) -> str:
    try:
        full_name = dtype_name(resolve_dtype(name))
    except ValueError as error:
        raise CorpusError(f"{where}: {error}") from error
    _choice(where, "dtype", full_name, DTYPES)
    return full_name


def _sparsity(where: str, row: Mapping[str, Any]) -> float:
    value = row.get("sparsity", 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise CorpusError(f"{where}: sparsity {value!r} is not a number in [0, 1]")
    return float(value)


def _add(entry: Entry, path: Path, writer: ModelWriter, *, allow_nonfinite: bool) -> None:
    array = _load(entry, path)
    dtype = resolve_dtype(entry.dtype)
    comes_as_words = dtype.isbuiltin != 1  # a type of ml_dtypes, which no .npy file can say
    words = np.dtype(f"uint{8 * dtype.itemsize}")
    if comes_as_words and array.dtype.kind == "V" and array.dtype.names is None:
        # How numpy saves what ml_dtypes made: bytes, whose meaning the index tells.
        array = array.view(words) if array.dtype.itemsize == words.itemsize else array
    if array.dtype != dtype and not (comes_as_words and array.dtype == words):
        hint = f", or {words} words" if comes_as_words else ""
        raise CorpusError(
            f"{entry.where}: the index says {entry.dtype}, the file holds {array.dtype}; "
            f"it must hold {entry.dtype}{hint} (nothing is converted)"
        )
    if array.ndim == 0:
        raise CorpusError(f"{entry.where} is a single number: shape (); a trace has at least one axis")
    if array.size == 0:
        raise CorpusError(f"{entry.where} is empty: shape {array.shape}; a trace needs at least one value")
    values = array if array.dtype == dtype else array.view(dtype)
    if not allow_nonfinite:
        check_finite(entry.where, values)
    try:
        writer.add_trace(
            array,
            Identity(
                role=entry.role,
                layer=entry.layer,
                dtype=entry.dtype,
                sparsity=entry.sparsity,
                pruning=entry.pruning,
                phase=entry.phase,
                precision=entry.precision,
                kind=entry.kind,
                split=entry.split or "test",
            ),
        )
    except CorpusError as error:
        raise CorpusError(f"{entry.where}: {error}") from error


def _load(entry: Entry, path: Path) -> Array:
    if path.suffix != ".npy":
        raise CorpusError(
            f"{entry.where}: only .npy files are read, not {path.suffix or 'a file without suffix'!r}"
        )
    try:
        check_content(path)
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise CorpusError(f"{entry.where}: {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, SyntaxError) as error:
        reason = str(error).splitlines()[0]
        raise CorpusError(f"{entry.where}: {path} is no readable .npy file: {reason}") from error
    # Digests are over little-endian bytes; swapping them keeps every value.
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
