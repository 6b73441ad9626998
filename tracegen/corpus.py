"""The corpus format: one HDF5 file per model and a manifest of digests. Nothing else knows the layout.

Layout of a corpus folder (schema version 1)::

    manifest.json              every trace with its SHA-256, every model with its scores
    <model>.h5
      attributes               schema, schema_version, model, title, metric, origin, licence, ...
      /traces/<variant>        <variant> is "<dtype>-s<percent pruned>"; attribute `score`
        /<role>/<layer>        the dataset; attributes dtype, sparsity, pruning, phase, sha256, ...
      /checkpoints/s<percent>/<parameter>   the trained tensors, so that nobody has to retrain

Types that HDF5 lacks (bfloat16, float8) are stored as unsigned words of the same width; the attribute
`dtype` says what the bits mean. Only HDF5's built-in filters (shuffle, gzip) are used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import raw_bytes, resolve_dtype

SCHEMA = "squeezemark-traces"
SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
TRACES = "/traces"
CHECKPOINTS = "/checkpoints"
ROLES = ("weights", "activations", "gradients", "errors", "updates", "kv")
PHASES = ("inference", "training")
DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (64, 32, 16, 8)),
)
NAME_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
IDENTITY = ("role", "layer", "dtype", "sparsity", "pruning", "phase", "sha256")

Attribute = str | int | float | bool | list[Any]
Array = npt.NDArray[Any]


class CorpusError(ValueError):
    """Something about a corpus that its user must know, in one line."""


@dataclass(frozen=True)
class TraceInfo:
    """The identity of a trace: everything about it but its bits.

    `sparsity` is the pruning target (0.9 = 90 % of the weights pruned), not the measured share of zeros.
    `sha256` is over the little-endian C-order bytes. `attributes` holds what the maker added, such as
    `scale` and `zero_point`.
    """

    name: str
    model: str
    role: str
    layer: str
    dtype: str
    sparsity: float
    pruning: str
    phase: str
    shape: tuple[int, ...]
    sha256: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict, hash=False)

    @property
    def path(self) -> str:
        """The dataset's path inside the model's HDF5 file."""
        return f"{TRACES}/{variant_name(self.dtype, self.sparsity)}/{self.role}/{self.layer}"

    @property
    def file(self) -> str:
        """The HDF5 file's name inside the corpus folder."""
        return f"{self.model}.h5"

    @property
    def values(self) -> int:
        """How many values the trace has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def raw_bytes(self) -> int:
        """Uncompressed size in bytes."""
        return self.values * resolve_dtype(self.dtype).itemsize


@dataclass(frozen=True)
class ModelInfo:
    """A traced model: what it is, where it is from, and what each of its variants scores."""

    name: str
    title: str
    metric: str
    higher_is_better: bool
    origin: str
    licence: str
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    checkpoints: tuple[float, ...] = ()


def variant_name(dtype: str, sparsity: float) -> str:
    """Name of a model's variant: `float32-s90` is float32, pruned to 90 %."""
    return f"{dtype}-{sparsity_name(sparsity)}"


def sparsity_name(sparsity: float) -> str:
    """`s90` for 0.9: the pruning level in percent."""
    return f"s{round(sparsity * 100, 4):g}"


def corpus_digest(traces: tuple[TraceInfo, ...]) -> str:
    """SHA-256 over every trace's name, dtype, shape and digest, sorted by name: the corpus's identity."""
    lines = sorted(f"{t.name} {t.dtype} {list(t.shape)} {t.sha256}\n" for t in traces)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def trace_digest(array: Array) -> str:
    """SHA-256 of the array's little-endian C-order bytes."""
    return hashlib.sha256(raw_bytes(array).data).hexdigest()


