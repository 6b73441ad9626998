"""The sections of a report's page, in order: `SECTIONS` is the one place to add another.

A section is a `Block`, or a function of the report that returns one, or None where the records have nothing.
Its tables are `suite.tables.Section`s and its charts `suite.site.charts.Chart`s; the page makes tables
sortable, links the cells of the column `codec`, and draws the charts.
"""

from __future__ import annotations

from collections.abc import Callable

from suite.plan import BASELINE
from suite.reporting import tables
from suite.reporting.report import Report
from suite.reporting.site import charts
from suite.reporting.site.answers import by_track, eight_questions
from suite.reporting.site.block import Block
from suite.reporting.site.heatmap import heatmap
from suite.reporting.tables import Column, Section
from suite.results import Row

FAST_MB_S = 1000.0


BOARD = Block(
    "board",
    "Leaderboard",
    (
        "Ratio = raw bits / coded bits, with everything needed to decode counted. Choose traces and codecs: "
        "ratios and ranks are computed anew over what you chose, and the address keeps your choice. "
        "The total is over bytes, the geometric mean over traces. Efficiency = zero-aware order-0 entropy / "
        "achieved size; it is no limit, adaptive codecs pass it.",
    ),
    widget="board.html",
)
"""The leaderboard that the reader can filter and sort."""

TRACES = Block(
    "traces",
    "Traces",
    ("What was measured. Each trace has a page with every codec's size and speed on it.",),
    widget="traces.html",
)

ABOUT = Block("about", "About this report", widget="about.html", menu="Cite")
"""Digests, machine, versions, and how to cite."""


def speed(report: Report) -> Block | None:
    """Ratio against speed, both directions, and the table of speeds."""
    found = tuple(chart for way in ("decode", "encode") if (chart := charts.speed(report, way)))
    if not report.speeds:
        return None
    document = tables.times(report.speeds, report.facts)
    lead = (
        "Up and to the right is better. A codec on the dashed line is beaten by no other in both ratio and "
        "speed; 'raw' is a plain copy. Speeds belong to the machine named here, ratios to none.",
        document.intro[0],
    )
    return Block("speed", "Ratio against speed", lead, found, document.sections, folded=True, menu="Speed")


def pruning(report: Report) -> Block | None:
    """Ratio by pruning level."""
    candidates = ("paired_weights", "paired_level", "level")
    return _lines(report, "pruning", "What pruning does", "pruning of the model", candidates, "Pruning")


def precision(report: Report) -> Block | None:
    """Ratio by number format."""
    candidates = ("paired_precision", "precision", "dtype")
    return _lines(
        report, "precision", "What the number format does", "number format", candidates, "Precision"
    )


def phase(report: Report) -> Block | None:
    """Training against inference."""
    candidates = ("paired_phase", "phase")
    return _lines(report, "phase", "Training against inference", "phase", candidates, "Training")


def _lines(
    report: Report, name: str, title: str, x_title: str, candidates: tuple[str, ...], menu: str
) -> Block | None:
    drawn = charts.lines(report, name, f"Total ratio by {x_title}", x_title, candidates)
    if not drawn:
        return None
    chart, breakdown = drawn
    how = (
        "Coloured: the best codec, the best of other families, the best hardware model; grey: all others. "
        "Choose a name below the chart to bring it out."
    )
    return Block(name, title, (breakdown.note, how), (chart,), menu=menu)


def hardware(report: Report) -> Block | None:
    """Hardware models: ratios at the memory's granule, costs, and the origin of every figure."""
    rows = [row for row in report.board.rows if row["kind"] == "hardware"]
    if not rows:
        return None
    document = tables.leaderboard(report.board, report.facts)
    found = tuple(section for section in document.sections if section.title == "Hardware models")
    figures = _figures(report, {row["codec"] for row in rows})
    lead = (
        "A hardware model is a block codec and its circuit. The effective ratio is what a memory gains that "
        "can only be read in whole granules. Every figure says where it is from; 'estimate' has no source.",
    )
    return Block("hardware", "Hardware", lead, tuple(charts.hardware(report)), (*found, *figures))


def _figures(report: Report, specs: set[str]) -> tuple[Section, ...]:
    rows: list[Row] = [
        {"codec": codec, "figure": name.replace("_", " "), **figure}
        for codec, figures in sorted(report.facts.get("hardware", {}).items())
        if codec in specs
        for name, figure in figures.items()
    ]
    columns = (
        tables.CODEC,
        Column("figure", "figure"),
        Column("value", "value", lambda value: f"{value:g}"),
        Column("unit", "unit"),
        Column("origin", "origin"),
        Column("source", "source"),
    )
    note = "published, synthesised, modelled or estimate, and the source."
    return (Section("Origin of the figures", note, columns, rows),) if rows else ()


def heat(report: Report) -> Block | None:
    """Every codec on every cell of the design."""
    chart = heatmap(report)
    lead = (
        "Each column is one cell of role × precision × pruning, each row a codec, best overall first. "
        "Bright: at or near the best ratio of that column; dark: 40 % of it or less. Point at "
        "a field for its ratio.",
    )
    return Block("heatmap", "Who wins where", lead, (chart,), menu="Heat map") if chart else None


def every_table(report: Report) -> Block:
    """All tables of the size leaderboard, as `leaderboard.md` has them."""
    document = tables.leaderboard(report.board, report.facts)
    lead = ("The tables of leaderboard.md, to sort: open one by its title.",)
    return Block("tables", "All tables", lead, tables=document.sections, folded=True, menu="Tables")


SECTIONS: tuple[Block | Callable[[Report], Block | None], ...] = (
    *(BOARD, by_track, eight_questions, speed, pruning, precision, phase, hardware, heat),
    *(every_table, TRACES, ABOUT),
)


def blocks(report: Report) -> list[Block]:
    """The sections that the records have something for."""
    made = (section if isinstance(section, Block) else section(report) for section in SECTIONS)
    return [block for block in made if block]


def highlights(report: Report) -> list[Row]:
    """The first figures a reader meets: what, whose, how much."""
    ranked = [row for row in report.board.rows if row["rank"] and row["codec"] != BASELINE]
    speeds = {row["codec"]: row for row in report.speeds}
    fast = [r for r in ranked if r["codec"] in speeds and speeds[r["codec"]]["decode_mb_s"] >= FAST_MB_S]
    found = [
        ("Best ratio", ranked),
        ("Best that decodes 1 GB/s and more", fast),
        ("Best hardware model", [row for row in ranked if row["kind"] == "hardware"]),
    ]
    return [
        {"what": what, "codec": rows[0]["codec"], "ratio": tables.ratio(rows[0]["total_ratio"])}
        for what, rows in found
        if rows
    ]
