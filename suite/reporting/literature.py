"""Ratios as the papers print them, beside ours on the nearest data: docs/published-figures.md.

The papers' figures are in data/literature.csv, with the query that finds the nearest traces and the reason
why the two differ.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import polars as pl

from suite import results
from suite.reporting.formats import markdown_table
from suite.reporting.tables import Column, Section, ratio

PAGE = Path("docs/published-figures.md")
_FIGURES_FILE = Path(__file__).parent / "data" / "literature.csv"
_COLUMNS = (
    Column("scheme", "scheme"),
    Column("printed", "the paper says"),
    Column("measured_on", "on"),
    Column("published", "as a ratio", ratio),
    Column("ours", "our ratio", ratio),
    Column("on", "on our"),
    Column("spec", "row"),
    Column("traces", "traces", str),
)
_HEAD = """# Published ratios beside ours

Made by `python -m suite publish` from [{name}](../reports/{name}/leaderboard.md) and the papers' figures in
`suite/reporting/data/literature.csv`. A paper's ratio holds on the paper's data: this page says how far it
holds on ours, and why not. Ours are sums of raw bits over sums of coded bits on the corpus's test traces:
tables and metadata are counted, lines that would grow are stored raw. The papers' figures are those of their
abstracts.
"""
_TAIL = """## Schemes without a figure here

For SC², HyComp, C-Pack, FPC, FPC-D, Compresso, Lane Compression, SCNN, EIE, Gist, the Tenstorrent packer and
the history buffer no ratio was found in a source that we could check. Their rows are on the leaderboard.
"""


def fits(report: Path) -> bool:
    """Whether the report in this folder has a row for each figure."""
    return {row["spec"] for row in _figures()} <= set(results.read(report)["codec"])


def markdown(report: Path) -> str:
    """The page over the published report in the folder `report`, which must fit."""
    table = results.read(report).filter(pl.col("split") == "test", pl.col("status") == "ok")
    rows = [_row(table, figure) for figure in _figures()]
    reasons = "\n".join(f"- **{row['scheme']}** ({row['source']}): {row['why']}" for row in rows)
    parts = (
        _HEAD.format(name=report.name),
        markdown_table(Section("", "", _COLUMNS, rows)),
        f"\n## Where they differ, why\n\n{reasons}\n",
        _TAIL,
    )
    return "\n".join(parts)


def _figures() -> list[dict[str, str]]:
    with _FIGURES_FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _row(table: pl.DataFrame, figure: dict[str, str]) -> dict[str, Any]:
    near = table.filter(pl.sql_expr(figure["where"]))
    ours = _ratio(near, figure["spec"])
    if figure["against"]:
        ours /= _ratio(near, figure["against"])
    traces = near.filter(pl.col("codec") == figure["spec"]).height
    return {**figure, "published": float(figure["published"]), "ours": ours, "traces": traces}


def _ratio(near: pl.DataFrame, spec: str) -> float:
    cells = near.filter(pl.col("codec") == spec)
    return int(cells["raw_bits"].sum()) / int(cells["coded_bits"].sum())
