"""The charts of a report: one altair definition each, drawn in the page and as SVG and PNG beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from suite.plan import BASELINE
from suite.reporting.breakdowns import Breakdown
from suite.reporting.report import Report
from suite.reporting.site.payload import rounded
from suite.results import Row

Spec = dict[str, Any]

WIDTH, HEIGHT = 720, 400  # pixels; the page stretches charts to its own width
COLOURS = ("#2f7de1", "#c8641a", "#279a66", "#9563d8", "#d0487f", "#1590a5", "#9a7440", "#7b8794")
"""At least 3:1 against both the light and the dark background (WCAG 2.1, 1.4.11)."""
BACKDROP = "#8d96a3"
NAMED_LINES = 7
LABEL_CHARACTERS = 26
LETTER, LINE = 6.0, 14.0  # pixels of a label
DIGITS = 5
RATIO = "total ratio"
FRONT, BEHIND = "best at its speed", "another is better and faster"


@dataclass(frozen=True)
class Chart:
    """A chart of the report: the stem of its files, what a reader who cannot see it is told, the drawing."""

    name: str
    title: str
    description: str
    spec: Spec
    """Vega-Lite, without colours of the background: see `theme`."""
    fluid: bool = True
    """Whether the page may stretch it to its width."""
    best: tuple[str, ...] = ()
    """Codecs that the page names and links below the chart."""


def theme(*, dark: bool) -> Spec:
    """The Vega-Lite configuration that every chart is drawn with; pictures on disk are light."""
    text, muted, grid = ("#e8eaee", "#aab2bd", "#2d333d") if dark else ("#1b1f24", "#555e69", "#e3e7ec")
    font = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
    axis = {"labelColor": muted, "titleColor": text, "gridColor": grid, "domainColor": muted}
    return {
        "font": font,
        "background": "#14171c" if dark else "#ffffff",
        "axis": axis | {"tickColor": muted, "labelFontSize": 12, "titleFontSize": 12, "titlePadding": 8},
        "header": {"labelColor": text, "titleColor": text, "labelFontSize": 12},
        "legend": {
            "labelColor": text,
            "titleColor": text,
            "labelFontSize": 12,
            "labelLimit": 300,
            "orient": "bottom",
            "columns": 2,
            "symbolStrokeWidth": 2,
        },
        "range": {"category": list(COLOURS)},
        "text": {"color": text, "fontSize": 12},
        "view": {"stroke": None},
    }


def altair() -> Any:  # noqa: ANN401 - altair is no dependency of the type check
    """Imported where it is needed: it takes longer to load than the rest of the suite."""
    import altair
    from altair.utils import schemapi

    # Its checks of every number against the schema take as long as all the rest; tests draw the charts.
    schemapi.DEBUG_MODE = False
    return altair


def finished(name: str, title: str, description: str, drawing: Any, **more: Any) -> Chart:  # noqa: ANN401
    """The chart of an altair drawing, without altair's own colours."""
    spec = drawing.to_dict(validate=False)
    spec.pop("config", None)
    return Chart(name, title, description, spec | {"description": description}, **more)


def short(codec: str) -> str:
    """A codec's spec as a label."""
    return codec if len(codec) <= LABEL_CHARACTERS else codec[: LABEL_CHARACTERS - 1] + "…"


def speed(report: Report, direction: str) -> Chart | None:
    """Ratio against speed of every ranked codec that was timed, with the frontier of the best."""
    speeds = {row["codec"]: row for row in report.speeds}
    key = f"{direction}_mb_s"
    points = [
        {
            "codec": row["codec"],
            "ratio": rounded(row["total_ratio"], DIGITS),
            "speed": rounded(speeds[row["codec"]][key], 4),
        }
        for row in report.board.rows
        if row["rank"] and row["codec"] in speeds
    ]
    if len(points) < 2:
        return None
    best = frontier(points)
    front = sorted((p for p in points if p["codec"] in best), key=lambda p: (-p["ratio"], p["codec"]))
    places = [{"codec": p["codec"], "x": math.log(p["speed"]), "y": p["ratio"]} for p in front]
    labels = label_apart(places, short, left=True)
    for point in points:
        point["label"] = labels.get(point["codec"], "")
        point["group"] = FRONT if point["codec"] in best else BEHIND
    machine = report.facts.get("machine", {}).get("cpu", "one machine")
    return finished(
        f"speed-{direction}",
        f"Ratio against {direction[:-1]}ing speed",
        f"Scatter chart of {len(points)} codecs: total ratio against {direction[:-1]}ing speed in MB/s on "
        f"{machine}, one thread. On the frontier: {', '.join(best)}.",
        _scatter(points, f"{direction} MB/s, logarithmic"),
        best=tuple(best),
    )


