"""What `list` and `show` print: tables of traces, and one trace with its statistics and a histogram."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from tensorcodecs.arrays import did_you_mean, dtype_name, resolve_dtype
from tracegen.corpus import ROLES, Corpus, CorpusError, TraceInfo

_BINS = 16
_BAR_COLUMNS = 40
_SHOWN_NUMBERS = 6


@dataclass(frozen=True)
class Filters:
    """Which traces are wanted; None = all. `layer` is a pattern as in file names (`conv*`)."""

    model: str | None = None
    role: str | None = None
    layer: str | None = None
    dtype: str | None = None
    sparsity: float | None = None


def select(corpus: Corpus, filters: Filters) -> list[TraceInfo]:
    """The traces that pass; raises CorpusError for a model, role or dtype that there is not."""
    dtype = filters.dtype
    if dtype is not None:
        try:
            dtype = dtype_name(resolve_dtype(dtype))
        except ValueError as error:
            raise CorpusError(str(error)) from error
    for what, value, legal in (("model", filters.model, tuple(corpus.models)), ("role", filters.role, ROLES)):
        if value is not None and value not in legal:
            raise CorpusError(f"no {what} {value!r}{did_you_mean(value, legal)}")
    return [
        trace
        for trace in corpus.traces
        if filters.model in (None, trace.model)
        and filters.role in (None, trace.role)
        and dtype in (None, trace.dtype)
        and filters.sparsity in (None, trace.sparsity)
        and fnmatch.fnmatchcase(trace.layer, filters.layer or "*")
    ]


def find(corpus: Corpus, name: str) -> TraceInfo:
    """The trace called `name`; raises CorpusError with the nearest match."""
    by_name = {trace.name: trace for trace in corpus.traces}
    if name not in by_name:
        near = did_you_mean(name, tuple(by_name))
        if near.startswith("; legal"):
            near = f"; 'list' shows all {len(by_name)}"
        raise CorpusError(f"no trace {name!r} in {corpus.root}{near}")
    return by_name[name]


def trace_table(traces: Iterable[TraceInfo]) -> Table:
    """One row a trace: its name, shape, size and digest."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trace", no_wrap=True)
    for heading in ("shape", "KiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("phase", no_wrap=True)
    table.add_column("SHA-256", no_wrap=True)
    for trace in traces:
        shape = "x".join(map(str, trace.shape))
        table.add_row(trace.name, shape, f"{trace.raw_bytes / 1024:.1f}", trace.phase, trace.sha256[:12])
    return table


def trace_facts(corpus: Corpus, trace: TraceInfo) -> list[tuple[str, str]]:
    """Everything `show` says about a trace before the histogram: pairs of a label and its text."""
    array = corpus.read(trace)
    info = corpus.models[trace.model]
    score = info.scores.get(trace.variant)
    zeros = np.count_nonzero(array == 0) / array.size
    facts = [
        ("model", info.title),
        ("layer", f"{trace.layer} ({trace.role}, {trace.phase})"),
        ("shape", f"{'x'.join(map(str, trace.shape))} = {trace.values:,} values"),
        ("dtype", trace.dtype),
        ("bytes", f"{trace.raw_bytes:,}"),
        ("SHA-256", f"{trace.sha256} (verified)"),
        ("pruning", f"{trace.pruning}, target {trace.sparsity:.0%}"),
        ("zeros", f"{zeros:.2%} of the values"),
        *_range(array),
        ("score", "none" if score is None else f"{score:.4f} {info.metric}"),
        ("origin", info.origin),
        ("licence", info.licence),
    ]
    return facts + [(key, _short(value)) for key, value in corpus.attributes(trace).items()]


def _range(array: npt.NDArray[Any]) -> list[tuple[str, str]]:
    values = array.astype(np.float64)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return [("range", "no finite value")]
    facts = [
        ("range", f"{finite.min():.6g} to {finite.max():.6g}"),
        ("mean", f"{finite.mean():.6g}, standard deviation {finite.std():.6g}"),
    ]
    if finite.size < values.size:
        facts.append(("non-finite", f"{values.size - finite.size:,} values"))
    return facts


def _short(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return str(value)
    shown = ", ".join(f"{number:.6g}" for number in value[:_SHOWN_NUMBERS])
    return f"[{shown}{', ...' if len(value) > _SHOWN_NUMBERS else ''}] ({len(value)} values)"


def histogram_lines(array: npt.NDArray[Any], *, bar: str = "█") -> list[str]:
    """A histogram of the finite values, a line a bin: its lower edge, its share, a bar."""
    values = array.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        return []
    counts, edges = np.histogram(values, _BINS)
    widths = np.ceil(counts / counts.max() * _BAR_COLUMNS).astype(int)
    return [
        f"{edge:>12.5g} {count / values.size:>7.2%} {bar * width}"
        for edge, count, width in zip(edges, counts, widths, strict=False)  # one edge more than bins
    ]
