"""Writing a corpus: `CorpusWriter` makes the folder, `ModelWriter` one model's HDF5 file in it.

The layout itself (paths, attributes, the manifest's schema) is defined in `tracegen.corpus`.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from tensorcodecs.arrays import Array, as_words, dtype_name, resolve_dtype
from tracegen.corpus import _guarding
from tracegen.corpus._sink import Sink, uninterrupted
from tracegen.corpus.checks import check_name, check_text
from tracegen.corpus.reading import (
    CHECKPOINTS,
    DTYPES,
    IDENTITY,
    MANIFEST,
    PHASES,
    ROLES,
    SCHEMA,
    SCHEMA_VERSION,
    SPLITS,
    TRACES,
    Attribute,
    CorpusError,
    ModelInfo,
    TraceInfo,
    corpus_digest,
    model_from_row,
    trace_digest,
    trace_from_row,
    trace_name,
    variant_name,
)

MIN_COMPRESSED_BYTES = 1024
"""Smaller datasets lie plain in the file: a chunk's bookkeeping would cost more than it saves."""
MAX_CHUNK_BYTES = 1 << 20
DENSE_SHARE = 0.7
MAX_COMPACT_ATTRIBUTES = 32


def cut_shape(shape: Sequence[int], itemsize_bytes: int, max_bytes: int) -> tuple[int, ...]:
    """The shape of an array cut along its leading axis to at most `max_bytes`, but at least one row.

    Leading axes of length 1 (a batch of one sample) are passed over. What is kept is always the beginning
    of the array's C-order bytes.
    """
    axis = next((n for n, length in enumerate(shape) if length > 1), 0)
    row_bytes = max(1, itemsize_bytes * math.prod(shape[axis + 1 :]))
    return (*shape[:axis], min(shape[axis], max(1, max_bytes // row_bytes)), *shape[axis + 1 :])


def cut_leading(array: Array, max_bytes: int) -> Array:
    """Cut along the leading axis as `cut_shape` says; never flattens."""
    return array[tuple(map(slice, cut_shape(array.shape, array.itemsize, max_bytes)))]


def _one_of(what: str, value: str, legal: tuple[str, ...]) -> str:
    if value not in legal:
        raise CorpusError(f"{what} {value!r} is not one of {', '.join(legal)}")
    return value


@dataclass(frozen=True)
class Identity:
    """What a trace is of; made before the array is at hand, so that a mistake costs nothing.

    `dtype` says what the bits mean where numpy cannot (uint16 words with dtype "bfloat16"); `pruning` is the
    method, by default "magnitude" where `sparsity` is above 0; `precision` is by default the dtype. Raises
    CorpusError for an unknown role, dtype, phase or split, a name that is not legal, and a sparsity outside
    [0, 1].
    """

    role: str
    layer: str
    dtype: str | None = None
    sparsity: float = 0.0
    pruning: str | None = None
    phase: str = "inference"
    precision: str | None = None
    kind: str = ""
    split: str = "test"

    def __post_init__(self) -> None:
        _one_of("role", self.role, ROLES)
        _one_of("phase", self.phase, PHASES)
        _one_of("split", self.split, SPLITS)
        check_name("layer", self.layer, None)
        for what in ("pruning", "precision", "kind"):
            if value := getattr(self, what):
                check_name(what, value, None)
        if not 0.0 <= self.sparsity <= 1.0:
            raise CorpusError(f"sparsity {self.sparsity} of {self.role}/{self.layer} is not in [0, 1]")

    @property
    def pruning_method(self) -> str:
        """The method, also where it goes without saying."""
        return self.pruning or ("magnitude" if self.sparsity else "none")


class ModelWriter:
    """Writes one model's HDF5 file; made by `CorpusWriter.model`."""

    def __init__(self, h5: h5py.File, info: ModelInfo, sink: Sink) -> None:
        self.info = info
        self._sink = sink
        self.traces: list[TraceInfo] = []
        self.scores: dict[str, float] = {}
        self.divergences: dict[str, Mapping[str, float]] = {}
        self.checkpoints: list[str] = []
        self._h5 = h5
        # Paths: a dataset that stays open would keep its last chunk in memory.
        self._stored: dict[tuple[str, tuple[int, ...], str], str] = {}

    @uninterrupted()
    def add_trace(
        self, array: Array, identity: Identity, *, attributes: Mapping[str, Any] | None = None
    ) -> TraceInfo:
        """Store `array` whole, in its shape.

        Raises CorpusError for an unknown role, dtype, phase or split, a sparsity outside [0, 1], an empty
        array, or a trace that is there already.
        """
        array = _with_dtype(array, identity.dtype)
        where = f"{identity.role}/{identity.layer}"
        if array.size == 0:
            raise CorpusError(f"trace {where} of {self.info.name!r} is empty: shape {array.shape}")
        if array.ndim > _guarding.MAX_DIMENSIONS:
            axes = f"has {array.ndim} axes; at most {_guarding.MAX_DIMENSIONS} are legal"
            raise CorpusError(f"trace {where} of {self.info.name!r} {axes}")
        dtype = _one_of("dtype", dtype_name(array.dtype), DTYPES)
        facts = {**asdict(identity), "dtype": dtype, "precision": identity.precision or dtype}
        variant = variant_name(facts["precision"], identity.sparsity, identity.pruning_method)
        plain = {key: _plain(key, value) for key, value in (attributes or {}).items()}
        trace = TraceInfo(
            **{**facts, "sparsity": float(identity.sparsity), "pruning": identity.pruning_method},
            name=trace_name(self.info.name, variant, identity.role, identity.layer, identity.phase),
            model=self.info.name,
            shape=tuple(array.shape),
            sha256=trace_digest(array),
            attributes={key: value for key, value in plain.items() if not isinstance(value, list)},
        )
        if trace.path in self._h5:
            raise CorpusError(f"trace {trace.name!r} is there twice")
        dataset = self._store(trace.path, array, trace.sha256)
        for key in IDENTITY:
            dataset.attrs[key] = getattr(trace, key)
        for key, value in (attributes or {}).items():
            dataset.attrs[key] = value
        self.traces.append(trace)
        return trace

    @uninterrupted()
    def add_score(
        self,
        *,
        precision: str,
        value: float,
        sparsity: float = 0.0,
        pruning: str = "magnitude",
        divergence: Mapping[str, float] | None = None,
    ) -> None:
        """Store what the variant scores, in the model's metric, on held-out data.

        `divergence` is how far it is from the dense float32 model: see `ModelInfo`.
        """
        variant = variant_name(precision, sparsity, pruning)
        self.scores[variant] = float(value)
        attributes = self._h5.require_group(f"{TRACES}/{variant}").attrs
        attributes["score"] = float(value)
        if divergence:
            self.divergences[variant] = {key: float(number) for key, number in divergence.items()}
            attributes.update(self.divergences[variant])

    @uninterrupted()
    def add_checkpoint(self, pruning: str, tensors: Mapping[str, Array]) -> None:
        """Store the trained tensors, pruned as `pruning_name` says; those that are traces are linked."""
        for name, tensor in tensors.items():
            self._store(f"{CHECKPOINTS}/{pruning}/{name}", tensor, trace_digest(tensor))
        self.checkpoints.append(pruning)

    def _store(self, path: str, array: Array, sha256: str) -> h5py.Dataset:
        key = (dtype_name(array.dtype), tuple(array.shape), sha256)
        if key in self._stored and path.startswith(CHECKPOINTS):
            self._h5[path] = self._h5[self._stored[key]]
            return self._h5[path]
        # 2: a dtype that somebody registered with numpy, as ml_dtypes does; HDF5 knows none of these.
        words = as_words(array).reshape(array.shape) if array.dtype.isbuiltin == 2 else array
        options: dict[str, Any] = {}
        if array.nbytes >= MIN_COMPRESSED_BYTES:
            options = {"compression": "gzip", "compression_opts": 9, "shuffle": _is_dense(words)}
            # One chunk compresses better and needs no index; large arrays are left to h5py's choice.
            options["chunks"] = array.shape if array.nbytes <= MAX_CHUNK_BYTES else True
        dataset = self._h5.create_dataset(path, data=words, track_times=False, dcpl=_properties(), **options)
        self._sink.check()
        self._stored.setdefault(key, path)
        return dataset

    @uninterrupted()
    def _finish(self) -> ModelInfo:
        facts = asdict(self.info)
        for key in ("name", "title", "metric", "higher_is_better", "origin", "licence"):
            self._h5.attrs["model" if key == "name" else key] = facts[key]
        self._h5.attrs["schema"] = SCHEMA
        self._h5.attrs["schema_version"] = SCHEMA_VERSION
        made = {"scores": dict(self.scores), "divergences": dict(self.divergences)}
        return ModelInfo(**{**facts, **made, "checkpoints": tuple(self.checkpoints)})


def _properties() -> Any:  # noqa: ANN401 - h5py's low-level type
    # Attributes beyond the eighth would move to a heap of their own: 3 KiB for every trace.
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_attr_phase_change(MAX_COMPACT_ATTRIBUTES, MAX_COMPACT_ATTRIBUTES)
    return properties


def _is_dense(words: Array) -> bool:
    # Shuffling splits a zero into as many places as it has bytes: of pruned tensors gzip then makes a
    # fifth more (measured on this project's corpus).
    return bool(np.count_nonzero(words) > DENSE_SHARE * words.size)


class CorpusWriter:
    """Writes a corpus folder; it looks whole only once everything in it is (the manifest comes last).

    With a `resume_key` (what the corpus is made of, in words), the models that were finished before an error
    or Ctrl-C are kept beside it, and a writer with the same key to the same folder starts with them in
    `models`.
    """

    def __init__(self, out: Path, *, name: str, version: str, description: str, resume_key: str = "") -> None:
        """Raises CorpusError for a name or a text that readers would refuse.

        And where `out` holds a corpus already: a published trace is never edited.
        """
        self.out = Path(out)
        self._resume_key = resume_key
        self.header = {
            "name": check_name("corpus name", name),
            "version": check_name("corpus version", version),
            "description": check_text("description", description),
        }
        self.models: list[ModelInfo] = []
        self.traces: list[TraceInfo] = []
        self._partial = self.out / ".partial"
        found = [p.name for p in (self.out / MANIFEST, *self.out.glob("*.h5")) if p.exists()]
        if found:
            raise CorpusError(f"{self.out} holds a corpus already ({found[0]}); choose another --out")

    def __enter__(self) -> Self:
        if self._resume_key:
            self._resume()
        if not self.models:
            shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True, exist_ok=True)
        return self

    def _resume(self) -> None:
        for path in sorted(self._partial.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
            data = json.loads(path.read_text(encoding="utf-8"))
            if (data["key"], data["header"]) == (self._resume_key, self.header):
                self.models.append(model_from_row(data["model"]))
                self.traces.extend(trace_from_row(row, SCHEMA_VERSION) for row in data["traces"])

    def _keep(self, info: ModelInfo, traces: Sequence[TraceInfo]) -> None:
        self.models.append(info)
        self.traces.extend(traces)
        if self._resume_key:
            data = {
                "key": self._resume_key,
                "header": self.header,
                "model": asdict(info),
                "traces": [_row(t) for t in traces],
            }
            path = self._partial / f"{info.name}.json"
            path.with_suffix(".part").write_text(json.dumps(data), encoding="utf-8")
            path.with_suffix(".part").replace(path)

    @contextlib.contextmanager
    def model(
        self, name: str, *, title: str, metric: str, higher_is_better: bool, origin: str, licence: str
    ) -> Iterator[ModelWriter]:
        """Open one model's file for writing; CorpusError for a name or a text that readers would refuse."""
        for what, text in (("title", title), ("metric", metric), ("origin", origin), ("licence", licence)):
            check_text(what, text)
        info = ModelInfo(check_name("model", name), title, metric, higher_is_better, origin, licence)
        if any(done.name == name for done in self.models):
            raise CorpusError(f"model {name!r} is there twice")
        with Sink(self._partial / f"{name}.h5", "w+") as sink:
            h5 = h5py.File(sink, "w", libver=("v110", "v110"))
            try:
                writer = ModelWriter(h5, info, sink)
                yield writer
                done = writer._finish()
            finally:
                with uninterrupted():
                    h5.close()
            sink.check()
        self._keep(done, writer.traces)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        published = False
        try:
            if kind is None:
                self._publish()
                published = True
        finally:
            if published or not (self._resume_key and self.models):
                shutil.rmtree(self._partial, ignore_errors=True)

    def _publish(self) -> None:
        if not self.traces:
            raise CorpusError("no trace was written: there is no corpus to publish")
        (self._partial / MANIFEST).write_text(self._manifest(), encoding="utf-8")
        for info in self.models:
            (self._partial / f"{info.name}.h5").replace(self.out / f"{info.name}.h5")
        (self._partial / MANIFEST).replace(self.out / MANIFEST)

    def _manifest(self) -> str:
        traces = tuple(sorted(self.traces, key=lambda t: t.name))
        head = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **self.header}
        head |= {"digest": corpus_digest(traces), "models": [asdict(m) for m in self.models]}
        text = json.dumps(head, indent=1, ensure_ascii=False)
        # One line a trace: the manifest is read by people and compared by git.
        rows = ",\n".join("  " + json.dumps(_row(t), ensure_ascii=False) for t in traces)
        return f'{text[:-2]},\n "traces": [\n{rows}\n ]\n}}\n'


def _row(trace: TraceInfo) -> dict[str, Any]:
    return {key: value for key, value in asdict(trace).items() if key not in ("attributes", "kind") or value}


def _plain(key: str, value: Any) -> Attribute:  # noqa: ANN401 - whatever the maker of a trace hands over
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if not isinstance(plain, str | int | float | bool | list):
        raise CorpusError(f"attribute {value!r} is not a number, a string or an array of them")
    for text in (key, plain):
        if isinstance(text, str):
            check_text(f"attribute {key!r:.60}:", text)
    return plain


def _with_dtype(array: Array, dtype: str | None) -> Array:
    array = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    if dtype is None:
        return array
    wanted = resolve_dtype(dtype)
    given = array.dtype
    if wanted == given or (given.kind == "u" and wanted.itemsize == given.itemsize):
        return as_words(array).view(wanted).reshape(array.shape)
    raise CorpusError(f"dtype {dtype!r} does not fit an array of {given}: it would need a conversion")
