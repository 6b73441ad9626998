"""The data card of a corpus: a README made from its manifest, so that the two cannot drift."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tracegen.corpus._meanings import (
    PHASE_MEANINGS,
    PRECISION_MEANINGS,
    PRUNING_MEANINGS,
    ROLE_MEANINGS,
    SCHEMA_TEXT,
    SPLIT_MEANINGS,
)
from tracegen.corpus.croissant import CROISSANT
from tracegen.corpus.reading import (
    PHASES,
    ROLES,
    SPLITS,
    Corpus,
    ModelInfo,
    TraceInfo,
    pruning_name,
    variant_name,
)

CARD = "README.md"
_MIB = 1 << 20
_STOCHASTIC = "-stochastic"
_DENSE = variant_name("float32", 0.0)
POINTS_LOST = 2.0
PERCENT_LOST = 2.0


@dataclass(frozen=True)
class Variant:
    """A variant's name, taken apart; `pruning` is "none" for a dense one."""

    precision: str
    pruning: str
    sparsity: float

    @property
    def label(self) -> str:
        """How it was pruned: `dense`, `90 %` (by magnitude) or `block4x4 80 %`."""
        level = f"{self.sparsity * 100:g} %"
        return {"none": "dense", "magnitude": level}.get(self.pruning, f"{self.pruning} {level}")

    @property
    def order(self) -> tuple[int, str, float]:
        """For sorting prunings."""
        return (*_rank(self.pruning, tuple(PRUNING_MEANINGS)), self.sparsity)


def write_card(corpus: Corpus, how_trained: Mapping[str, str]) -> Path:
    """Write the card into the corpus folder; `how_trained` has a sentence per model. Returns its path."""
    path = corpus.root / CARD
    path.write_text(make_card(corpus, how_trained), encoding="utf-8", newline="\n")
    return path


def make_card(corpus: Corpus, how_trained: Mapping[str, str]) -> str:
    """The card as Markdown."""
    raw_bytes = sum(trace.raw_bytes for trace in corpus.traces)
    disk_bytes = sum((corpus.root / f"{name}.h5").stat().st_size for name in corpus.models)
    checkpoints = any(info.checkpoints for info in corpus.models.values())
    parts = [
        f"# {corpus.name}, version {corpus.version}",
        corpus.description,
        f"{len(corpus.traces)} traces of {len(corpus.models)} models, {raw_bytes / _MIB:.1f} MiB raw; "
        f"{disk_bytes / _MIB:.1f} MiB on disk{' with the trained tensors' if checkpoints else ''}. "
        f"Corpus digest `{corpus.digest}`.",
        "This file is written by `python -m tracegen build`. Check the corpus with "
        "`python -m tracegen verify`, look at it with `python -m tracegen list` and `show`. "
        f"`{CROISSANT}`, where it is there, describes the corpus for machines (Croissant 1.1).",
        "## Read it",
        _read_it(corpus),
        "## What is in it",
        *_contents(corpus),
        *_legend(corpus),
        "## Scores on held-out data",
    ]
    for info in corpus.models.values():
        parts += [f"### {info.name}: {info.title}", _facts(info, how_trained), *_scores(corpus, info)]
    parts += ["## Where accuracy is lost", *_losses(corpus)]
    parts += ["## Known biases", _biases(corpus), "## Schema", SCHEMA_TEXT]
    return "\n\n".join(parts) + "\n"


def _read_it(corpus: Corpus) -> str:
    return f"""\
```python
from pathlib import Path
from tracegen.corpus import Corpus

corpus = Corpus.open(Path("."))
array = corpus.read(corpus.traces[0])  # {corpus.traces[0].name}, verified
```"""


