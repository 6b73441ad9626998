"""The records inside the page: columns, not rows; names once; gzip, then base64.

A report of 38 000 cells takes about half a megabyte this way. The page's script undoes it with the browser's
own `DecompressionStream`; `unpack` does in Python.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from suite.reporting.breakdowns import PRECISIONS, SPLIT_ORDER
from suite.reporting.report import Report
from tracegen.corpus import DTYPES, PHASES, ROLES, pruning_name

DIMENSIONS = ("role", "precision", "pruning", "model", "phase", "tensor_kind", "split", "layer", "dtype")
"""What traces can be filtered by: stored as a list of names and one index into it for each trace."""

ORDERS = {"role": ROLES, "precision": PRECISIONS, "phase": PHASES, "split": SPLIT_ORDER, "dtype": DTYPES}
CELL_COLUMNS = ("coded_bits", "state_bits", "effective_bits_32", "effective_bits_64", "mse", "max_error")
TIMED = {"encode_ns": "encode_s", "decode_ns": "decode_s"}
TIME_DIGITS = 4
"""Significant digits of a median time: far below the spread between its repeats."""


def pack(content: Mapping[str, Any]) -> str:
    """Base64 of the gzip of compact JSON; the same bytes for the same content, with one zlib."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()


def unpack(packed: str) -> Any:  # noqa: ANN401 - whatever was packed
    """What `pack` was given."""
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def records(report: Report) -> dict[str, Any]:
    """Every trace, codec and cell of a report.

    `cells[column][codec][trace]` is a number, or null where there is none; the columns `*_ns` are medians
    over the timed repeats, in nanoseconds. A size is there only where the cell is ok and, if the codec is
    lossless, its round trip was bit-exact. `problems` lists the other cells: [codec, trace, reason].
    """
    table = report.table.with_columns(pruning=_pruning(report.table))
    traces = table.unique("trace").sort("trace")
    codecs = _codecs(report)
    place = {name: n for n, name in enumerate(traces["trace"])}
    row = {codec: n for n, codec in enumerate(codecs["codec"])}
    cells, problems = _cells(table, place, row)
    reasons = sorted({reason for _, _, reason in problems})
    number = {reason: n for n, reason in enumerate(reasons)}
    return {
        "traces": _traces(traces),
        "codecs": codecs,
        "cells": cells,
        "reasons": reasons,
        "problems": [[codec, trace, number[reason]] for codec, trace, reason in problems],
    }


def _pruning(table: pl.DataFrame) -> pl.Series:
    """The level's short name, such as s0, s90 or 2of4-s50."""
    pairs = zip(table["sparsity"], table["pruning"], strict=True)
    return pl.Series([level_name(sparsity, method) for sparsity, method in pairs], dtype=pl.String)


def level_name(sparsity: float, method: str | None) -> str:
    """A pruning's short name; records of corpora of version 1 name no method."""
    return pruning_name(sparsity, method if method and method != "none" else "magnitude")


def _traces(traces: pl.DataFrame) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "name": traces["trace"].to_list(),
        "raw_bits": traces["raw_bits"].to_list(),
        "values": traces["values"].to_list(),
        "sparsity": traces["sparsity"].to_list(),
        "sha256": traces["trace_sha256"].to_list(),
        "reference_bits": [rounded(bits, 8) for bits in traces["reference_bits"]],
        "zero_fraction": [rounded(share, 4) for share in traces["zero_fraction"]],
    }
    for name in DIMENSIONS:
        values = [value or "" for value in traces[name]]
        names = sorted(set(values), key=lambda value: _place(name, value))
        columns[name] = {"names": names, "of": [names.index(value) for value in values]}
    return columns


def _place(dimension: str, value: str) -> tuple[int, str, float, str]:
    """Where a name stands among its dimension's: known ones in their order, prunings by method and level."""
    known = ORDERS.get(dimension, ())
    method, _, level = value.rpartition("s")
    is_level = dimension == "pruning" and level.replace(".", "", 1).isdigit()
    return (
        known.index(value) if value in known else len(known),
        method if is_level else value,
        float(level) if is_level else 0.0,
        value,
    )


def _codecs(report: Report) -> dict[str, list[Any]]:
    """In rank order, then lossy ones, then those without any size."""
    ranked = [*report.board.rows, *report.board.lossy]
    facts = {row[0]: row[1:] for row in _first(report.table).iter_rows()}
    names = [row["codec"] for row in ranked]
    names += sorted(facts.keys() - set(names))
    ranks = {row["codec"]: row.get("rank") for row in ranked}
    return {
        "codec": names,
        "kind": [facts[name][0] for name in names],
        "lossless": [facts[name][1] is not False for name in names],
        "version": [facts[name][2] or "" for name in names],
        "rank": [ranks.get(name) for name in names],
    }


def _first(table: pl.DataFrame) -> pl.DataFrame:
    columns = [pl.col(name).drop_nulls().first() for name in ("kind", "lossless", "codec_version")]
    return table.group_by("codec", maintain_order=True).agg(columns)


def _cells(
    table: pl.DataFrame, place: Mapping[str, int], row: Mapping[str, int]
) -> tuple[dict[str, list[list[Any] | None]], list[tuple[int, int, str]]]:
    columns = (*CELL_COLUMNS, *TIMED)
    cells: dict[str, list[list[Any]]] = {name: [[None] * len(place) for _ in row] for name in columns}
    problems = []
    wanted = ("codec", "trace", "status", "reason", "lossless", "bit_exact", *CELL_COLUMNS, *TIMED.values())
    for cell in table.sort("codec", "trace").select(wanted).iter_rows(named=True):
        codec, trace = row[cell["codec"]], place[cell["trace"]]
        if cell["status"] != "ok" or (cell["lossless"] and not cell["bit_exact"]):
            problems.append((codec, trace, cell["reason"] or cell["status"]))
            continue
        for name in CELL_COLUMNS:
            cells[name][codec][trace] = _finite(cell[name])
        for name, repeats in TIMED.items():
            cells[name][codec][trace] = _median_ns(cell[repeats])
    return {name: [_or_none(values) for values in lists] for name, lists in cells.items()}, problems


def _or_none(values: list[Any]) -> list[Any] | None:
    return values if any(value is not None for value in values) else None


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _median_ns(repeats: Sequence[float] | None) -> float | None:
    return rounded(statistics.median(repeats) * 1e9, TIME_DIGITS) if repeats else None


def rounded(value: float | None, digits: int) -> float | None:
    """To so many significant digits; None for what is no finite number. Whole numbers come out as int."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short
