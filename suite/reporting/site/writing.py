"""Writing the page and its charts into a run's folder."""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from suite.reporting.report import Report
from suite.reporting.site import charts
from suite.reporting.site.block import Block
from suite.reporting.site.charts import Chart
from suite.reporting.site.payload import DIMENSIONS, pack, records
from suite.reporting.site.sections import blocks, highlights
from suite.reporting.tables import LEFT_ALIGNED
from tracegen.corpus import ROLES

PAGE_FILE = "index.html"
CHARTS_FOLDER = "charts"
PNG_SCALE = 2.0
STYLES = ("style.css",)
SCRIPTS = ("data.js", "table.js", "board.js", "details.js", "charts.js", "main.js")
TEXT_COLUMNS = LEFT_ALIGNED | {"figure", "unit", "origin", "source"}
WRAPPED_COLUMNS = frozenset({"reason", "source"})


def write_site(report: Report, folder: Path, *, png: bool = True) -> Path:
    """Write `index.html`, `charts/*.svg` and, with `png`, `charts/*.png` into a run's folder; its path.

    The bytes depend on the report alone. Charts of an earlier writing that are no longer drawn are removed.
    """
    found = blocks(report)
    _write_charts(folder / CHARTS_FOLDER, _drawn(found), png=png)
    path = folder / PAGE_FILE
    path.write_text(page(report, found), encoding="utf-8", newline="\n")
    return path


def page(report: Report, found: Sequence[Block]) -> str:
    """The page as text; nothing in it makes a browser ask the network."""
    drawn = _drawn(found)
    content = {
        **records(report),
        "charts": {chart.name: {"spec": chart.spec, "fluid": chart.fluid} for chart in drawn},
    }
    environment = _environment()
    return environment.get_template("page.html").render(
        title=f"Squeezemark: {report.corpus['name']} {report.corpus['version']}",
        report=report,
        facts=report.facts,
        blocks=found,
        highlights=highlights(report),
        dimensions=DIMENSIONS,
        roles=[role for role in ROLES if role in set(report.table["role"])],
        style=Markup(_assets(STYLES)),  # noqa: S704 - our own files
        script=Markup(_assets(SCRIPTS)),  # noqa: S704
        vega=Markup(_vega()) if drawn else "",  # noqa: S704
        payload=pack(content),
        themes=_json({"light": charts.theme(dark=False), "dark": charts.theme(dark=True)}),
        citation=citation(report),
    )


def _drawn(found: Sequence[Block]) -> list[Chart]:
    return [chart for block in found for chart in block.every_chart()]


def citation(report: Report) -> str:
    """A BibTeX entry that names the records beyond doubt."""
    corpus = report.corpus
    key = re.sub(r"[^A-Za-z0-9]+", "-", f"{corpus['name']}-{corpus['version']}-{report.records_sha256[:8]}")
    name = re.sub(r"([&%$#_{}])", r"\\\1", f"{corpus['name']}, version {corpus['version']}")
    return (
        f"@misc{{{key},\n"
        f"  title = {{Squeezemark leaderboard over {name}}},\n"
        f"  note  = {{{report.board.traces} traces; corpus digest {corpus['digest'][:16]}, "
        f"records SHA-256 {report.records_sha256[:16]}}}\n"
        "}"
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("suite.reporting.site"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["codec_link"] = lambda spec: f"#codec={quote(str(spec), safe='')}"
    environment.filters["is_text"] = lambda title: title in TEXT_COLUMNS
    environment.filters["is_wrapped"] = lambda title: title in WRAPPED_COLUMNS
    return environment


def _assets(names: Sequence[str]) -> str:
    folder = importlib.resources.files("suite.reporting.site") / "assets"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _json(value: Any) -> Markup:  # noqa: ANN401 - anything that JSON holds
    """JSON for inside a script element: no '<' that could end it."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - nothing in it can end the element


def _vl_version() -> str:
    """Of the versions of Vega-Lite that vl-convert has built in: the one that altair writes for."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(vl_version=_vl_version())  # type: ignore[call-arg] # its stub
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _fixed_ids(svg: str) -> str:
    """Vega counts clips and gradients through a whole process: here they are counted in each picture."""
    numbers: dict[str, str] = {}
    return re.sub(
        r'(\bid="|url\(#|href="#)((?:clip|gradient_?)\d+)\b',
        lambda found: found[1] + numbers.setdefault(found[2], f"part{len(numbers)}"),
        svg,
    )


def _write_charts(folder: Path, drawn: Sequence[Chart], *, png: bool) -> None:
    import vl_convert

    folder.mkdir(exist_ok=True)
    for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
        old.unlink()
    for chart in drawn:
        config = charts.theme(dark=False)
        svg = _fixed_ids(vl_convert.vegalite_to_svg(chart.spec, vl_version=_vl_version(), config=config))
        (folder / f"{chart.name}.svg").write_text(svg, encoding="utf-8", newline="\n")
        if png:
            picture = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
            (folder / f"{chart.name}.png").write_bytes(picture)