def _contents(corpus: Corpus) -> list[str]:
    """Tables of cells, each "traces / MiB"."""
    by_pruning = {t.variant: Variant(t.precision, t.pruning, t.sparsity) for t in corpus.traces}
    tables: list[tuple[str, Callable[[TraceInfo], str], Callable[[TraceInfo], Any]]] = [
        ("precision", lambda t: t.precision, lambda t: precision_order(t.precision)),
        ("pruned", lambda t: by_pruning[t.variant].label, lambda t: by_pruning[t.variant].order),
        ("phase", lambda t: t.phase, lambda t: PHASES.index(t.phase)),
        ("kind", lambda t: t.kind or "(not said)", lambda t: (not t.kind, t.kind)),
    ]
    parts = ["Every cell is traces / MiB."]
    for heading, label, order in tables:
        if heading != "kind" or any(trace.kind for trace in corpus.traces):
            rows = [*_cross(corpus, label, order), _cells("all", corpus, corpus.traces)]
            parts.append(_table(rows, [heading, *_roles(corpus)]))
    splits = [split for split in SPLITS if any(trace.split == split for trace in corpus.traces)]
    rows = [
        _cells(model, corpus, mine) + [_count(t for t in mine if t.split == split) for split in splits]
        for model in corpus.models
        if (mine := [trace for trace in corpus.traces if trace.model == model])
    ]
    total = _cells("all", corpus, corpus.traces)
    total += [_count(t for t in corpus.traces if t.split == split) for split in splits]
    return [*parts, _table([*rows, total], ["model", *_roles(corpus), *splits])]


def _roles(corpus: Corpus) -> list[str]:
    return [*(role for role in ROLES if any(trace.role == role for trace in corpus.traces)), "all"]


def _cross(
    corpus: Corpus, label: Callable[[TraceInfo], str], order: Callable[[TraceInfo], Any]
) -> list[list[str]]:
    orders = {label(trace): order(trace) for trace in corpus.traces}
    labels = sorted(orders, key=lambda name: orders[name])
    return [_cells(name, corpus, [t for t in corpus.traces if label(t) == name]) for name in labels]


def _cells(label: str, corpus: Corpus, traces: Sequence[TraceInfo]) -> list[str]:
    return [label, *(_cell([t for t in traces if role in ("all", t.role)]) for role in _roles(corpus))]


def _cell(traces: Sequence[TraceInfo]) -> str:
    return f"{len(traces)} / {sum(trace.raw_bytes for trace in traces) / _MIB:.2f}" if traces else ""


def _count(traces: Iterable[TraceInfo]) -> str:
    return str(sum(1 for _ in traces) or "")


def _legend(corpus: Corpus) -> list[str]:
    """What the labels mean: of those that the corpus has."""

    def listed(title: str, meanings: Mapping[str, str], present: set[str]) -> list[str]:
        lines = [f"- **{name}**: {text}" for name, text in meanings.items() if name in present]
        return [f"{title}\n\n" + "\n".join(lines)] if lines else []

    traces = corpus.traces
    names = {trace.precision for trace in traces}
    notes = [
        "What the quantiser rounds to is stored; `scale`, and where needed `zero_point` and `axis`, come as "
        "attributes. A trace with the attribute `full_shape` or `full_rows` is the beginning of a tensor of "
        "that shape, or of so many rows."
    ]
    if any(name.endswith(_STOCHASTIC) for name in names):
        notes[0] = f"A precision that ends in `{_STOCHASTIC}` rounds at random, unbiased. {notes[0]}"
    return [
        *listed("Roles:", ROLE_MEANINGS, {trace.role for trace in traces}),
        *listed("Phases:", PHASE_MEANINGS, {trace.phase for trace in traces}),
        *listed("Splits:", SPLIT_MEANINGS, {trace.split for trace in traces}),
        *listed("Precisions:", PRECISION_MEANINGS, {name.removesuffix(_STOCHASTIC) for name in names}),
        *listed("Pruning methods:", PRUNING_MEANINGS, {trace.pruning for trace in traces}),
        *notes,
    ]


def _facts(info: ModelInfo, how_trained: Mapping[str, str]) -> str:
    facts = [f"Data: {info.origin}.", f"Licence of the data: {info.licence}."]
    return "\n".join(f"- {fact}" for fact in [*facts, f"Training: {how_trained.get(info.name, 'unknown.')}"])


