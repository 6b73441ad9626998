"""What stands beside the leaderboards in a run's folder: tracks, speeds, questions, the reproduction card.

Apart from `suite.render`, whose files of published reports never change: a report that lacks these is valid.
"""

from __future__ import annotations

from pathlib import Path

from suite import results, runfile
from suite.reporting import questions, render, reproduction, speeds, tracks
from suite.reporting.latex import latex
from suite.reporting.tables import Document

TRACKS, SPEEDS = "tracks", "speeds"
QUESTIONS_FILE = "questions.md"
FORMATS = ("md", "csv", "tex")
DOCUMENT_FILES = (
    *(f"{stem}.{form}" for stem in (TRACKS, SPEEDS) for form in FORMATS),
    *(QUESTIONS_FILE, reproduction.CARD_FILE, reproduction.CARD_TEXT_FILE),
)


def write_documents(folder: Path) -> None:
    """Write them into a run's folder, from its records alone; `speeds.*` only where anything was timed.

    Raises RunError, FileNotFoundError or ValueError for a folder that holds no run, or a damaged one.
    """
    facts, table = runfile.read_run_file(folder), results.read(folder)
    found = tracks.rows(table, facts)
    _write(folder, TRACKS, tracks.document(found, facts), render.csv_text(found))
    if timed := speeds.rows(table):
        _write(folder, SPEEDS, speeds.document(timed, facts), render.csv_text(timed))
    text = questions.markdown(table, facts)
    (folder / QUESTIONS_FILE).write_text(text, encoding="utf-8", newline="\n")
    reproduction.write(folder, table, facts)


def _write(folder: Path, stem: str, document: Document, as_csv: str) -> None:
    texts = {"md": render.markdown(document), "csv": as_csv, "tex": latex(document)}
    for form in FORMATS:
        (folder / f"{stem}.{form}").write_text(texts[form], encoding="utf-8", newline="\n")
