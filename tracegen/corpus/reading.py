"""The corpus format: one HDF5 file per model and a manifest of digests. Nothing else knows the layout.

Layout of a corpus folder (schema version 2)::

    manifest.json              every trace with its SHA-256, every model with its scores
    <model>.h5
      attributes               schema, schema_version, model, title, metric, origin, licence, ...
      /traces/<variant>        see `variant_name`; attribute `score`, and perhaps `logit_kl_bits`, ...
        /<role>/<layer>        the dataset; attributes dtype, precision, sparsity, pruning, phase, sha256, ...
      /checkpoints/<pruning>/<parameter>    the trained tensors, so that nobody has to retrain

A layer traced at a point of the training is `<layer>@start`, `@middle` or `@end`. Types that HDF5 lacks
(bfloat16, float8) are stored as unsigned words of the same width; the attribute `dtype` says what the bits
mean. Only HDF5's built-in filters (shuffle, gzip) are used. Version 1, without precision, kind, split and
points, is still read.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from tensorcodecs.arrays import Array, raw_bytes, resolve_dtype
from tracegen.corpus import _guarding

SCHEMA = "squeezemark-traces"
SCHEMA_VERSION = 2
MANIFEST = "manifest.json"
TRACES = "/traces"
CHECKPOINTS = "/checkpoints"
ROLES = ("weights", "activations", "gradients", "errors", "updates", "kv")
POINTS = ("start", "middle", "end")
PHASES = ("inference", "training", *(f"training-{point}" for point in POINTS))
SPLITS = ("profile", "test", "control")
"""Learned on, judged on, and neither: the untrained model is there to be compared with."""
DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (64, 32, 16, 8)),
)
NAME_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
IDENTITY_1 = ("role", "layer", "dtype", "sparsity", "pruning", "phase", "sha256")
IDENTITY = (*IDENTITY_1, "precision", "kind", "split")

Attribute = str | int | float | bool | list[Any]


class CorpusError(ValueError):
    """Something about a corpus that its user must know, in one line."""


class LockedError(CorpusError):
    """A file of the corpus is sound, for all that is known, but another program has it."""


@dataclass(frozen=True)
class TraceInfo:
    """The identity of a trace: everything about it but its bits.

    `dtype` says what the stored words are, `precision` the number format of the model: packed 4-bit weights
    are `uint8` words of precision `int4`. `kind` is what sort of tensor it is among those of its role, such
    as relu, softmax or first-moment ("" = not said). `sparsity` is the pruning target (0.9 = 90 % of the
    weights pruned), not the measured share of zeros. `sha256` is over the little-endian C-order bytes.
    `attributes` holds what the maker added, such as `scale` and `zero_point`; arrays of them are in the HDF5
    file alone (`Corpus.attributes`).
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
    precision: str
    kind: str = ""
    split: str = "test"
    attributes: Mapping[str, Attribute] = field(default_factory=dict, hash=False)

    @property
    def variant(self) -> str:
        """The model's variant, as `variant_name` gives it."""
        return self.name.split("/")[1]

    @property
    def path(self) -> str:
        """The dataset's path inside the model's HDF5 file."""
        return f"{TRACES}/{self.name.partition('/')[2]}"

    @property
    def file(self) -> str:
        """The HDF5 file's name inside the corpus folder."""
        return f"{self.model}.h5"

    @property
    def values(self) -> int:
        """How many values the trace has."""
        return math.prod(self.shape)

    @property
    def raw_bytes(self) -> int:
        """Uncompressed size in bytes."""
        return self.values * resolve_dtype(self.dtype).itemsize


@dataclass(frozen=True)
class ModelInfo:
    """A traced model: what it is, where it is from, and what each of its variants scores.

    `divergences` has, by variant, how far it is from the dense float32 model: `logit_kl_bits` (mean
    Kullback-Leibler divergence of the predictions) and `flips_percent` (predictions that changed).
    """

    name: str
    title: str
    metric: str
    higher_is_better: bool
    origin: str
    licence: str
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    divergences: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)
    checkpoints: tuple[str, ...] = ()


