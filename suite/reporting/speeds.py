"""How far a codec's speed varies: over traces, and over the repeats of one trace."""

from __future__ import annotations

import polars as pl

from suite.reporting.tables import CODEC, Column, Document, Section, percent, rate
from suite.results import Row

QUARTILES = {"first_quartile": 0.25, "median": 0.5, "third_quartile": 0.75}


def rows(table: pl.DataFrame) -> list[Row]:
    """Every timed codec: quartiles over traces of its MB/s, and the median spread of a trace's repeats.

    A trace's time is the median of its repeats; their spread is (third - first quartile) / median.
    """
    timed = table.filter(pl.col("encode_s").list.len() > 0, pl.col("decode_s").list.len() > 0)
    aggregates = [pl.len().alias("traces")]
    for direction in ("encode", "decode"):
        aggregates += _aggregates(direction)
    found = timed.group_by("codec").agg(aggregates).to_dicts()
    return sorted(found, key=lambda row: (-row["decode_median"], row["codec"]))


def _aggregates(direction: str) -> list[pl.Expr]:
    repeats = pl.col(f"{direction}_s")
    median_s = repeats.list.median()
    speed_mb_s = pl.col("raw_bits") / 8e6 / median_s
    quartiles = [repeats.list.eval(pl.element().quantile(q, "linear")).list.first() for q in (0.75, 0.25)]
    spread = ((quartiles[0] - quartiles[1]) / median_s).filter(repeats.list.len() > 1).median()
    return [
        *(speed_mb_s.quantile(q, "linear").alias(f"{direction}_{name}") for name, q in QUARTILES.items()),
        spread.alias(f"{direction}_spread"),
    ]


def document(found: list[Row], facts: Row) -> Document:
    """The rows of `rows` as a document; it names its machine."""
    machine = facts["machine"]
    columns = [CODEC]
    for direction in ("encode", "decode"):
        columns += [
            Column(f"{direction}_median", f"{direction} MB/s, median", rate),
            Column(f"{direction}_first_quartile", f"{direction}, from", rate),
            Column(f"{direction}_third_quartile", f"{direction}, to", rate),
            Column(f"{direction}_spread", f"{direction}, repeats", percent),
        ]
    note = (
        "MB/s of single traces: the median over traces, and the middle half from first to third quartile. "
        "Small traces are slower. Repeats: median over traces of (third - first quartile) / median."
    )
    intro = (f"{machine.get('cpu')}, {machine.get('system')}, Python {machine.get('python')}.",)
    section = Section("By codec", note, (*columns, Column("traces", "traces")), found)
    return Document("Squeezemark: how far speeds vary", intro, (section,))
