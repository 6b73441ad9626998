"""What all commands share: how a user's mistake ends, and what exit codes mean."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from suite.reporting.report import Report

EXIT_UNTRUSTED = 3
EXIT_INTERRUPTED = 130
DEFAULT_CORPUS = "traces"
TOP_ROWS = 15

page_option = click.option(
    "--page/--no-page", default=True, show_default=True, help="Draw index.html and charts/ beside the tables."
)


def show_any_name() -> None:
    """Let output name what is not UTF-8, such as a folder, instead of failing after the work."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def fail(error: BaseException | str, code: int = 1) -> NoReturn:
    """End the program with one line on standard error."""
    from suite.safetext import visible

    click.echo(f"error: {visible(error)}", err=True)
    raise SystemExit(code)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """A user's mistake, a damaged file, a full disk: one line and a non-zero exit, no traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        fail(error)


def write_and_show(folder: Path, *, page: bool) -> Report:
    """Render a run's tables and show the board's top; then, with `page`, draw its page."""
    from suite.reporting import terminal
    from suite.reporting.render import write_tables
    from suite.reporting.site import write_site

    report = write_tables(folder)
    terminal.show_board(report, folder, TOP_ROWS)
    if page:
        click.echo(f"Page: {write_site(report, folder)}")
    return report
