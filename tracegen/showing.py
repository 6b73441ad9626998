"""What `list` and `show` print: tables of traces, and one trace with its statistics and histograms."""

from __future__ import annotations

import fnmatch
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from tensorcodecs.arrays import did_you_mean, dtype_name, resolve_dtype
from tracegen.corpus import PHASES, ROLES, SPLITS, Corpus, CorpusError, ModelInfo, TraceInfo
from tracegen.corpus.describing import RUN_LENGTHS, Description, Range, Runs, describe, is_packed

COLUMNS = 100
"""How wide `show` may print."""
DIVERGENCES = {"logit_kl_bits": "KL divergence {:.4g} bits", "flips_percent": "{:.3g} % of predictions flip"}
_LABEL_COLUMNS = 11
_BINS = 16
_BAR_COLUMNS = 40
_SHOWN_NUMBERS = 5


@dataclass(frozen=True)
class Filters:
    """Which traces are wanted; None = all. `layer` is a pattern as in file names (`conv*`)."""

    model: str | None = None
    role: str | None = None
    layer: str | None = None
    dtype: str | None = None
    sparsity: float | None = None
    precision: str | None = None
    pruning: str | None = None
    phase: str | None = None
    split: str | None = None
    kind: str | None = None


def select(corpus: Corpus, filters: Filters) -> list[TraceInfo]:
    """The traces that pass; raises CorpusError for a model, role, precision, ... that there is not."""
    dtype = filters.dtype
    if dtype is not None:
        try:
            dtype = dtype_name(resolve_dtype(dtype))
        except ValueError as error:
            raise CorpusError(str(error)) from error
    legal = {"model": tuple(corpus.models), "role": ROLES, "phase": PHASES, "split": SPLITS}
    # These names are open: legal is what the corpus has.
    for key in ("precision", "pruning", "kind"):
        legal[key] = tuple(sorted({getattr(trace, key) for trace in corpus.traces} - {""}))
    wanted = {key: value for key in legal if (value := getattr(filters, key)) is not None}
    for key, value in wanted.items():
        if value not in legal[key]:
            near = did_you_mean(value, legal[key]) if legal[key] else f"; no trace here says its {key}"
            raise CorpusError(f"no {key} {value!r}{near}")
    return [
        trace
        for trace in corpus.traces
        if all(getattr(trace, key) == value for key, value in wanted.items())
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
    """One row a trace: its name (model, precision, pruning, role, layer), shape, size, and the rest."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trace", no_wrap=True)
    for heading in ("shape", "KiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("kind", "phase", "split", "SHA-256"):
        table.add_column(heading, no_wrap=True)
    for trace in traces:
        shape = "x".join(map(str, trace.shape))
        about = (trace.kind, trace.phase, trace.split, trace.sha256[:12])
        table.add_row(trace.name, shape, f"{trace.raw_bytes / 1024:.1f}", *about)
    return table


@dataclass(frozen=True)
class Shown:
    """Everything that `show` says about a trace, in whatever form. `attributes` are the maker's."""

    trace: TraceInfo
    model: ModelInfo
    attributes: Mapping[str, Any]
    description: Description

    @property
    def is_packed(self) -> bool:
        """Whether the words are bytes that hold several weights each."""
        return is_packed(self.trace.precision, self.trace.dtype)


def look_at(corpus: Corpus, trace: TraceInfo) -> Shown:
    """Read a trace (verified) and describe it; raises CorpusError where it is damaged."""
    array = corpus.read(trace)
    attributes = corpus.attributes(trace)
    zero_point = 0 if is_packed(trace.precision, trace.dtype) else attributes.get("zero_point", 0)
    axis = int(attributes.get("axis", 0))
    return Shown(trace, corpus.models[trace.model], attributes, describe(array, zero_point, axis))


def as_json(shown: Shown) -> dict[str, Any]:
    """The same for machines: identity, attributes, the variant's score, statistics with their edges."""
    trace, model = shown.trace, shown.model
    statistics = asdict(shown.description)
    if shown.description.range is not None:
        statistics["range"]["edges"] = shown.description.range.edges
    statistics["run_lengths"] = RUN_LENGTHS
    row = {**asdict(trace), "variant": trace.variant, "raw_bytes": trace.raw_bytes}
    about = ("title", "metric", "higher_is_better", "origin", "licence")
    return row | {
        "attributes": {key: _plain(value) for key, value in shown.attributes.items()},
        "model_info": {key: getattr(model, key) for key in about},
        "score": model.scores.get(trace.variant),
        "divergence": model.divergences.get(trace.variant),
        "is_packed": shown.is_packed,
        "statistics": statistics,
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever an HDF5 attribute holds
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def show_lines(shown: Shown, *, bar: str = "█") -> Iterator[str]:
    """What `show` prints, line by line, none wider than `COLUMNS` (but for a long name)."""
    yield shown.trace.name
    for label, text in _facts(shown):
        yield from _fact_lines(label, text)
    found = shown.description
    if found.range is not None:
        yield from ("", "Packed bytes" if shown.is_packed else "Values", *_value_lines(found.range, bar))
    if found.floats is not None and found.floats.exponents:
        yield from ("", "Exponents of the normal values", *_exponent_lines(found.floats.exponents, bar))
    yield from ("", "Runs of words, by length", *_run_lines(found))


def _fact_lines(label: str, text: str) -> list[str]:
    first = f"  {label:<{_LABEL_COLUMNS}} "
    return textwrap.wrap(text, COLUMNS, initial_indent=first, subsequent_indent=" " * len(first)) or [first]


def _facts(shown: Shown) -> list[tuple[str, str]]:
    trace, model, found = shown.trace, shown.model, shown.description
    score = model.scores.get(trace.variant)
    target = "" if trace.pruning == "none" else f", target {trace.sparsity:.0%}"
    packed = " (several weights in a byte: all below is of bytes)" if shown.is_packed else ""
    facts = [
        ("model", model.title),
        ("layer", f"{trace.layer} ({trace.role}{f', {trace.kind}' if trace.kind else ''})"),
        ("phase", trace.phase),
        ("split", trace.split),
        ("shape", f"{'x'.join(map(str, trace.shape))} = {trace.values:,} values"),
        ("precision", f"{trace.precision}, stored as {trace.dtype}{packed}"),
        ("bytes", f"{trace.raw_bytes:,}"),
        ("SHA-256", f"{trace.sha256} (verified)"),
        ("pruning", f"{trace.pruning}{target}"),
        ("zeros", _zeros(shown)),
        *_statistics(found),
        ("score", "none" if score is None else f"{score:.4f} {model.metric}"),
    ]
    if divergence := model.divergences.get(trace.variant):
        texts = [DIVERGENCES.get(key, f"{key} {{:.4g}}").format(n) for key, n in divergence.items()]
        facts.append(("divergence", f"{', '.join(texts)} (from the dense float32 model)"))
    facts += [("origin", model.origin), ("licence", model.licence)]
    return facts + [(key, _short(value)) for key, value in shown.attributes.items()]


def _zeros(shown: Shown) -> str:
    found = shown.description
    if shown.is_packed:
        return f"{found.zeros:.2%} of the bytes"
    text = f"{found.zeros:.2%} of the values"
    if found.pruned != found.zeros:
        return f"{text}; {found.pruned:.2%} at the zero point (the measured sparsity)"
    return f"{text} (the measured sparsity)"


def _statistics(found: Description) -> list[tuple[str, str]]:
    facts = [("range", "no finite value")]
    if found.range is not None:
        spread = f"standard deviation {found.range.standard_deviation:.6g}"
        facts = [
            ("range", f"{found.range.minimum:.6g} to {found.range.maximum:.6g}"),
            ("mean", f"{found.range.mean:.6g}, {spread}"),
        ]
    entropy = f"{found.byte_entropy_bits:.3f} bits per byte"
    if found.word_entropy_bits is not None and found.word_bits > 8:
        entropy = f"{found.word_entropy_bits:.3f} bits per {found.word_bits}-bit value; {entropy}"
    facts.append(("entropy", f"{entropy} (order 0)"))
    if floats := found.floats:
        widths = (
            f"{floats.sign_bits} sign, {floats.exponent_bits} exponent, {floats.mantissa_bits} mantissa bits"
        )
        facts.append(("fields", widths))
        shares = f"{floats.negative:.2%} negative, {floats.subnormal:.2%} subnormal"
        facts.append(("shares", f"{shares}, {floats.nonfinite:.2%} not finite"))
    return facts


def _short(value: Any) -> str:  # noqa: ANN401 - whatever an HDF5 attribute holds
    if not isinstance(value, np.ndarray):
        return str(value)
    flat = value.ravel()
    shown = ", ".join(f"{number:.6g}" for number in flat[:_SHOWN_NUMBERS].tolist())
    return f"[{shown}{', ...' if flat.size > _SHOWN_NUMBERS else ''}] ({flat.size} values)"


def _bars(counts: Sequence[int], total: int, bar: str) -> list[str]:
    highest = max(counts)
    return [
        f"{count / total:>7.2%} {bar * math.ceil(count / highest * _BAR_COLUMNS)}".rstrip()
        for count in counts
    ]


def _value_lines(found: Range, bar: str) -> list[str]:
    step = len(found.counts) // _BINS
    counts = [sum(found.counts[n : n + step]) for n in range(0, len(found.counts), step)]
    edges = found.edges[::step]
    pairs = zip(edges, _bars(counts, sum(counts), bar), strict=False)  # one edge more than bins
    return [f"  {edge:>12.5g} {text}" for edge, text in pairs]


def _exponent_lines(exponents: Mapping[int, int], bar: str) -> list[str]:
    low, high = min(exponents), max(exponents)
    step = math.ceil((high - low + 1) / _BINS)
    starts = range(low, high + 1, step)
    counts = [sum(exponents.get(e, 0) for e in range(start, start + step)) for start in starts]
    labels = [f"2^{start}" if step == 1 else f"2^{start}..{start + step - 1}" for start in starts]
    pairs = zip(labels, _bars(counts, sum(counts), bar), strict=True)
    return [f"  {label:>12} {text}" for label, text in pairs]


def length_name(first: int, last: int | None) -> str:
    """`1`, `3-4` or `>16`: a class of run lengths."""
    if last is None:
        return f">{first - 1}"
    return str(first) if first == last else f"{first}-{last}"


def _run_lines(found: Description) -> list[str]:
    names = [length_name(*lengths) for lengths in RUN_LENGTHS]
    headings = ("", "runs", "mean", "longest", *names)

    def line(cells: Sequence[str]) -> str:
        return f"  {cells[0]:<10}" + "".join(f"{cell:>9}" for cell in cells[1:])

    def row(label: str, runs: Runs) -> str:
        counts = [f"{count:,}" for count in runs.counts]
        return line([label, f"{runs.runs:,}", f"{runs.mean:.2f}", f"{runs.longest:,}", *counts])

    return [line(headings), row("zero", found.zero_runs), row("non-zero", found.nonzero_runs)]