def frontier(points: Sequence[Row]) -> list[str]:
    """The codecs that no other beats in both ratio and speed (the Pareto front), the fastest first."""
    best: list[str] = []
    top = -math.inf
    for point in sorted(points, key=lambda point: (-point["speed"], -point["ratio"])):
        if point["ratio"] > top:
            best.append(point["codec"])
            top = point["ratio"]
    return best


def label_apart(points: Sequence[Row], name: Callable[[str], str], *, left: bool = False) -> dict[str, str]:
    """Labels by codec, right of their points or `left` of them: only those that run into none before them.

    `points` have `x` and `y`, linear in pixels; the first of them that bear a name come first.
    """
    across = WIDTH / (max(p["x"] for p in points) - min(p["x"] for p in points) + 1e-9)
    down = HEIGHT / (max(p["y"] for p in points) - min(p["y"] for p in points) + 1e-9)
    placed: list[tuple[float, float, float]] = []
    labels: dict[str, str] = {}
    for point in points:
        label = name(point["codec"])
        x, y, width = across * point["x"], down * point["y"], LETTER * len(label)
        start, end = (x - width, x) if left else (x, x + width)
        if label not in labels.values() and all(
            end < x0 or start > x1 or abs(y - y0) > LINE for x0, x1, y0 in placed
        ):
            placed.append((start, end, y))
            labels[point["codec"]] = label
    return labels


def model_name(spec: str) -> str:
    """A hardware model's name without prefix and settings."""
    return spec.removeprefix("hw/").split(":")[0]


def _scatter(points: Sequence[Row], x_title: str) -> Any:  # noqa: ANN401
    alt = altair()
    base = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X(
            "speed:Q",
            title=x_title,
            scale=alt.Scale(type="log", padding=24, nice=False),
            axis=alt.Axis(labelOverlap="greedy", labelSeparation=8, tickCount=5),
        ),
        y=alt.Y("ratio:Q", title=RATIO, scale=alt.Scale(zero=False, padding=16)),
    )
    chosen = alt.datum.group == FRONT
    groups = alt.Scale(domain=[FRONT, BEHIND], range=[COLOURS[0], BACKDROP])
    line = base.transform_filter(chosen).mark_line(
        color=COLOURS[0], interpolate="step-before", strokeDash=[4, 4], strokeWidth=1.5
    )
    dots = base.mark_circle(size=90, opacity=0.9).encode(
        color=alt.Color("group:N", scale=groups, title=None),
        tooltip=[
            alt.Tooltip("codec:N"),
            alt.Tooltip("ratio:Q", title=RATIO, format=".3f"),
            alt.Tooltip("speed:Q", title="MB/s", format=",.4~r"),
        ],
    )
    labels = (
        base.transform_filter(alt.datum.label != "")
        .mark_text(align="right", dx=-8, dy=-7, fontSize=11, aria=False)
        .encode(text="label:N")
    )
    return alt.layer(line, dots, labels).properties(width=WIDTH, height=HEIGHT)


def lines(
    report: Report, name: str, title: str, x_title: str, candidates: Sequence[str]
) -> tuple[Chart, Breakdown] | None:
    """Ratios over the columns of the first of these breakdowns that there is.

    Only paired breakdowns, whose columns hold the same tensors, get connecting lines. None where there is
    nothing to compare.
    """
    found = next(
        (b for key in candidates if (b := report.board.breakdowns.get(key)) and len(b.groups) > 1), None
    )
    if not found:
        return None
    rows = [row for row in report.board.rows if row["rank"] and row["codec"] != BASELINE]
    values = [
        {"codec": row["codec"], "x": group.heading, "ratio": rounded(row[group.key], DIGITS)}
        for row in rows
        for group in found.groups
        if row.get(group.key) is not None
    ]
    if not values:
        return None
    named = _named(rows, found)
    paired = found.groups[0].key.startswith("paired")
    drawing = _lines(values, [group.heading for group in found.groups], named, x_title, connected=paired)
    text = f"{title}: total ratio of {len(rows)} codecs over {', '.join(g.heading for g in found.groups)}."
    return finished(name, title, f"{text} Named: {', '.join(named)}.", drawing), found


def _named(rows: Sequence[Row], found: Breakdown) -> list[str]:
    """The codecs that get a colour: the best overall, one of each family, and the best hardware model."""
    families: dict[str, str] = {}
    complete = [row for row in rows if all(row.get(group.key) is not None for group in found.groups)]
    hardware = [row["codec"] for row in complete if row["kind"] == "hardware"][:1]
    for row in complete:
        family = row["codec"].split("|")[0].split(":")[0]
        families.setdefault(family, row["codec"])
    named = [codec for codec in families.values() if codec not in hardware]
    return named[: NAMED_LINES - len(hardware)] + hardware


