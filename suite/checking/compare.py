"""Two runs or reports beside each other: sizes that changed, cells and versions that differ, speeds.

A size depends on the trace's bytes and the codec's version alone, so that with both equal it may not change.
Times are compared only where both were measured on the same machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from suite import machine, results, runfile
from suite.results import Row

CELL = ("trace", "trace_sha256", "codec")
SIZES = ("status", "coded_bits", "state_bits", "effective_bits_32", "effective_bits_64")
RESAMPLES = 200
SEED = 1
COVERED = (0.025, 0.975)


@dataclass
class Comparison:
    """What differs between A and B; every list is empty where nothing does."""

    cells: int
    """In both, with the codec in the same version."""
    sizes: list[Row] = field(default_factory=list)
    """Cells of equal version with another size: the cell, `what`, `a`, `b`."""
    only: dict[str, list[Row]] = field(default_factory=dict)
    """By side: codec and how many cells the other side lacks."""
    versions: list[Row] = field(default_factory=list)
    """Codecs in another version: both versions, the cells in both, both total ratios over these."""
    times: list[Row] = field(default_factory=list)
    """Speeds that changed beyond noise: codec, direction, `b_over_a` of the seconds, both intervals in s."""
    not_timed: str = ""
    """Why times were not compared; empty where they were."""
    other_corpus: bool = False

    def slower(self) -> list[Row]:
        """The codecs that B is slower with."""
        return [row for row in self.times if row["b_over_a"] > 1]


def compare(a: Path, b: Path, percent: float = 10.0) -> Comparison:
    """Compare the runs or reports in two folders; speeds count where they differ by more than `percent`.

    Raises RunError, FileNotFoundError or ValueError for a folder that holds none, or a damaged one.
    """
    facts, tables = [runfile.read_run_file(f) for f in (a, b)], [results.read(f) for f in (a, b)]
    both = tables[0].join(tables[1], on=CELL, how="inner", suffix="_b")
    equal = both.filter(pl.col("codec_version") == pl.col("codec_version_b"))
    found = Comparison(
        cells=len(equal),
        sizes=_sizes(equal),
        only={"A": _only(tables[0], tables[1]), "B": _only(tables[1], tables[0])},
        versions=_versions(both),
        other_corpus=facts[0]["corpus"]["digest"] != facts[1]["corpus"]["digest"],
    )
    machines = [fact["machine"] for fact in facts]
    if machine.identity(machines[0]) != machine.identity(machines[1]):
        names = [f"{m.get('cpu')}, {m.get('usable_cores')} cores, {m.get('system')}" for m in machines]
        found.not_timed = f"A was measured on {names[0]}; B on {names[1]}"
        return found
    timed = both.filter(
        *(pl.col(f"{d}_s{s}").list.len() > 0 for d in ("encode", "decode") for s in ("", "_b"))
    )
    if timed.is_empty():
        found.not_timed = "no cell is timed in both"
    found.times = _times(timed, percent)
    return found


def _sizes(equal: pl.DataFrame) -> list[Row]:
    rows = []
    for name in SIZES:
        changed = equal.filter(pl.col(name).ne_missing(pl.col(f"{name}_b"))).sort(CELL)
        rows += [
            {
                "trace": row["trace"],
                "codec": row["codec"],
                "what": name,
                "a": row[name],
                "b": row[f"{name}_b"],
            }
            for row in changed.iter_rows(named=True)
        ]
    return rows


def _only(table: pl.DataFrame, other: pl.DataFrame) -> list[Row]:
    lone = table.join(other, on=CELL, how="anti")
    return lone.group_by("codec").agg(pl.len().alias("cells")).sort("codec").to_dicts()


def _versions(both: pl.DataFrame) -> list[Row]:
    changed = both.filter(pl.col("codec_version") != pl.col("codec_version_b"))
    ok = pl.col("status").eq("ok") & pl.col("status_b").eq("ok")
    raw = pl.col("raw_bits").filter(ok).sum()
    return (
        changed.group_by("codec", "codec_version", "codec_version_b")
        .agg(
            ok.sum().alias("cells"),
            (raw / pl.col("coded_bits").filter(ok).sum()).alias("a_ratio"),
            (raw / pl.col("coded_bits_b").filter(ok).sum()).alias("b_ratio"),
        )
        .rename({"codec_version": "a", "codec_version_b": "b"})
        .sort("codec", "a", "b")
        .to_dicts()
    )


def _times(timed: pl.DataFrame, percent: float) -> list[Row]:
    """Codecs whose intervals of the total time are disjoint, and whose totals differ by over `percent`."""
    rng = np.random.default_rng(SEED)
    rows = []
    for (codec,), cells in timed.sort(CELL).group_by("codec", maintain_order=True):
        for direction in ("encode", "decode"):
            a, b = (total_s(cells[f"{direction}_s{side}"], rng) for side in ("", "_b"))
            ratio = b[1] / a[1]
            apart = a[2] < b[0] or b[2] < a[0]
            if apart and max(ratio, 1 / ratio) > 1 + percent / 100:
                rows.append({"codec": codec, "direction": direction, "b_over_a": ratio, "a_s": a, "b_s": b})
    return rows


def total_s(repeats: pl.Series, rng: np.random.Generator) -> tuple[float, float, float]:
    """Σ over traces of the median repeat, in seconds: (low, itself, high) of its 95 % bootstrap interval.

    `repeats` is list[float64], a list for each trace; the repeats of each trace are drawn again with
    replacement. One repeat alone has no spread.
    """
    total, draws = 0.0, np.zeros(RESAMPLES)
    lengths = repeats.list.len()
    for length in lengths.unique().sort():
        seconds: npt.NDArray[np.float64] = np.array(repeats.filter(lengths == length).to_list())
        total += float(np.median(seconds, axis=1).sum())
        # One draw of places for all traces of a resample would tie their noise together: each has its own.
        places = rng.integers(0, length, (RESAMPLES, *seconds.shape), dtype=np.int8)
        drawn = np.take_along_axis(np.broadcast_to(seconds, places.shape), places.astype(np.intp), axis=2)
        draws += np.median(drawn, axis=2).sum(axis=1)
    low, high = np.quantile(draws, COVERED)
    return min(float(low), total), total, max(float(high), total)