def trace_name(model: str, variant: str, role: str, layer: str, phase: str) -> str:
    """A trace's name; one of a training point says so: `lenet5/float32-s0/gradients/fc1@start`."""
    _, _, point = phase.partition("-")
    return f"{model}/{variant}/{role}/{layer}{'@' if point else ''}{point}"


def variant_name(precision: str, sparsity: float, pruning: str = "magnitude") -> str:
    """Name of a model's variant: `float32-s90` is float32, magnitude-pruned to 90 %.

    Another method stands before the level: `int8-block4x4-s80`.
    """
    return f"{precision}-{pruning_name(sparsity, pruning)}"


def pruning_name(sparsity: float, pruning: str = "magnitude") -> str:
    """`s90` for 90 % by magnitude, `block4x4-s80` for 80 % by another method, `s0` for none."""
    level = f"s{round(sparsity * 100, 4):g}"
    return level if pruning in ("magnitude", "none") else f"{pruning}-{level}"


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
        self.schema_version: int = header["schema_version"]
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
            data = _manifest(path)
            models = {row["name"]: model_from_row(row) for row in data["models"]}
            traces = tuple(trace_from_row(row, data["schema_version"]) for row in data["traces"])
            corpus = cls(root, data, models, traces)
        except (LookupError, TypeError, AttributeError) as error:
            raise CorpusError(f"{path} is damaged: {type(error).__name__} {error}") from error
        if len({trace.name for trace in traces}) != len(traces):
            raise CorpusError(f"{path} is damaged: it has a trace twice")
        if corpus_digest(traces) != corpus.digest:
            raise CorpusError(f"{path} is damaged: its traces do not add up to its corpus digest")
        return corpus

    def read(self, trace: TraceInfo, *, check: bool = True) -> Array:
        """The trace's array, in its shape and dtype; with `check`, only after its digest was verified.

        Raises CorpusError where the file or the dataset is missing, damaged, or not what the manifest says.
        """
        try:
            dataset = self._dataset(trace.file, trace.path)
            dtype = resolve_dtype(trace.dtype)
            # Checked before anything is read: a damaged header must not make us allocate.
            if dataset.shape != trace.shape:
                raise CorpusError(
                    f"{trace.name}: shape {dataset.shape} stored, {trace.shape} in the manifest"
                )
            if dataset.dtype.itemsize != dtype.itemsize or dataset.dtype.kind not in "iuf":
                raise CorpusError(f"{trace.name}: stored dtype {dataset.dtype}, manifest {trace.dtype}")
            array: Array = np.asarray(dataset[()])
        except (KeyError, OSError, RuntimeError, AttributeError, TypeError) as error:
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
                stored = self._attributes(trace)
                keys = IDENTITY_1 if self.schema_version == 1 else IDENTITY
                wrong = [k for k in keys if not _is_same(stored.get(k), getattr(trace, k))]
                yield trace, f"attribute {wrong[0]} differs from the manifest's" if wrong else None
            except CorpusError as error:
                yield trace, str(error)

    def attributes(self, trace: TraceInfo) -> dict[str, Any]:
        """What the maker added, arrays such as one `scale` per row included; numpy arrays and scalars.

        Raises CorpusError where the file or the dataset is missing or damaged.
        """
        return {key: value for key, value in self._attributes(trace).items() if key not in IDENTITY}

    def checkpoint(self, model: str, pruning: str) -> dict[str, Array]:
        """The trained tensors of a model, pruned as `pruning_name` says; CorpusError where there are none."""
        info = self.models.get(model)
        if info is None or pruning not in info.checkpoints:
            raise CorpusError(f"{self.root} has no checkpoint {pruning!r} of {model!r}")
        try:
            names = list(self._file(f"{model}.h5")[f"{CHECKPOINTS}/{pruning}"])
            paths = {name: f"{CHECKPOINTS}/{pruning}/{name}" for name in names}
            return {name: np.asarray(self._dataset(f"{model}.h5", path)[()]) for name, path in paths.items()}
        except (KeyError, OSError, RuntimeError) as error:
            raise CorpusError(f"{self.root / model}.h5: cannot read its checkpoint: {error}") from error

    def _dataset(self, file: str, path: str) -> h5py.Dataset:
        """The dataset, after all that its header says was checked; KeyError where there is none."""
        opened = self._file(file)
        wrong = _guarding.wrong_link(opened, path)
        if not wrong:
            dataset = opened[path]
            wrong = _guarding.wrong_dataset(dataset) if isinstance(dataset, h5py.Dataset) else "is no dataset"
        if wrong:
            raise CorpusError(f"{self.root / file}: {path} {wrong}")
        return dataset

    def _attributes(self, trace: TraceInfo) -> dict[str, Any]:
        try:
            dataset = self._dataset(trace.file, trace.path)
            if wrong := _guarding.wrong_attributes(dataset):
                raise CorpusError(f"{self.root / trace.file}: {trace.path} {wrong}")
            return dict(dataset.attrs)
        except (KeyError, OSError, RuntimeError, TypeError) as error:
            raise CorpusError(f"{self.root / trace.file}: cannot read {trace.path}: {error}") from error

    def _file(self, name: str) -> h5py.File:
        if name not in self._open_files:
            path = self.root / name
            if not path.is_file():
                raise CorpusError(f"{path} is missing")
            if wrong := _guarding.wrong_file(self.root, path) or _guarding.wrong_content(path):
                raise CorpusError(f"{path} {wrong}")
            try:
                self._open_files[name] = _guarding.open_file(path)
            except OSError as error:
                if _guarding.is_lock(error):
                    raise LockedError(f"{path} is locked: another program writes to it ({error})") from error
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


