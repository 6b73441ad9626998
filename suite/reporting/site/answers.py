"""The page's leaderboards by track and its eight questions: the rows of `tracks.md` and `questions.md`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from suite.reporting import questions, tracks
from suite.reporting.questions import Answer
from suite.reporting.report import Report
from suite.reporting.site.block import Block
from suite.reporting.site.charts import (
    BACKDROP,
    COLOURS,
    DIGITS,
    HEIGHT,
    RATIO,
    WIDTH,
    Chart,
    altair,
    finished,
    label_apart,
    model_name,
)
from suite.reporting.site.payload import rounded
from suite.reporting.tables import Section
from suite.results import Row

CHARTED_ROWS = 12
_ROWS_MIN = 2  # one codec alone answers nothing
_STEP = 36  # pixels of a row


def by_track(report: Report) -> Block | None:
    """Each use's own leaderboard, with intervals and ties."""
    if len(report.board.rows) < _ROWS_MIN:
        return None
    found = tracks.rows(report.table, report.facts)
    parts = []
    for section in tracks.document(found, report.facts).sections:
        name = section.title.lower().replace(":", "").replace(" ", "-")
        chart = _intervals(f"track-{name}", section)
        lead = (section.note.replace("\n", " "),)
        table = replace(section, title=f"All {len(section.rows)} rows")
        parts.append(Block(f"track-{name}", section.title, lead, (chart,), (table,), folded=True))
    return Block("tracks", "Leaderboards by use", tracks.INTRO, parts=tuple(parts), menu="Uses")


def eight_questions(report: Report) -> Block | None:
    """The research questions, each with its sentence, a chart and a table."""
    if len(report.board.rows) < _ROWS_MIN:
        return None
    parts = [_answered(question, report) for question in questions.QUESTIONS]
    lead = ("Every answer is a query over the records; questions.md beside this page has its text.",)
    return Block("questions", "Eight questions", lead, parts=tuple(parts), menu="Questions")


def _answered(question: questions.Question, report: Report) -> Block:
    found = questions.answer(question, report.table, report.facts)
    name = question.key.lower()
    title = f"{question.key}. {question.text}"
    if not found.rows:
        return Block(name, title, (found.sentence,))
    shown = found.shown()
    table = Section(f"{len(shown)} of {len(found.rows)} rows", "", question.columns(shown[0]), shown)
    return Block(name, title, (found.sentence,), _drawn(name, found), (table,), folded=True)


def _drawn(name: str, found: Answer) -> tuple[Chart, ...]:
    rows = found.shown()
    if "a_ratio" in rows[0]:
        return (_changes(name, rows, found.question.sides),)
    if "area_ge" in rows[0]:
        return (_circuits(name, found.rows),)
    return (_best(name, [row for row in rows if row["place"] == 1]),) if "place" in rows[0] else ()


def _labelled(rows: Sequence[Row], label: Callable[[Row], str]) -> tuple[Any, Any]:
    """One line for each row: its base, and its label above it, which needs no room beside the chart."""
    alt = altair()
    values = [
        {key: rounded(value, DIGITS) if isinstance(value, float) else value for key, value in row.items()}
        | {"label": label(row), "line": number}
        for number, row in enumerate(rows)
    ]
    base = alt.Chart(alt.Data(values=values)).encode(y=alt.Y("line:O", axis=None))
    labels = base.mark_text(align="left", baseline="bottom", dy=-7, fontSize=12, aria=False)
    return base, labels.encode(x=alt.value(2), text="label:N")


def _in_rows(layers: Sequence[Any], n_rows: int) -> Any:  # noqa: ANN401
    drawing = altair().layer(*layers)
    return drawing.properties(width=WIDTH, height=_STEP * n_rows, usermeta={"rows": True})


