"""Recording traces one by one: each is checked, cut, named and written at once, so that none is kept."""

from __future__ import annotations

import contextlib
import fnmatch
import numbers
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorcodecs.arrays import Array, did_you_mean, dtype_name
from tracegen.corpus._storing import check_precisions, stored
from tracegen.corpus.checks import check_count, check_finite, check_flag, check_name, check_text, shown
from tracegen.corpus.reading import CorpusError
from tracegen.corpus.writing import CorpusWriter, Identity, ModelWriter, cut_shape

DEFAULT_MAX_BYTES = 1 << 20
VERSION = "1"
LAYERS_MIN, ONE_IN = 8, 4
"""From so many layers on, one in so many is for codecs to learn from."""
MAX_NAMED = 12
"""Of more layers than these, a message names the first ones."""


@dataclass(frozen=True)
class Captured:
    """A trace before it is written; its dtype is the array's. `kind` is as in `tracegen.corpus.TraceInfo`."""

    array: Array
    role: str
    layer: str
    phase: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    whole: tuple[float, float] | None = None
    """The range of the tensor that the array was cut from, where a precision needs it."""
    precision: str | None = None
    """The model's number format, where the dtype does not tell it."""


@dataclass(frozen=True)
class Facts:
    """What a recorded corpus says about its one model, and how its traces are cut and checked.

    `sparsity` (0 to 1) is the pruning target of the weights; `max_bytes` bounds each trace. Tensors are
    stored in `precisions`, too. Layers like `profile` are for codecs to learn from; None leaves the choice.
    Traces below `min_bytes`, and those that would make more than `total_bytes`, are left out and counted.
    Raises CorpusError for a value of another type or out of range, and for a text that a reader would refuse.
    """

    model_name: str
    name: str = "captured"
    origin: str = "captured by its user"
    licence: str = "not stated"
    sparsity: float = 0.0
    max_bytes: int = DEFAULT_MAX_BYTES
    allow_nonfinite: bool = False
    precisions: tuple[str, ...] = ()
    profile: tuple[str, ...] | None = None
    min_bytes: int = 0
    total_bytes: int | None = None

    def __post_init__(self) -> None:
        for what in ("model_name", "name"):
            check_name(what, getattr(self, what))
        for what in ("origin", "licence"):
            check_text(what, getattr(self, what))
        check_count("max_bytes", self.max_bytes)
        if self.min_bytes != 0:
            check_count("min_bytes", self.min_bytes)
        if self.total_bytes is not None:
            check_count("total_bytes", self.total_bytes)
        check_flag("allow_nonfinite", self.allow_nonfinite)
        object.__setattr__(self, "precisions", check_precisions(self.precisions))
        is_number = isinstance(self.sparsity, numbers.Real) and not isinstance(self.sparsity, bool)
        if not is_number or not 0.0 <= self.sparsity <= 1.0:
            raise CorpusError(f"sparsity {shown(self.sparsity)} is no number in [0, 1]")