def _is_same(stored: Any, named: Any) -> bool:  # noqa: ANN401 - any attribute, an array of a stranger's, too
    return np.shape(stored) == () and bool(stored == named)


def _manifest(path: Path) -> dict[str, Any]:
    """The manifest as it is, but for its traces checked; whatever json raises, and CorpusError."""
    if path.stat().st_size > _guarding.MAX_MANIFEST_BYTES:
        raise CorpusError(f"{path} is larger than {_guarding.MAX_MANIFEST_BYTES} bytes")
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wrong = _guarding.wrong_header(data) if data["schema"] == SCHEMA else ""
    except (RecursionError, ValueError) as error:
        raise CorpusError(f"{path} is damaged: {type(error).__name__} {error}") from error
    if data["schema"] != SCHEMA or data["schema_version"] not in range(1, SCHEMA_VERSION + 1):
        raise CorpusError(
            f"{path}: schema {data['schema']} {data['schema_version']}, "
            f"but this version reads {SCHEMA} up to {SCHEMA_VERSION}"
        )
    if wrong:
        raise CorpusError(f"{path} is damaged: {wrong}")
    return data


def model_from_row(row: Mapping[str, Any]) -> ModelInfo:
    """A model as the manifest has it; of either version."""
    # Version 1 has levels, such as 0.9, where version 2 has names.
    names = (c if isinstance(c, str) else pruning_name(c) for c in row["checkpoints"])
    return ModelInfo(**{**row, "checkpoints": tuple(names)})


def trace_from_row(row: Mapping[str, Any], schema_version: int) -> TraceInfo:
    """A trace as the manifest has it; CorpusError where a name, shape or size in it cannot be."""
    if wrong := _guarding.wrong_trace(row):
        raise CorpusError(wrong)
    since_2 = {"precision": row["dtype"]} if schema_version == 1 else {}
    return TraceInfo(**{**since_2, **row, "shape": tuple(row["shape"])})