class Corpus:
    """A corpus folder, opened for reading."""

    def __init__(
        self,
        root: Path,
        header: Mapping[str, Any],
        models: Mapping[str, ModelInfo],
        traces: tuple[TraceInfo, ...],
    ) -> None:
        """Use `Corpus.open`."""
        self.root = root
        self.name: str = header["name"]
        self.version: str = header["version"]
        self.description: str = header["description"]
        self.digest: str = header["digest"]
        self.models = models
        self.traces = traces
        self._open_files: dict[str, h5py.File] = {}

    @classmethod
    def open(cls, root: Path) -> Corpus:
        """Read the manifest (not the traces) of the corpus in `root`.

        Raises CorpusError where there is none, or where it is damaged or of another schema.
        """
        root = Path(root)
        path = root / MANIFEST
        if not root.is_dir():
            raise CorpusError(f"no corpus at {root}: there is no such folder")
        if not path.is_file():
            raise CorpusError(
                f"no corpus at {root}: it holds no {MANIFEST} (make one with 'python -m tracegen')"
            )
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if (data["schema"], data["schema_version"]) != (SCHEMA, SCHEMA_VERSION):
                raise CorpusError(
                    f"{path}: schema {data['schema']} {data['schema_version']}, "
                    f"but this version reads {SCHEMA} {SCHEMA_VERSION}"
                )
            models = {
                m["name"]: ModelInfo(**{**m, "checkpoints": tuple(m["checkpoints"])}) for m in data["models"]
            }
            traces = tuple(_trace_from_row(row) for row in data["traces"])
            corpus = cls(root, data, models, traces)
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise CorpusError(f"{path} is damaged: {type(error).__name__} {error}") from error
        if corpus_digest(traces) != corpus.digest:
            raise CorpusError(f"{path} is damaged: its traces do not add up to its corpus digest")
        return corpus

    def read(self, trace: TraceInfo, *, check: bool = True) -> Array:
        """The trace's array, in its shape and dtype; with `check`, only after its digest was verified.

        Raises CorpusError where the file or the dataset is missing, damaged, or not what the manifest says.
        """
        try:
            dataset = self._file(trace.file)[trace.path]
            dtype = resolve_dtype(trace.dtype)
            # Checked before anything is read: a damaged header must not make us allocate.
            if not isinstance(dataset, h5py.Dataset) or dataset.shape != trace.shape:
                raise CorpusError(
                    f"{trace.name}: shape {dataset.shape} stored, {trace.shape} in the manifest"
                )
            if dataset.dtype.itemsize != dtype.itemsize or dataset.dtype.kind not in "iuf":
                raise CorpusError(f"{trace.name}: stored dtype {dataset.dtype}, manifest {trace.dtype}")
            array: Array = np.asarray(dataset[()])
        except (KeyError, OSError, RuntimeError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise CorpusError(f"{self.root / trace.file}: cannot read {trace.path}: {reason}") from error
        if array.dtype != dtype:
            array = array.view(dtype)
        if check and (found := trace_digest(array)) != trace.sha256:
            raise CorpusError(
                f"{trace.name}: digest {found[:12]}… is not the manifest's {trace.sha256[:12]}…"
            )
        return array

    def verify(self) -> Iterator[tuple[TraceInfo, str | None]]:
        """Recompute every digest: yields each trace with None, or with what is wrong."""
        for trace in self.traces:
            try:
                self.read(trace)
                stored = self._file(trace.file)[trace.path].attrs
                wrong = [k for k in IDENTITY if stored.get(k) != getattr(trace, k)]
                yield trace, f"attribute {wrong[0]} differs from the manifest's" if wrong else None
            except CorpusError as error:
                yield trace, str(error)

    def checkpoint(self, model: str, sparsity: float) -> dict[str, Array]:
        """The trained tensors of a model at one pruning level; CorpusError where there are none."""
        info = self.models.get(model)
        if info is None or sparsity not in info.checkpoints:
            raise CorpusError(f"{self.root} has no checkpoint of {model!r} at sparsity {sparsity}")
        try:
            group = self._file(f"{model}.h5")[f"{CHECKPOINTS}/{sparsity_name(sparsity)}"]
            return {name: np.asarray(dataset[()]) for name, dataset in group.items()}
        except (KeyError, OSError, RuntimeError) as error:
            raise CorpusError(f"{self.root / model}.h5: cannot read its checkpoint: {error}") from error

    def _file(self, name: str) -> h5py.File:
        if name not in self._open_files:
            path = self.root / name
            if not path.is_file():
                raise CorpusError(f"{path} is missing")
            try:
                self._open_files[name] = h5py.File(path, "r")
            except OSError as error:
                raise CorpusError(f"{path} is no readable HDF5 file (truncated?): {error}") from error
        return self._open_files[name]

    def close(self) -> None:
        """Close the HDF5 files."""
        while self._open_files:
            self._open_files.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _trace_from_row(row: Mapping[str, Any]) -> TraceInfo:
    trace = TraceInfo(**{**row, "shape": tuple(row["shape"])})
    if not NAME_PATTERN.fullmatch(trace.model):  # it becomes a file's name
        raise CorpusError(f"model {trace.model!r} of {trace.name!r} is no legal name")
    return trace