@dataclass(frozen=True)
class Row:
    """A trace that was recorded, or that a dry run would record: its path, dtype, shape and raw bytes."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    raw_bytes: int


def layer_name(parameter: str) -> str:
    """The layer of a parameter: `conv1` for `conv1.weight`, `lstm1.weight_ih` as it is."""
    return parameter.removesuffix(".weight")


def legal_name(name: str) -> str:
    """`name` with what the corpus allows in no name replaced by an underscore."""
    legal = re.sub(r"[^A-Za-z0-9_.+-]", "_", name)
    return legal if re.match(r"[A-Za-z0-9_]", legal) else f"_{legal}"


def matching(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those of `names` that match at least one of the patterns, such as `conv*`, in their order.

    Raises CorpusError with the nearest name for a pattern that matches none.
    """
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise CorpusError(f"no layer matches {pattern!r}{nearest(pattern.strip('*'), names)}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def nearest(name: str, legal: Sequence[str]) -> str:
    """As `did_you_mean`, but of many legal names only the first few are listed."""
    near = did_you_mean(name, tuple(legal))
    if near.startswith("; legal") and len(legal) > MAX_NAMED:
        return f"; legal are {', '.join(legal[:MAX_NAMED])} and {len(legal) - MAX_NAMED} more"
    return near


def profile_layers(layers: Sequence[str]) -> tuple[str, ...]:
    """The layers for codecs to learn from: the fourth, the eighth, ...; none of fewer than eight."""
    return tuple(layers[ONE_IN - 1 :: ONE_IN]) if len(layers) >= LAYERS_MIN else ()


class Recorder:
    """Writes traces as they come; made by `recording`.

    `rows` holds what was recorded (never the values), `notes` a line for each thing that was left out.
    """

    def __init__(self, facts: Facts, writer: ModelWriter | None) -> None:
        """Without a writer everything is checked and nothing written."""
        self.facts = facts
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self._noted: set[str] = set()
        self._writer = writer
        self._paths: set[str] = set()
        self._profile: tuple[str, ...] = ()
        self._ranges: dict[str, tuple[float, float]] = {}
        self._recorded_bytes = 0
        self._left_out: Counter[str] = Counter()

    def choose_profile(self, layers: Sequence[str]) -> None:
        """Choose, of all that will come, the layers for codecs to learn from.

        Raises CorpusError for a pattern of the facts that matches none.
        """
        names = [legal_name(layer) for layer in dict.fromkeys(layers)]
        patterns = self.facts.profile
        self._profile = profile_layers(names) if patterns is None else tuple(matching(patterns, names))

    def widen(self, layer: str, found: tuple[float, float]) -> None:
        """Let the calibrated range of a layer's activations hold `found`, too."""
        low, high = self._ranges.get(layer, found)
        self._ranges[layer] = (min(low, found[0]), max(high, found[1]))

    def _split_of(self, layer: str) -> str:
        is_learned_on = any(layer == name or layer.startswith(f"{name}.") for name in self._profile)
        return "profile" if is_learned_on else "test"

    def note(self, text: str) -> None:
        """Note, once, what was left out and why."""
        if text not in self._noted:
            self._noted.add(text)
            self.notes.append(text)

    def cut(self, shape: Sequence[int], itemsize_bytes: int) -> tuple[tuple[slice, ...], dict[str, int]]:
        """What of an array of that shape is kept, as an index, and the attributes that say so."""
        if 0 in shape or not shape:
            return (), {}
        kept = cut_shape(shape, itemsize_bytes, self.facts.max_bytes)
        full_rows = [length for length, rows in zip(shape, kept, strict=True) if length != rows]
        return tuple(map(slice, kept)), ({"full_rows": full_rows[0]} if full_rows else {})

    def add(self, trace: Captured) -> None:
        """Write the trace, which was cut already.

        One without an axis or without values is noted, not written. Raises CorpusError for NaNs and
        infinities, unless they are allowed, and OSError where the disk is full.
        """
        where = f"{trace.role}/{trace.layer}"
        if trace.array.ndim == 0 or trace.array.size == 0:
            self.note(f"{where} skipped: shape {trace.array.shape} has no axis or no values")
            return
        if not self.facts.allow_nonfinite:
            check_finite(where, trace.array)
        layer = self._free_layer(trace)
        self._write(trace, layer, trace.array, trace.attributes, trace.precision)
        whole = (
            self._ranges.get(re.sub(r"\.step\d+$", "", trace.layer)) if trace.role == "activations" else None
        )
        for precision in self.facts.precisions:
            try:
                found = stored(trace.array, trace.role, precision, whole or trace.whole)
            except ValueError as error:
                self.note(f"{where} not stored in {precision}: {error}")
                continue
            if found is not None:
                self._write(trace, layer, found.words, {**trace.attributes, **found.attributes}, precision)

    def _write(
        self, trace: Captured, layer: str, words: Array, attributes: Mapping[str, Any], precision: str | None
    ) -> None:
        facts = self.facts
        if words.nbytes < facts.min_bytes:
            self._left_out[f"below {facts.min_bytes} bytes (min_bytes)"] += 1
            return
        if facts.total_bytes is not None and self._recorded_bytes + words.nbytes > facts.total_bytes:
            self._left_out[f"beyond {facts.total_bytes} bytes in all (total_bytes)"] += 1
            return
        self._recorded_bytes += words.nbytes
        if self._writer is not None:
            identity = Identity(
                role=trace.role,
                layer=layer,
                sparsity=self.facts.sparsity,
                phase=trace.phase,
                precision=precision,
                kind=trace.kind,
                split=self._split_of(layer),
            )
            self._writer.add_trace(words, identity, attributes=attributes)
        self.rows.append(Row(f"{trace.role}/{layer}", dtype_name(words.dtype), words.shape, words.nbytes))

    def note_left_out(self) -> None:
        """Note, in one line, how many traces were left out by their size."""
        if self._left_out:
            parts = (f"{count} traces {why}" for why, count in self._left_out.items())
            self.note(f"left out: {', '.join(parts)}")

    def _free_layer(self, trace: Captured) -> str:
        layer = legal_name(trace.layer)
        number = 2
        while (path := f"{trace.precision}/{trace.role}/{layer}") in self._paths:
            layer = f"{legal_name(trace.layer)}-{number}"
            number += 1
        self._paths.add(path)
        return layer


@contextlib.contextmanager
def recording(out: Path, facts: Facts, *, dry_run: bool = False) -> Iterator[Recorder]:
    """Inside the `with` block, traces are recorded; at its end the corpus in `out` is published.

    An error inside, Ctrl-C included, publishes nothing. Raises CorpusError for facts that are not legal,
    where `out` holds a corpus already, and where nothing was recorded.
    """
    corpus = CorpusWriter(out, name=facts.name, version=VERSION, description=f"Captured: {facts.model_name}.")
    if dry_run:
        recorder = Recorder(facts, None)
        yield recorder
        recorder.note_left_out()
        return
    with (
        corpus,
        corpus.model(
            facts.model_name,
            title=facts.model_name,
            metric="none",
            higher_is_better=True,
            origin=facts.origin,
            licence=facts.licence,
        ) as writer,
    ):
        recorder = Recorder(facts, writer)
        yield recorder
        recorder.note_left_out()
        if not recorder.rows:
            raise CorpusError(f"nothing was captured: {'; '.join(recorder.notes) or 'no tensor came by'}")
