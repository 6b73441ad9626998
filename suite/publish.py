"""Publishing a run: its folder becomes a report, and the README shows the report's head."""

from __future__ import annotations

import shutil
from pathlib import Path

from suite import render, run, tables, terminal
from suite.leaderboard import Board
from suite.results import RESULTS_FILE
from suite.tables import Section

BEGIN, END = "<!-- board -->", "<!-- /board -->"
PICTURE_FILE = "leaderboard.svg"
PUBLISHED = (run.RUN_FILE, RESULTS_FILE, PICTURE_FILE, *render.REPORT_FILES)
README_ROWS = 8


def publish(folder: Path, reports: Path, readme: Path) -> Path:
    """Copy the report of the run in `folder` to `reports/<corpus>-<version>` and renew the README's board.

    Returns the new folder. Raises RunError where that report exists: a published one is never edited.
    """
    corpus = run.read_run_file(folder)["corpus"]
    target = reports / f"{corpus['name']}-{corpus['version']}"
    if target.exists():
        raise run.RunError(
            f"{target} is published already; a new report needs a new corpus version or folder"
        )
    board, speeds = render.write_report(folder)
    (folder / PICTURE_FILE).write_text(terminal.picture(board, speeds), encoding="utf-8")
    target.mkdir(parents=True)
    for name in PUBLISHED:
        if (folder / name).exists():
            shutil.copyfile(folder / name, target / name)
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{head(board)}\n{END}{after}", encoding="utf-8")
    return target


def head(board: Board) -> str:
    """The first rows of the board as a Markdown table, for the README."""
    roles = tables.group_columns(board.breakdowns["role"])
    columns = (tables.RANK, tables.CODEC, tables.TOTAL, *roles)
    return render.markdown_table(Section("", "", columns, board.rows[:README_ROWS]))
