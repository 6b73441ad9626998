"""Writing a run's report: the same documents as Markdown, LaTeX, HTML and CSV, from the records alone."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from suite import results, runfile, safetext
from suite.reporting import hardware, leaderboard, tables
from suite.reporting.latex import latex
from suite.reporting.tables import Document, Section

FORMATS = ("md", "csv", "tex", "html")
REPORT_FILES = tuple(f"{stem}.{form}" for stem in ("leaderboard", "times") for form in FORMATS)

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


def write_report(folder: Path) -> tuple[leaderboard.Board, list[leaderboard.Row]]:
    """Render `leaderboard.*` and, where anything was timed, `times.*` into a run's folder.

    Returns the board and the speeds. Raises RunError, FileNotFoundError or ValueError for a folder
    that holds no run, or a damaged one.
    """
    facts, table = runfile.read_run_file(folder), results.read(folder)
    board, speeds = leaderboard.build(table), leaderboard.times(table)
    document = tables.leaderboard(board, facts, hardware.sections(board.rows, facts))
    _write(folder, "leaderboard", document, leaderboard_csv(board))
    if speeds:
        cold = leaderboard.times(table, "cold_")
        _write(folder, "times", tables.times(speeds, facts, cold), csv_text(speeds + _named_cold(cold)))
    return board, speeds


def _named_cold(rows: list[leaderboard.Row]) -> list[leaderboard.Row]:
    return [{**row, "cache": "cold"} for row in rows]


def _write(folder: Path, stem: str, document: Document, as_csv: str) -> None:
    texts = {"md": markdown(document), "tex": latex(document), "html": page(document), "csv": as_csv}
    for suffix, text in texts.items():
        (folder / f"{stem}.{suffix}").write_text(text, encoding="utf-8", newline="\n")


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


def leaderboard_csv(board: leaderboard.Board) -> str:
    """The text of `leaderboard.csv`."""
    return csv_text(board.rows + board.lossy)


def csv_text(rows: list[Mapping[str, Any]] | list[dict[str, Any]]) -> str:
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