def _intervals(name: str, section: Section) -> Chart:
    """The first rows of a track: ratios with their intervals."""
    alt = altair()
    rows = section.rows[:CHARTED_ROWS]
    base, labels = _labelled(rows, lambda row: f"{row['rank']}  {row['ratio']:.3f}  {row['codec']}")
    x = alt.X("low:Q", title="ratio, 95 % interval", scale=alt.Scale(zero=False, padding=12))
    figures = [alt.Tooltip(f"{key}:Q", format=".3f") for key in ("ratio", "low", "high")]
    base = base.encode(tooltip=["rank:N", "codec:N", *figures])
    spans = base.mark_rule(color=BACKDROP, strokeWidth=2).encode(x=x, x2="high:Q")
    dots = base.mark_circle(color=COLOURS[0], size=90, opacity=1).encode(x="ratio:Q")
    text = "; ".join(f"{r['codec']} {r['ratio']:.3f} ({r['low']:.3f} to {r['high']:.3f})" for r in rows)
    drawing = _in_rows((spans, dots, labels), len(rows))
    return finished(name, f"The first {len(rows)}", f"{section.title}: {text}.", drawing)


def _best(name: str, rows: Sequence[Row]) -> Chart:
    """The best codec of each role and kind."""
    alt = altair()
    kinds = ("software", "hardware")
    rows = [{"kind": kinds[row["codec"].startswith("hw/")], **row} for row in rows]
    base, labels = _labelled(rows, lambda row: f"{row['role']}: {row['codec']}, {row['ratio']:.3f}")
    bars = base.mark_bar(height=7).encode(
        x=alt.X("ratio:Q", title=RATIO, scale=alt.Scale(domainMin=0, padding=12)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=list(kinds), range=list(COLOURS[:2])), title=None),
        tooltip=["role:N", "kind:N", "codec:N", alt.Tooltip("ratio:Q", format=".3f")],
    )
    text = "; ".join(f"{row['role']}: {row['codec']}, {row['ratio']:.3f}" for row in rows)
    return finished(name, "The best of each role", f"{text}.", _in_rows((bars, labels), len(rows)))


def _changes(name: str, rows: Sequence[Row], sides: tuple[str, str]) -> Chart:
    """From one side's ratio to the other's, codec by codec."""
    alt = altair()
    base, labels = _labelled(rows, lambda r: f"{r['codec']}, {r['a_ratio']:.3f} and {r['b_ratio']:.3f}")
    x = alt.X("a_ratio:Q", title=RATIO, scale=alt.Scale(zero=False, padding=12))
    shades = alt.Scale(domain=list(sides), range=list(COLOURS[:2]))
    dots = [
        base.transform_calculate(side=repr(side))
        .mark_circle(size=90, opacity=1)
        .encode(
            x=f"{key}:Q",
            color=alt.Color("side:N", scale=shades, title=None),
            tooltip=["codec:N", "side:N", alt.Tooltip(f"{key}:Q", format=".3f")],
        )
        for side, key in zip(sides, ("a_ratio", "b_ratio"), strict=True)
    ]
    spans = base.mark_rule(color=BACKDROP, strokeWidth=2).encode(x=x, x2="b_ratio:Q")
    text = "; ".join(f"{r['codec']} {r['a_ratio']:.3f} and {r['b_ratio']:.3f}" for r in rows)
    title = f"From {sides[0]} to {sides[1]}"
    return finished(name, title, f"{title}: {text}.", _in_rows((spans, *dots, labels), len(rows)))


def _circuits(name: str, rows: Sequence[Row]) -> Chart:
    """Area against energy, both directions together."""
    alt = altair()
    points = [row | {"x": math.log(row["area_ge"]), "y": math.log(row["pj_per_byte"])} for row in rows]
    named = label_apart(points, model_name)
    for point in points:
        point["label"] = named.get(point["codec"], "")
    log = alt.Scale(type="log", padding=30, nice=False)
    base = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X("area_ge:Q", title="area, gate equivalents, logarithmic", scale=log),
        y=alt.Y("pj_per_byte:Q", title="pJ per byte, logarithmic", scale=log),
        tooltip=["codec:N", "area_ge:Q", "pj_per_byte:Q", "latency_cycles:Q"],
    )
    dots = base.mark_circle(size=80, color=COLOURS[0], opacity=0.9)
    labels = base.mark_text(align="left", dx=8, fontSize=11, aria=False).encode(text="label:N")
    drawing = alt.layer(dots, labels).properties(width=WIDTH, height=HEIGHT)
    text = "; ".join(f"{row['codec']} {row['area_ge']:.0f} GE, {row['pj_per_byte']:.3g} pJ" for row in rows)
    return finished(name, "Area against energy, both directions", f"{text}.", drawing)
