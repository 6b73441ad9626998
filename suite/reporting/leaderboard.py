"""The statistics behind every table, computed from the records and from nothing else.

Aggregate ratios are *totals*, sum of raw bits over sum of coded bits (what a memory saves), unless a
column says *geometric mean* (over traces). Only lossless codecs whose every trace was verified are ranked,
and on the traces of the split `test` alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from suite.plan import BASELINE
from suite.reporting.breakdowns import SPLIT_ORDER, Breakdown, Group, breakdowns
from suite.results import Row

IDENTITY = (
    *("trace", "model", "role", "layer", "dtype", "sparsity", "precision", "pruning", "phase"),
    *("tensor_kind", "split", "raw_bits"),
)
JUDGED = "test"
"""The split that ranks."""


@dataclass(frozen=True)
class Board:
    """A leaderboard: its rows in rank order, what they were measured on, and what is not in them."""

    rows: list[Row]
    lossy: list[Row]
    breakdowns: dict[str, Breakdown]
    """What the ratios are broken down by; the key of each `Group` is a key of the rows."""
    traces: int
    raw_bytes: int
    """Of all traces measured, of every split; `verified` in a row counts these too."""
    splits: tuple[str, ...]
    """The splits that were measured."""
    judged: int
    judged_bytes: int
    """The traces that codecs are ranked on, and all figures but those of the breakdown `split` are over:
    those of the split `test`, or all where none of that split was measured. Of control models also `model`
    tells."""
    not_ok: list[Row]
    """Cells that failed or were skipped: codec, status, how many, and the first with its reason."""


def build(table: pl.DataFrame) -> Board:
    """The size leaderboard of a run's results; depends on sizes alone, never on times."""
    traces = table.unique("trace").select(IDENTITY).sort("trace")
    splits = tuple(sorted(traces["split"].unique(), key=SPLIT_ORDER.index))
    on = traces.filter(pl.col("split") == JUDGED) if JUDGED in splits else traces
    judged = frozenset(on["trace"])
    found = breakdowns(traces.to_dicts(), judged)
    groups = [group for breakdown in found.values() for group in breakdown.groups]
    ok = table.filter(pl.col("status") == "ok").sort("codec", "trace")
    rows = [_row(cells, judged, groups) for _, cells in ok.group_by("codec", maintain_order=True)]
    rows = [row for row in rows if row]
    for row in rows:
        row["complete"] = row["verified"] == len(traces)
    rows.sort(key=lambda row: (not row["complete"], -row["total_ratio"], row["codec"]))
    lossless = [row for row in rows if row["lossless"]]
    _rank(lossless)
    return Board(
        rows=lossless,
        lossy=[row for row in rows if not row["lossless"]],
        breakdowns=found,
        traces=len(traces),
        raw_bytes=int(traces["raw_bits"].sum()) // 8,
        splits=splits,
        judged=len(on),
        judged_bytes=int(on["raw_bits"].sum()) // 8,
        not_ok=_not_ok(table),
    )


def _row(measured: pl.DataFrame, judged: frozenset[str], groups: Sequence[Group]) -> Row:
    """A codec's row; empty where it has no size of a judged trace."""
    cells = measured.filter(pl.col("trace").is_in(judged))
    if cells.is_empty():
        return {}
    first = cells.row(0, named=True)
    coded, raw = int(cells["coded_bits"].sum()), int(cells["raw_bits"].sum())
    reference, count = math.fsum(cells["reference_bits"].fill_null(math.nan)), int(cells["values"].sum())
    row: Row = {
        "codec": first["codec"],
        "kind": first["kind"],
        "lossless": first["lossless"],
        "total_ratio": raw / coded,
        "geomean_ratio": _geometric_mean(cells),
        "bits_per_value": coded / count,
        "reference_bits_per_value": reference / count,
        "efficiency": reference / coded,
        "verified": len(measured) if first["lossless"] is False else int(measured["bit_exact"].sum()),
    }
    sizes = {name: sizes for name, *sizes in measured.select("trace", "raw_bits", "coded_bits").iter_rows()}
    row |= {group.key: _total_ratio(sizes, group) for group in groups}
    if first["state_bits"] is not None:
        row["state_bytes"] = int(cells["state_bits"].sum()) // 8
    if first["kind"] == "hardware":
        for granule_bytes in (32, 64):
            row[f"effective_ratio_{granule_bytes}"] = raw / int(
                cells[f"effective_bits_{granule_bytes}"].sum()
            )
        row["bytes_per_cycle"] = raw / 8 / math.fsum(cells["decompress_cycles"])
    if first["lossless"] is False:
        row["mse"] = math.fsum(cells["mse"]) / len(cells)
        row["max_error"] = cells["max_error"].max()
    return row


