"""The ways a document is written: Markdown, CSV, LaTeX, HTML."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from suite import safetext
from suite.reporting.latex import latex
from suite.reporting.tables import Document, Section

FORMATS = ("md", "csv", "tex", "html")

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p { max-width: 60rem; overflow-wrap: anywhere; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid light-dark(#ccc, #444); white-space: nowrap; }
th { border-bottom-width: 2px; text-align: left; vertical-align: bottom; white-space: normal; }
tbody tr:hover { background: light-dark(#f2f4f8, #22262e); }
"""


def write_document(
    folder: Path,
    stem: str,
    document: Document,
    rows: Sequence[Mapping[str, Any]],
    formats: Sequence[str] = FORMATS,
) -> None:
    """Write `stem`.md, .csv, ... into the folder; `rows`, which the tables are of, are the CSV."""
    texts = {
        "md": lambda: markdown(document),
        "csv": lambda: csv_text(rows),
        "tex": lambda: latex(document),
        "html": lambda: page(document),
    }
    for suffix in formats:
        (folder / f"{stem}.{suffix}").write_text(texts[suffix](), encoding="utf-8", newline="\n")


def _table(section: Section, form: str, body: list[list[str]]) -> str:
    header = section.header()
    header = [safetext.markdown(title) for title in header] if form == "github" else header
    text: str = tabulate(body, header, tablefmt=form, colalign=section.alignment(), disable_numparse=True)
    return text


def markdown_table(section: Section) -> str:
    """The section's table alone, what is special to Markdown escaped in its cells."""
    return _table(section, "github", [[safetext.markdown(cell) for cell in row] for row in section.body()])


def markdown(document: Document) -> str:
    """The document as Markdown."""
    parts = [f"# {document.title}", *map(safetext.markdown, document.intro)]
    for section in document.sections:
        parts += [f"## {section.title}", section.note, markdown_table(section)]
    if document.footnotes:
        parts.append("\n".join(f"- {safetext.markdown(note)}" for note in document.footnotes))
    return "\n\n".join(parts) + "\n"


def page(document: Document) -> str:
    """The document as one self-contained HTML page."""
    body = [f"<h1>{html.escape(document.title)}</h1>"]
    body += [f"<p>{html.escape(line)}</p>" for line in document.intro]
    for section in document.sections:
        table = _table(section, "html", section.body())  # tabulate escapes the cells
        body += [
            f"<h2>{html.escape(section.title)}</h2>",
            f"<p>{html.escape(section.note)}</p>",
            f"<div>{table}</div>",
        ]
    if document.footnotes:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in document.footnotes)
        body.append(f"<h2>Origin of the hardware figures</h2><ul>{notes}</ul>")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(document.title)}</title><style>{STYLE}</style>"
    )
    content = "\n".join(body)
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{content}\n</body>\n</html>\n'


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Every column of every row, in full precision's first six digits."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(row.get(key)) for key in columns] for row in rows)
    return out.getvalue()


def _csv_cell(value: Any) -> str:  # noqa: ANN401 - a cell holds anything
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
