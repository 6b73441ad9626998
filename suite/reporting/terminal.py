"""What a person sees when a run has ended: the board as a table and as a picture."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from suite.reporting import tables
from suite.reporting.leaderboard import Board
from suite.reporting.report import Report
from suite.reporting.tables import Column
from suite.results import Row
from suite.safetext import visible

WIDTH_WHEN_PIPED = 140
PICTURE_WIDTH = 110
"""Or more, where the columns need it."""
MAX_WIDTH = 400
CODEC_MIN_WIDTH = 20


def show_board(report: Report, folder: Path, top: int) -> None:
    """Print the top of the leaderboard, what failed, and where the rest is."""
    board, speeds = report.board, report.speeds
    console = _console()
    tables_by_roles = (
        _board_table(board, speeds, top, roles)
        for roles in reversed(range(len(board.breakdowns["role"].groups) + 1))
    )
    # In a narrow terminal roles are left out, the last ones first: without its codec a row says nothing.
    fitting = (t for t in tables_by_roles if _needed(console, t).minimum <= console.width)
    console.print(next(fitting, None) or _board_table(board, speeds, top, 0))
    lines = [
        f"{row['status']}: {row['codec']} on {row['cells']} traces, first {row['trace']}: {row['reason']}"
        for row in board.not_ok
    ]
    if untrained := [row["codec"] for row in board.rows if row.get("state_bytes") == 0]:
        why = "untrained, since the corpus has no traces of the split profile for them"
        lines.append(f"learned nothing: {len(untrained)} rows are {why}: {', '.join(untrained)}")
    lines.append(f"Tables: {folder}/leaderboard.md .csv .tex .html")
    if speeds:
        lines.append(f"Speeds: {folder}/times.md .csv .tex .html")
    lines.append(f"Records: {folder}/results.parquet")
    for line in lines:
        console.print(visible(line), highlight=False, markup=False, soft_wrap=True)


def picture(report: Report) -> str:
    """The whole board as an SVG picture that looks like the terminal."""
    board, speeds = report.board, report.speeds
    table = _board_table(board, speeds, len(board.rows), len(board.breakdowns["role"].groups))
    console = Console(record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True)
    console.width = max(PICTURE_WIDTH, _needed(console, table).maximum)
    console.print(table)
    svg = console.export_svg(title="Squeezemark", unique_id="board")
    # rich names a font on the network; nothing of ours loads from there.
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def _needed(console: Console, table: Table) -> Measurement:
    """Width with codecs folded, and with none; rich itself says no more than the console has."""
    return Measurement.get(console, console.options.update_width(MAX_WIDTH), table)


def _board_table(board: Board, speeds: list[Row], top: int, roles: int) -> Table:
    """The `top` rows, with the columns of the first `roles` roles."""
    by_codec = {row["codec"]: row for row in speeds}
    rows = [{**by_codec.get(row["codec"], {}), **row} for row in board.rows]
    columns = [
        tables.RANK,
        tables.CODEC,
        Column("total_ratio", "total\nratio", tables.ratio),
        *tables.group_columns(board.breakdowns["role"])[:roles],
    ]
    if speeds:
        columns += [Column(f"{d}_mb_s", f"{d}\nMB/s", tables.rate) for d in ("encode", "decode")]
    if any(row["kind"] == "hardware" for row in rows):
        columns.append(Column("effective_ratio_32", "effective\n32 B", tables.ratio))
    shown = f"top {top} of {len(rows)}" if top < len(rows) else f"all {len(rows)}"
    title = f"{shown} lossless codecs over {tables.judged_traces(board)}, every round trip verified"
    table = Table(title=escape(visible(title)), box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for column in columns:
        left = column is tables.CODEC
        table.add_column(
            escape(column.title),
            justify="left" if left else "right",
            overflow="fold",
            no_wrap=not left,
            min_width=CODEC_MIN_WIDTH if left else None,
        )
    for body in tables.Section("", "", tuple(columns), rows[:top]).body():
        table.add_row(*(escape(cell) for cell in body))
    return table


def show_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a plain table."""
    table = Table(title=escape(visible(title)), box=box.SIMPLE_HEAD, show_edge=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape("\n".join(map(visible, cell.split("\n")))) for cell in row))
    _console().print(table)


def _console() -> Console:
    """Standard output; what is piped into a file is not folded to 80 columns."""
    return Console() if Console().is_terminal else Console(width=WIDTH_WHEN_PIPED)
