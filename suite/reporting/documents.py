"""What stands beside the leaderboards in a run's folder: tracks, speeds, questions, the reproduction card.

Apart from `render`'s leaderboards, whose files of published reports never change: a report that lacks these
is valid.
"""

from __future__ import annotations

from pathlib import Path

from suite.reporting import questions, reproduction, speeds, tracks
from suite.reporting.formats import write_document
from suite.reporting.report import Report

TRACKS, SPEEDS = "tracks", "speeds"
QUESTIONS_FILE = "questions.md"
FORMATS = ("md", "csv", "tex")
DOCUMENT_FILES = (
    *(f"{stem}.{suffix}" for stem in (TRACKS, SPEEDS) for suffix in FORMATS),
    *(QUESTIONS_FILE, reproduction.CARD_FILE, reproduction.CARD_TEXT_FILE),
)


def write_documents(report: Report, folder: Path) -> None:
    """Write them into the folder; `speeds.*` only where anything was timed."""
    facts, table = report.facts, report.table
    found = tracks.rows(table, facts)
    write_document(folder, TRACKS, tracks.document(found, facts), found, FORMATS)
    if timed := speeds.rows(table):
        write_document(folder, SPEEDS, speeds.document(timed, facts), timed, FORMATS)
    text = questions.markdown(table, facts)
    (folder / QUESTIONS_FILE).write_text(text, encoding="utf-8", newline="\n")
    reproduction.write(folder, table, facts)