def _rank(name: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


def precision_order(name: str) -> tuple[int, str]:
    """For sorting precisions: wide before narrow, a stochastic one after its like."""
    return (_rank(name.removesuffix(_STOCHASTIC), tuple(PRECISION_MEANINGS))[0], name)


def parse_variant(name: str) -> Variant:
    """`int8-block4x4-s80` taken apart; a method that is not known is read as part of the precision."""
    head, _, level = name.rpartition("-s")
    sparsity = float(level) / 100 if re.fullmatch(r"\d+(\.\d+)?", level) else 0.0
    for method in sorted(PRUNING_MEANINGS, key=len, reverse=True):
        if head.endswith(f"-{method}"):
            return Variant(head.removesuffix(f"-{method}"), method, sparsity)
    return Variant(head, "magnitude" if sparsity else "none", sparsity)


def _variants(corpus: Corpus, info: ModelInfo) -> dict[str, Variant]:
    """Every scored variant; what the traces say goes before what can be read from its name."""
    traced = {
        trace.variant: Variant(trace.precision, trace.pruning, trace.sparsity)
        for trace in corpus.traces
        if trace.model == info.name
    }
    return {name: traced.get(name, parse_variant(name)) for name in info.scores}


def _scores(corpus: Corpus, info: ModelInfo) -> list[str]:
    variants = _variants(corpus, info)
    if not variants:
        return ["It has no scores."]
    better = "higher is better" if info.higher_is_better else "lower is better"
    scores = {name: f"{score:.3f}" for name, score in info.scores.items()}
    parts = [f"{info.metric} ({better}):", _grid(variants, scores)]
    divergences = (
        ("logit_kl_bits", ".4f", "Kullback-Leibler divergence of the predictions from those of the dense"),
        ("flips_percent", ".2f", "Predictions, in %, that differ from those of the dense"),
    )
    for key, digits, title in divergences:
        cells = {name: f"{row[key]:{digits}}" for name, row in info.divergences.items() if key in row}
        if cells:
            unit = ", in bits" if key == "logit_kl_bits" else ""
            parts += [f"{title} float32 model{unit} (`{key}`):", _grid(variants, cells)]
    return parts


def _grid(variants: Mapping[str, Variant], cells: Mapping[str, str]) -> str:
    """Rows are prunings, columns precisions; only those with a cell."""
    used = {name: variants.get(name) or parse_variant(name) for name in cells}
    precisions = sorted({variant.precision for variant in used.values()}, key=precision_order)
    prunings = sorted({(v.pruning, v.sparsity) for v in used.values()}, key=lambda p: Variant("", *p).order)
    by_place = {(v.pruning, v.sparsity, v.precision): cells[name] for name, v in used.items()}
    rows = [
        [Variant("", *pruning).label, *(by_place.get((*pruning, name), "") for name in precisions)]
        for pruning in prunings
    ]
    return _table(rows, ["pruned", *precisions])


def _loss(info: ModelInfo, score: float, dense: float) -> tuple[float, bool]:
    """How much worse than the dense float32 score, in points or %, and whether that is too much."""
    worse = dense - score if info.higher_is_better else score - dense
    if _in_points(info):
        return worse, worse > POINTS_LOST
    percent = 100 * worse / abs(dense) if dense else 0.0
    return percent, percent > PERCENT_LOST


def _in_points(info: ModelInfo) -> bool:
    return info.metric.startswith("accuracy")


def _losses(corpus: Corpus) -> list[str]:
    """Every variant that scores clearly worse than its dense float32 model."""
    controls = {model for model in corpus.models if _is_control(corpus, model)}
    judged = [i for name, i in corpus.models.items() if name not in controls and _DENSE in i.scores]
    rules = [
        (f"more than {POINTS_LOST:g} points of accuracy", any(_in_points(info) for info in judged)),
        (f"more than {PERCENT_LOST:g} % of any other metric", any(not _in_points(info) for info in judged)),
    ]
    rule = ", or ".join(text for text, applies in rules if applies)
    if not judged:
        return ["No model has the score of a dense float32 variant to compare with."]
    rows, count = [], 0
    for info in judged:
        lost: dict[tuple[str, float], list[tuple[tuple[int, str], str]]] = {}
        unit = "" if _in_points(info) else " %"
        for name, variant in _variants(corpus, info).items():
            loss, too_much = _loss(info, info.scores[name], info.scores[_DENSE])
            if too_much:
                text = f"{variant.precision} {loss:.1f}{unit}"
                place = lost.setdefault((variant.pruning, variant.sparsity), [])
                place.append((precision_order(variant.precision), text))
                count += 1
        for pruning in sorted(lost, key=lambda p: Variant("", *p).order):
            cells = ", ".join(text for _, text in sorted(lost[pruning]))
            rows.append([info.name, Variant("", *pruning).label, cells])
    total = sum(len(info.scores) - 1 for info in judged)
    parts = [
        f"Variants that lose {rule} against the dense float32 model, with how much: {count} of {total}. "
        f"All others are within.{_except(controls)}"
    ]
    if rows:
        parts.append(_table(rows, ["model", "pruned", "lost"], ("left", "left", "left")))
    return parts


def _except(controls: set[str]) -> str:
    names = ", ".join(sorted(controls))
    return f" Not compared: {names}, which is there as a control." if controls else ""


def _is_control(corpus: Corpus, model: str) -> bool:
    splits = {trace.split for trace in corpus.traces if trace.model == model}
    return splits == {"control"}


def _biases(corpus: Corpus) -> str:
    """What a reader must know before generalising: only what applies to this corpus."""
    origins = " ".join(info.origin for info in corpus.models.values())
    precisions = {trace.precision.removesuffix(_STOCHASTIC) for trace in corpus.traces}
    found = [
        (len(corpus.models) == 1, "One model: nothing here says how others differ."),
        ("load_digits" in origins, "Digits of 8x8 pixels give feature maps far smaller than photographs do."),
        ("load_sample_images" in origins, "Two photographs stand for all natural images."),
        (
            "pydoc" in origins,
            "One English text, a programming language's reference, stands for all text.",
        ),
        (
            len({info.origin for info in corpus.models.values()}) < len(corpus.models),
            "Several models share a data set, so that they are not independent samples.",
        ),
        (True, _sizes(corpus)),
        (
            any(precision != "float32" for precision in precisions),
            "Narrow precisions were made by rounding after the training"
            + (
                ", except ternary and binary, which were fine-tuned."
                if precisions & {"ternary", "binary"}
                else "."
            )
            + " Precisions are those of storage: sums stay float32, where an accelerator may round them.",
        ),
        (
            any({"full_rows", "full_shape"} & set(corpus.attributes(trace)) for trace in corpus.traces),
            "Long tensors are cut along their leading axis: only their first rows are here.",
        ),
        (True, "One seed: no spread between trainings is known."),
    ]
    return "\n".join(f"- {text}" for applies, text in found if applies and text)


def _sizes(corpus: Corpus) -> str:
    """How large the models are, by their dense trained tensors."""
    dense = pruning_name(0.0)
    sizes = [
        sum(tensor.size for tensor in corpus.checkpoint(name, dense).values())
        for name, info in corpus.models.items()
        if dense in info.checkpoints
    ]
    if not sizes:
        return ""
    low, high = f"{min(sizes):,}", f"{max(sizes):,}"
    text = low if low == high else f"{low} to {high}"
    others = len(corpus.models) - len(sizes)
    ends = f" ({others} without trained tensors here not counted)" if others else ""
    return f"The models are small beside today's: their trained tensors hold {text} values{ends}."


def _table(rows: list[list[str]], headers: list[str], align: Sequence[str] = ()) -> str:
    align = align or ("left", *("right" for _ in headers[1:]))
    table: str = tabulate(rows, headers=headers, tablefmt="github", colalign=align, disable_numparse=True)
    return table
