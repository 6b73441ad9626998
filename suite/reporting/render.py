"""Rendering a run's tables into its folder, from its records alone, which are read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suite.reporting import documents, hardware, leaderboard, report, tables
from suite.reporting.formats import FORMATS, csv_text, write_document
from suite.reporting.report import Report

LEADERBOARD, TIMES = "leaderboard", "times"
REPORT_FILES = tuple(f"{stem}.{suffix}" for stem in (LEADERBOARD, TIMES) for suffix in FORMATS)


def write_tables(folder: Path) -> Report:
    """Write all but the page into a run's folder; returns the report, which the page is made of.

    Raises RunError, FileNotFoundError or ValueError for a folder that holds no run, or a damaged one.
    """
    loaded = report.load(folder)
    write_leaderboards(loaded, folder)
    documents.write_documents(loaded, folder)
    return loaded


def write_leaderboards(loaded: Report, folder: Path) -> None:
    """Write `leaderboard.*` and, where anything was timed, `times.*` into the folder."""
    board, speeds, facts = loaded.board, loaded.speeds, loaded.facts
    document = tables.leaderboard(board, facts, hardware.sections(board.rows, facts))
    write_document(folder, LEADERBOARD, document, _rows(board))
    if speeds:
        cold = leaderboard.times(loaded.table, "cold_")
        named = [{**row, "cache": "cold"} for row in cold]
        write_document(folder, TIMES, tables.times(speeds, facts, cold), speeds + named)


def leaderboard_csv(board: leaderboard.Board) -> str:
    """The text of `leaderboard.csv`."""
    return csv_text(_rows(board))


def _rows(board: leaderboard.Board) -> list[dict[str, Any]]:
    return board.rows + board.lossy