def _total_ratio(sizes: Mapping[str, Sequence[int]], group: Group) -> float | None:
    """None where a size of the group's is missing: a ratio over other traces than those of the other rows."""
    if not group.traces <= sizes.keys():
        return None
    raw, coded = (sum(sizes[name][n] for name in group.traces) for n in (0, 1))
    return raw / coded


def _geometric_mean(cells: pl.DataFrame) -> float:
    pairs = zip(cells["raw_bits"], cells["coded_bits"], strict=True)
    return math.exp(math.fsum(math.log(raw / coded) for raw, coded in pairs) / len(cells))


def _rank(rows: Sequence[Row]) -> None:
    """Ranks by total ratio; equal ratios share a rank, and an incomplete row has none."""
    for place, row in enumerate(rows, start=1):
        above = rows[place - 2] if place > 1 else None
        tie = above is not None and above["total_ratio"] == row["total_ratio"]
        row["rank"] = (above["rank"] if tie and above else place) if row["complete"] else None


def _not_ok(table: pl.DataFrame) -> list[Row]:
    cells = table.filter(pl.col("status") != "ok")
    by_cause = cells.sort("codec", "status", "trace").group_by("codec", "status", maintain_order=True)
    return by_cause.agg(pl.len().alias("cells"), pl.col("trace").first(), pl.col("reason").first()).to_dicts()


def times(table: pl.DataFrame, cache: str = "") -> list[Row]:
    """Speeds of every timed codec, over the traces that it and memcpy were both timed on.

    A cell's time is the median of its repeats; a codec's speed is the sum of raw bytes over the sum of
    these. `spread` is the median over cells of (slowest - fastest) / median of the repeats. `cache` = "cold_"
    takes the times from inputs that no cache held. Peak memory is the most of all traces that tell it.
    """
    if cache:
        table = table.with_columns(encode_s=pl.col(f"{cache}encode_s"), decode_s=pl.col(f"{cache}decode_s"))
    timed = table.filter((pl.col("encode_s").list.len() > 0) & (pl.col("decode_s").list.len() > 0))
    memcpy = {
        row["trace"]: statistics.median(row["encode_s"])
        for row in timed.filter(pl.col("codec") == BASELINE).iter_rows(named=True)
    }
    peaks = dict(table.group_by("codec").agg(pl.col("peak_memory_bytes").max()).iter_rows())
    rows = []
    for (codec,), cells in timed.sort("codec", "trace").group_by("codec", maintain_order=True):
        both = [row for row in cells.iter_rows(named=True) if row["trace"] in memcpy]
        if both:
            peak = {"peak_memory_mib": peaks[codec] / 2**20} if peaks[codec] is not None else {}
            rows.append({"codec": codec, **_speeds(both, memcpy), **peak})
    return sorted(rows, key=lambda row: (-row["decode_mb_s"], row["codec"]))


def _speeds(cells: Sequence[Row], memcpy: dict[str, float]) -> Row:
    raw_mb = sum(row["raw_bits"] for row in cells) / 8e6
    memcpy_s = math.fsum(memcpy[row["trace"]] for row in cells)
    speeds: Row = {"traces": len(cells), "repeats": sum(len(row["encode_s"]) for row in cells)}
    for direction in ("encode", "decode"):
        seconds = math.fsum(statistics.median(row[f"{direction}_s"]) for row in cells)
        speeds[f"{direction}_mb_s"] = raw_mb / seconds
        speeds[f"{direction}_x_memcpy"] = memcpy_s / seconds
        speeds[f"{direction}_spread"] = _spread([row[f"{direction}_s"] for row in cells])
    return speeds


def _spread(repeats: Sequence[Sequence[float]]) -> float | None:
    relative = [(max(r) - min(r)) / statistics.median(r) for r in repeats if len(r) > 1]
    return statistics.median(relative) if relative else None
