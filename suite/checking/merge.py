"""Joining runs of different codecs over the same corpus to one, as if one run had measured them all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from suite import machine, results, runfile
from suite.measuring.fitting import STATES_FOLDER
from suite.plan import NOT_INSTALLED
from suite.runfile import Facts
from suite.safetext import visible

CELL = ("trace", "codec")
SIZES = ("status", "coded_bits", "state_bits", "effective_bits_32", "effective_bits_64")
MERGED = "merged_from"
"""In run.json: the runs that it was made of, whose times are in it, and what else differed between them."""


def merge(folders: Sequence[Path], out: Path) -> pl.DataFrame:
    """Write the joined run into the new folder `out`; returns its results.

    Times are those of the first run's machine; the cells that others timed are kept without, and say so.
    Raises RunError for other corpora, a codec in two versions, or cells that contradict each other.
    """
    if len(folders) < 2:
        raise runfile.RunError(f"{len(folders)} run given: merging takes two or more")
    if out.exists() and any(out.iterdir()):
        raise runfile.RunError(f"{out} is not empty; choose another --out")
    facts = [runfile.read_run_file(folder) for folder in folders]
    for folder, fact in zip(folders[1:], facts[1:], strict=True):
        if fact["corpus"]["digest"] != facts[0]["corpus"]["digest"]:
            digests = [f["corpus"]["digest"][:12] for f in (facts[0], fact)]
            raise runfile.RunError(
                f"{folders[0]} and {folder} are over different corpora ({digests[0]}… and {digests[1]}…)"
            )
    is_timed_here = [machine.identity(f["machine"]) == machine.identity(facts[0]["machine"]) for f in facts]
    tables = [
        _marked(results.read(folder), n, is_here, fact)
        for n, (folder, is_here, fact) in enumerate(zip(folders, is_timed_here, facts, strict=True))
    ]
    table = _joined(pl.concat(tables), folders)
    out.mkdir(parents=True, exist_ok=True)
    results.write(table, out)
    _copy_states(folders, out)
    runfile.write_run_file(out, _facts(folders, facts, is_timed_here, table))
    return table


def _marked(table: pl.DataFrame, number: int, is_timed_here: bool, facts: Facts) -> pl.DataFrame:
    """With the run's number; times of another machine are taken out, and the reason says so."""
    table = table.with_columns(run=pl.lit(number))
    if is_timed_here:
        return table
    timed = (pl.col("encode_s").list.len() > 0) & (pl.col("reason") == "")
    why = f"not timed: its times are of another machine, {facts['machine'].get('cpu')}"
    empty = pl.lit([], pl.List(pl.Float64))
    return table.with_columns(
        reason=pl.when(timed).then(pl.lit(why)).otherwise(pl.col("reason")), encode_s=empty, decode_s=empty
    )


def _joined(table: pl.DataFrame, folders: Sequence[Path]) -> pl.DataFrame:
    """One row for each cell: measured before failed, timed before not, else the first run's."""
    installed = table.filter(pl.col("codec_version") != NOT_INSTALLED)["codec"].unique()
    # A run without the package knows nothing that the run with it does not.
    table = table.filter(
        (pl.col("codec_version") != NOT_INSTALLED) | ~pl.col("codec").is_in(installed.implode())
    )
    _refuse_two_versions(table, folders)
    _refuse_contradictions(table, folders)
    worse = {"failed": pl.col("status") == "failed", "untimed": pl.col("encode_s").list.len() == 0}
    order = table.with_columns(**worse).sort(*CELL, *worse, "run")
    return order.unique(CELL, keep="first", maintain_order=True).select(*results.SCHEMA).sort(*CELL)


def _refuse_two_versions(table: pl.DataFrame, folders: Sequence[Path]) -> None:
    versions = table.group_by("codec", "codec_version").agg(pl.col("run").min()).sort("codec", "run")
    for (codec,), rows in versions.group_by("codec", maintain_order=True):
        if len(rows) > 1:
            (one, at), (other, there) = rows.select("codec_version", "run").rows()[:2]
            raise runfile.RunError(
                f"{codec} is version {one} in {folders[at]} and {other} in {folders[there]}: "
                "a board shows one version of a codec"
            )


def _refuse_contradictions(table: pl.DataFrame, folders: Sequence[Path]) -> None:
    # A failure may be the machine's (a timeout); two sizes of the same bytes by one version cannot both be.
    table = table.filter(pl.col("status") != "failed")
    facts = pl.struct("trace_sha256", "raw_bits", *SIZES)
    kinds = table.group_by(CELL).agg(facts.n_unique().alias("facts"), pl.col("run").unique().sort())
    clashing = kinds.filter(pl.col("facts") > 1).sort(CELL)
    if clashing.is_empty():
        return
    trace, codec, _, runs = clashing.row(0)
    cells = table.filter(pl.col("trace") == trace, pl.col("codec") == codec).sort("run")
    sizes = ", ".join(str(bits) for bits in cells["coded_bits"])
    names = ", ".join(str(folders[n]) for n in runs)
    raise runfile.RunError(
        f"{len(clashing)} cells contradict each other in {names}; first {trace} by {codec}: "
        f"coded bits {sizes}"
    )


def _copy_states(folders: Sequence[Path], out: Path) -> None:
    """What codecs learned; a state's name holds its digest, so that equal names are equal files."""
    for folder in folders:
        for path in sorted((folder / STATES_FOLDER).glob("*.bin")):
            (out / STATES_FOLDER).mkdir(exist_ok=True)
            shutil.copyfile(path, out / STATES_FOLDER / path.name)


def _facts(
    folders: Sequence[Path], facts: Sequence[Facts], is_timed_here: Sequence[bool], table: pl.DataFrame
) -> Facts:
    plans = [fact.get("last_plan", {}) for fact in facts]
    selects = {plan.get("select") for plan in plans}
    # Of facts about hardware a later run may know more; the machine and versions are those of the first run.
    by_model = {
        key: {spec: entry for fact in facts for spec, entry in fact.get(key, {}).items()}
        for key in ("hardware", "hardware_models")
        if any(key in fact for fact in facts)
    }
    others = {key: value for fact in reversed(facts) for key, value in fact.items()}
    return {
        **others,
        **facts[0],
        "last_plan": {
            "traces": table["trace"].n_unique(),
            "select": selects.pop() if len(selects) == 1 else None,
            "codecs": list(dict.fromkeys(spec for plan in plans for spec in plan.get("codecs", ()))),
            "timing": any(plan.get("timing") for plan in plans),
        },
        **by_model,
        "phases": {},
        MERGED: [
            {
                "run": visible(folder.name),
                "times_kept": kept,
                **{key: fact.get(key) for key in ("machine", "versions", "phases")},
            }
            for folder, fact, kept in zip(folders, facts, is_timed_here, strict=True)
        ],
    }
