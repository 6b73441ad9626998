"""The plan of a run: which traces meet which codecs and hardware models."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hwmodels
from tensorcodecs import anycodec, arrays, registry
from tensorcodecs.nested.pipeline import Pipeline
from tracegen.corpus import TraceInfo

BASELINE = "raw"
"""The memcpy row: in every plan, since every speed is also given as a multiple of it."""

NOT_INSTALLED = "not installed"
"""The version of a codec whose package is missing: its rows say so, and an installed one gets new rows."""

GLOB_CHARACTERS = frozenset("*?[")
SELECT_KEYS = (
    *("name", "model", "role", "layer", "dtype", "precision", "sparsity", "pruning", "phase"),
    *("kind", "split", "sha256"),
)


class PlanError(ValueError):
    """A plan that cannot be made: an unknown codec, a selection that matches nothing."""


@dataclass(frozen=True)
class Subject:
    """What is judged: a codec or a hardware model, by its canonical spec."""

    spec: str
    kind: str
    version: str
    lossless: bool
    learns: bool = False
    """Whether it learns on `profile` traces before anything is measured, see `suite.fitting`."""
    state_file: Path | None = None
    state_bytes: int = 0
    """What it learned, and its size; `unfitted` says why that is nothing."""
    unfitted: str = ""


def make_subject(spec: str) -> Subject:
    """Resolve a spec such as `zstd:level=3` or `hw/bdi:line_bytes=64`; ValueError if it names nothing.

    A codec whose package is not installed is a subject too, as it is spelled; its cells are skipped.
    """
    if spec.startswith(hwmodels.PREFIX):
        model = hwmodels.get_model(spec)
        return Subject(model.spec, "hardware", model.version, model.codec.lossless, _learns(model))
    try:
        codec = registry.get_codec(spec)
    except registry.NotInstalledError:
        return Subject(spec, "software", NOT_INSTALLED, lossless=True)
    lossless, learns = anycodec.is_lossless(codec), _learns(codec)
    subject = Subject(anycodec.codec_spec(codec), "software", anycodec.codec_version(codec), lossless, learns)
    stages = codec.stages if isinstance(codec, Pipeline) else ()
    if any(_learns(registry.get_codec(stage)) for stage in stages):
        return replace(subject, unfitted="not fitted: stages of a pipeline do not learn")
    return subject


def _learns(judged: object) -> bool:
    """As `tensorcodecs.base.FittedCodec` does; a hardware model may have the methods too."""
    return hasattr(judged, "fit") and hasattr(judged, "with_state") and getattr(judged, "learns", True)


def board_specs() -> tuple[str, ...]:
    """The specs of the leaderboard's default rows: software, then hardware."""
    return (*registry.default_specs(), *hwmodels.default_specs())


def choose_subjects(patterns: str | None) -> list[Subject]:
    """The subjects that comma-separated `patterns` name, and always the memcpy row.

    A pattern with `*`, `?` or `[` picks from the board's rows (and all registered names); any other is a
    spec. None means the whole board.
    """
    specs: list[str] = []
    for pattern in _split("codecs", patterns) if patterns is not None else board_specs():
        specs.extend(_expand(pattern))
    subjects = {s.spec: s for s in (make_subject(spec) for spec in (BASELINE, *specs))}
    return list(subjects.values())


def _split(option: str, text: str) -> list[str]:
    """The parts between commas; an empty one is a slip, and never means everything."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise PlanError(f"--{option} {text!r} has an empty part; leave the option out for all")
    return parts


def _expand(pattern: str) -> list[str]:
    if not GLOB_CHARACTERS & set(pattern):
        return [pattern]
    known = board_specs()
    names = [n for n in (*registry.names(), *hwmodels.names()) if not any(_is_variant(s, n) for s in known)]
    found = [s for s in (*known, *names) if fnmatch.fnmatchcase(s, pattern)]
    if not found:
        raise PlanError(f"no codec matches {pattern!r}; see 'python -m suite list codecs'")
    return found


def _is_variant(spec: str, name: str) -> bool:
    return spec == name or spec.startswith(f"{name}:")


def choose_traces(traces: Sequence[TraceInfo], select: str | None) -> list[TraceInfo]:
    """The traces that match `key=value[|value],key=value`; values may be globs. None means all.

    Raises PlanError for an unknown key or a selection that matches no trace.
    """
    chosen = list(traces)
    for term in _split("select", select) if select is not None else ():
        key, equals, value = term.partition("=")
        if not equals or key not in SELECT_KEYS:
            raise PlanError(
                f"cannot select by {term!r}: it is KEY=VALUE{arrays.did_you_mean(key, SELECT_KEYS)}"
            )
        matches = _matcher(key, value.split("|"))
        seen = sorted({str(getattr(trace, key)) for trace in chosen})
        chosen = [trace for trace in chosen if matches(getattr(trace, key))]
        if not chosen:
            shown = ", ".join(seen[:12]) + (", …" if len(seen) > 12 else "")
            raise PlanError(f"no trace has {key}={value}; the corpus has {shown}")
    return chosen


def peak_traces(traces: Sequence[TraceInfo]) -> set[str]:
    """Names of the traces whose cells tell peak memory: the largest, densest one of each model and dtype.

    Counting it on all costs a sixth of the size phase: malloc first gives back what a call would use again.
    """
    ascending = sorted(traces, key=lambda t: (t.raw_bytes, -t.sparsity, t.name))
    return set({(t.model, t.dtype): t.name for t in ascending}.values())


def _matcher(key: str, wanted: list[str]) -> Callable[[Any], bool]:
    if key == "sparsity":
        try:
            levels = {float(value) for value in wanted}
        except ValueError as error:
            raise PlanError(f"sparsity {'|'.join(wanted)!r} is not a number in [0, 1]") from error
        return levels.__contains__
    if key in ("dtype", "precision"):
        wanted = [value if GLOB_CHARACTERS & set(value) else _full_name(key, value) for value in wanted]
    return lambda value: any(fnmatch.fnmatchcase(value, pattern) for pattern in wanted)


def _full_name(key: str, value: str) -> str:
    """fp32 is float32; a precision need not be a dtype."""
    try:
        return arrays.dtype_name(arrays.resolve_dtype(value))
    except ValueError:
        if key == "dtype":
            raise
        return value