def _lines(
    values: Sequence[Row], order: Sequence[str], named: Sequence[str], x_title: str, *, connected: bool
) -> Any:  # noqa: ANN401
    alt = altair()
    wide = max(v["ratio"] for v in values) > 8 * min(v["ratio"] for v in values)
    y_title = f"{RATIO}, logarithmic" if wide else RATIO
    scale = alt.Scale(type="log", nice=False, padding=12) if wide else alt.Scale(zero=False)
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("x:O", sort=list(order), title=x_title, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("ratio:Q", title=y_title, scale=scale),
        tooltip=[
            alt.Tooltip("codec:N"),
            alt.Tooltip("x:O", title=x_title),
            alt.Tooltip("ratio:Q", title=RATIO, format=".3f"),
        ],
    )
    pick = alt.selection_point(name="pick", fields=["codec"], bind="legend")
    chosen = alt.FieldOneOfPredicate("codec", list(named))
    bright = base.transform_filter(chosen).encode(
        color=alt.Color("codec:N", scale=alt.Scale(domain=list(named)), title=None),
        opacity=alt.when(pick).then(alt.value(1)).otherwise(alt.value(0.12)),
    )
    pale = {"color": BACKDROP, "opacity": 0.35}
    if connected:
        rest = base.mark_line(**pale, strokeWidth=1).encode(detail="codec:N")
        layers = [rest, bright.mark_line(strokeWidth=2.5).add_params(pick), bright.mark_circle(size=70)]
    else:
        rest = base.mark_tick(**pale, thickness=1.5)
        layers = [rest, bright.mark_circle(size=80).add_params(pick)]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def hardware(report: Report) -> list[Chart]:
    """Ratio against every figure of area or energy that at least two models have; none where none has."""
    figures = report.facts.get("hardware", {})
    ratios = {row["codec"]: row["total_ratio"] for row in report.board.rows if row["codec"] in figures}
    names = sorted({name for codec in ratios for name, f in figures[codec].items() if costs(f["unit"])})
    charts = []
    for name in names:
        points = [
            {
                "codec": codec,
                "ratio": rounded(ratio, DIGITS),
                "cost": rounded(float(figures[codec][name]["value"]), DIGITS),
                "origin": figures[codec][name]["origin"],
            }
            for codec, ratio in sorted(ratios.items())
            if name in figures[codec]
        ]
        if len(points) > 1:
            charts.append(_cost_chart(name, figures[points[0]["codec"]][name]["unit"], points))
    return charts


def costs(unit: str) -> bool:
    """Whether a figure in this unit is an area or an energy."""
    return any(
        unit.lower().startswith(start) for start in ("ge", "kge", "um2", "µm²", "mm2", "pj", "fj", "nj", "mw")
    )


def _what(figure: str) -> str:
    """A figure's name as words, without its unit."""
    words = figure.removesuffix("_ge").removesuffix("_pj_per_byte").replace("_", " ")
    return f"energy to {words}" if figure.endswith("_pj_per_byte") else words


def _cost_chart(name: str, unit: str, points: Sequence[Row]) -> Chart:
    alt = altair()
    title = f"Ratio against {_what(name)}"
    positive = all(point["cost"] and point["cost"] > 0 for point in points)
    best = sorted(points, key=lambda point: (-point["ratio"], point["codec"]))
    places = [
        {"codec": p["codec"], "x": math.log(p["cost"]) if positive else p["cost"], "y": p["ratio"]}
        for p in best
    ]
    labels = label_apart(places, model_name)
    for point in points:
        point["label"] = labels.get(point["codec"], "")
    base = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X(
            "cost:Q",
            title=f"{_what(name)}, {unit}" + (", logarithmic" if positive else ""),
            scale=alt.Scale(type="log" if positive else "linear", padding=40),
        ),
        y=alt.Y("ratio:Q", title=RATIO, scale=alt.Scale(zero=False, padding=24)),
    )
    dots = base.mark_point(size=110, filled=True).encode(
        color=alt.Color("origin:N", title=None),
        shape=alt.Shape("origin:N", title=None),
        tooltip=[
            alt.Tooltip("codec:N"),
            alt.Tooltip("ratio:Q", title=RATIO, format=".3f"),
            alt.Tooltip("cost:Q", title=unit),
            alt.Tooltip("origin:N"),
        ],
    )
    names = base.mark_text(align="left", dx=9, fontSize=11, aria=False).encode(text="label:N")
    text = f"{title}, {unit}: " + "; ".join(f"{p['codec']} {p['cost']:g}, {p['ratio']:.3f}" for p in points)
    drawing = alt.layer(dots, names).properties(width=WIDTH, height=HEIGHT)
    return finished(f"hardware-{name.replace('_', '-')}", title, text, drawing)
