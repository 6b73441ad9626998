"""The data card of a corpus: a README made from its manifest, so that the two cannot drift."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tabulate import tabulate

from tracegen.corpus import ROLES, Corpus, ModelInfo, variant_name

CARD = "README.md"
_MIB = 1 << 20
LEGEND = """\
- **weights** lie as they are stored; **activations** are what the next layer reads, on held-out inputs;
  **gradients** are of the weights, for one training batch, zero where a weight is pruned.
- **float16** and **int8** are storage precisions: matrices and the tensors between layers are rounded, sums
  stay float32. float16 gradients are multiplied by `loss_scale`. int8 is symmetric (`zero_point` 0, so that
  zeros are zero bytes): weights have one `scale` per row; activations one, calibrated on training data;
  gradients one.
- A trace with the attribute `full_rows` holds the first rows of a tensor that has that many."""


def write_card(corpus: Corpus, how_trained: Mapping[str, str]) -> Path:
    """Write the card into the corpus folder; `how_trained` has a sentence per model. Returns its path."""
    path = corpus.root / CARD
    path.write_text(make_card(corpus, how_trained), encoding="utf-8", newline="\n")
    return path


def make_card(corpus: Corpus, how_trained: Mapping[str, str]) -> str:
    """The card as Markdown."""
    raw_bytes = sum(trace.raw_bytes for trace in corpus.traces)
    disk_bytes = sum((corpus.root / f"{name}.h5").stat().st_size for name in corpus.models)
    parts = [
        f"# {corpus.name}, version {corpus.version}",
        corpus.description,
        f"{len(corpus.traces)} traces, {raw_bytes / _MIB:.1f} MiB raw; {disk_bytes / _MIB:.1f} MiB on disk "
        f"with the trained tensors of every pruning level. Corpus digest `{corpus.digest}`.",
        "This file is written by `python -m tracegen build`. Check the corpus with "
        "`python -m tracegen verify`, look at it with `python -m tracegen list` and `show`.",
        "## What is in it",
        _counts(corpus),
        LEGEND,
        "## Scores on held-out data",
    ]
    for info in corpus.models.values():
        parts += [f"### {info.name}: {info.title}", _facts(info, how_trained), _scores(corpus, info)]
    return "\n\n".join(parts) + "\n"


def _counts(corpus: Corpus) -> str:
    rows = []
    for model in corpus.models:
        mine = [trace for trace in corpus.traces if trace.model == model]
        by_role = [[trace.raw_bytes for trace in mine if trace.role == role] for role in ROLES]
        rows.append([model, *(f"{len(s)} / {sum(s) / _MIB:.2f}" if s else "" for s in by_role)])
        rows[-1].append(f"{len(mine)} / {sum(trace.raw_bytes for trace in mine) / _MIB:.2f}")
    used = [0, *(n for n in range(1, len(ROLES) + 2) if any(row[n] for row in rows))]
    headers = ["traces / MiB", *ROLES, "all"]
    return _table([[row[n] for n in used] for row in rows], [headers[n] for n in used])


def _facts(info: ModelInfo, how_trained: Mapping[str, str]) -> str:
    facts = [f"Data: {info.origin}.", f"Licence of the data: {info.licence}."]
    return "\n".join(f"- {fact}" for fact in [*facts, f"Training: {how_trained.get(info.name, 'unknown.')}"])


def _scores(corpus: Corpus, info: ModelInfo) -> str:
    mine = [trace for trace in corpus.traces if trace.model == info.name]
    dtypes = sorted(
        {trace.dtype for trace in mine}, key=lambda name: ("float32", "float16", "int8").index(name)
    )
    levels = sorted({trace.sparsity for trace in mine})
    rows = [
        [f"{level:.0%}", *(f"{info.scores[variant_name(dtype, level)]:.3f}" for dtype in dtypes)]
        for level in levels
    ]
    better = "higher is better" if info.higher_is_better else "lower is better"
    return f"{info.metric} ({better}):\n\n{_table(rows, ['pruned', *dtypes])}"


def _table(rows: list[list[str]], headers: list[str]) -> str:
    align = ("left", *("right" for _ in headers[1:]))
    table: str = tabulate(rows, headers=headers, tablefmt="github", colalign=align, disable_numparse=True)
    return table
