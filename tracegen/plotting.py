"""The picture of a trace that `show --plot` saves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tracegen.corpus import CorpusError
from tracegen.corpus.describing import RUN_LENGTHS
from tracegen.showing import Shown, length_name

SUFFIXES = (".svg", ".png", ".html")
_PANEL = {"width": 330, "height": 230}  # pixels
_PNG_SCALE = 2.0
_COLOURS = {"values": "#3b6ea5", "exponents": "#7a5ba6", "zero": "#c8553d", "non-zero": "#5b8c5a"}
_MAX_TITLE = 120
_FLOOR = 0.5
_HEADROOM = 1.6
_DECADES = [10**n for n in range(13)]


def check_plot(path: Path) -> None:
    """Raise CorpusError for a suffix that cannot be written."""
    if path.suffix.lower() not in SUFFIXES:
        found = f"{path.suffix!r}" if path.suffix else "no suffix"
        raise CorpusError(f"cannot plot to {path.name}: {found}; legal are {', '.join(SUFFIXES)}")


def save_plot(shown: Shown, path: Path) -> None:
    """Draw the trace into `path`, replacing what is there; the HTML needs no network."""
    check_plot(path)
    import altair
    import vl_convert

    chart = make_chart(shown).to_dict()
    # vl-convert has several versions of Vega-Lite built in: the one that altair writes for.
    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    suffix = path.suffix.lower()
    if suffix == ".png":
        path.write_bytes(vl_convert.vegalite_to_png(chart, vl_version=version, scale=_PNG_SCALE))
        return
    if suffix == ".html":
        text = vl_convert.vegalite_to_html(chart, vl_version=version, bundle=True)
    else:
        text = vl_convert.vegalite_to_svg(chart, vl_version=version)
    path.write_text(text, encoding="utf-8", newline="\n")


def make_chart(shown: Shown) -> Any:  # noqa: ANN401 - altair is no dependency of the type check
    """Panels side by side: values, exponents (of floating-point values) and runs of words."""
    import altair

    panels = [
        panel for panel in (_values(altair, shown), _exponents(altair, shown), _runs(altair, shown)) if panel
    ]
    trace = shown.trace
    shape = " × ".join(map(str, trace.shape))
    found = shown.description
    entropy = (
        f"{found.byte_entropy_bits:.2f} bits per byte"
        if found.word_entropy_bits is None
        else f"{found.word_entropy_bits:.2f} bits per {found.word_bits}-bit word"
    )
    about = f"{trace.role}, {trace.phase}, {shape} {trace.dtype}"
    numbers = f"{found.zeros:.1%} zeros, order-0 entropy {entropy}"
    title = altair.TitleParams(
        trace.name,
        subtitle=[shown.model.title[:_MAX_TITLE], f"{about}; {numbers}"],
        anchor="start",
        offset=18,
        fontSize=17,
        subtitleFontSize=13,
        subtitleColor="#555",
        subtitlePadding=6,
    )
    chart = altair.hconcat(*panels, title=title, spacing=36).resolve_legend(color="independent")
    return (
        chart.configure_view(stroke=None)
        .configure_axis(
            labelFontSize=12, titleFontSize=13, titleFontWeight="normal", gridColor="#e4e4e4", titlePadding=8
        )
        .configure_legend(labelFontSize=12, titleFontSize=12)
        .configure(padding=18, background="white", font="DejaVu Sans, Verdana, sans-serif")
    )


def _panel(altair: Any, rows: list[dict[str, Any]], title: str) -> Any:  # noqa: ANN401
    heading = altair.TitleParams(title, anchor="start", fontSize=14, fontWeight="bold", offset=10)
    return altair.Chart(altair.Data(values=rows), title=heading, **_PANEL)


def _counts(altair: Any, unit: str, counts: Iterable[int]) -> dict[str, Any]:  # noqa: ANN401
    # Bars start at a half: a bin with one member is seen, and on a logarithmic scale there is no zero.
    highest = max(counts) * _HEADROOM
    scale = altair.Scale(type="log", domain=[_FLOOR, highest], nice=False)
    axis = altair.Axis(format="~s", values=[n for n in _DECADES if n <= highest])
    y = altair.Y("count:Q", title=f"{unit} (log scale)", scale=scale, axis=axis)
    return {"y": y, "y2": altair.datum(_FLOOR)}


def _values(altair: Any, shown: Shown) -> Any:  # noqa: ANN401
    found = shown.description.range
    if found is None:
        return None
    edges = found.edges
    rows = [
        {"from": low, "to": high, "count": count}
        for low, high, count in zip(edges, edges[1:], found.counts, strict=False)  # one edge more than bins
        if count
    ]
    what = "byte" if shown.is_packed else "value"
    domain = altair.Scale(domain=[edges[0], edges[-1]], nice=False, zero=False)
    axis = altair.Axis(tickCount=6, grid=False)
    return (
        _panel(altair, rows, "Packed bytes" if shown.is_packed else "Values")
        .mark_bar(color=_COLOURS["values"])
        .encode(
            x=altair.X("from:Q", title=f"{what} (as stored)", scale=domain, axis=axis),
            x2="to:Q",
            **_counts(altair, f"{what}s per bin", found.counts),
        )
    )


def _exponents(altair: Any, shown: Shown) -> Any:  # noqa: ANN401
    floats = shown.description.floats
    if floats is None or not floats.exponents:
        return None
    rows = [{"from": e - 0.45, "to": e + 0.45, "count": count} for e, count in floats.exponents.items()]
    domain = [min(floats.exponents) - 1, max(floats.exponents) + 1]
    scale = altair.Scale(domain=domain, nice=False, zero=False)
    axis = altair.Axis(format="d", tickMinStep=1, tickCount=8, grid=False)
    return (
        _panel(altair, rows, "Exponents")
        .mark_bar(color=_COLOURS["exponents"])
        .encode(
            x=altair.X("from:Q", title="exponent of 2 (normal values)", scale=scale, axis=axis),
            x2="to:Q",
            **_counts(altair, "values", floats.exponents.values()),
        )
    )


def _runs(altair: Any, shown: Shown) -> Any:  # noqa: ANN401
    names = [length_name(*lengths) for lengths in RUN_LENGTHS]
    kinds = {"zero": shown.description.zero_runs, "non-zero": shown.description.nonzero_runs}
    rows = [
        {"length": name, "words": kind, "count": count}
        for kind, runs in kinds.items()
        for name, count in zip(names, runs.counts, strict=True)
        if count
    ]
    colours = altair.Scale(domain=list(kinds), range=[_COLOURS[kind] for kind in kinds])
    legend = altair.Legend(orient="right", offset=8)
    counts = [count for runs in kinds.values() for count in runs.counts]
    word_bits = shown.description.word_bits
    return (
        _panel(altair, rows, "Runs of zero and of non-zero words")
        .mark_bar()
        .encode(
            x=altair.X(
                "length:N",
                title=f"run length ({word_bits}-bit words)",
                scale=altair.Scale(domain=names),
                axis=altair.Axis(labelAngle=0),
            ),
            xOffset=altair.XOffset("words:N", scale=altair.Scale(domain=list(kinds))),
            color=altair.Color("words:N", title="words", scale=colours, legend=legend),
            **_counts(altair, "runs", counts),
        )
    )
