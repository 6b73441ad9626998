"""Commands that argue with results: `verify`, `compare`, `merge`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli_common import DEFAULT_CORPUS, EXIT_INTERRUPTED, EXIT_UNTRUSTED, fail, one_line_errors

if TYPE_CHECKING:
    from suite.verify import Verdict

EXIT_UNCHECKED = 4
"""`verify`: nothing differs, but nothing (with --strict: not everything) could be checked."""

folder_type = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=folder_type, metavar="REPORT_DIR")
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="Measure N cells, drawn at random.  [default: all of them]",
)
@click.option(
    "--corpus", type=folder_type, default=DEFAULT_CORPUS, show_default=True, help="The same corpus."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the sample.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes.  [default: cores]")
@click.option("--strict", is_flag=True, help="Exit with code 4 where a cell cannot be checked here.")
def verify(folder: Path, sample: int | None, corpus: Path, seed: int, jobs: int | None, strict: bool) -> None:
    r"""Measure the sizes of a run or a published report again, and name every one that differs.

    Never measures times. Also checks the digest in card.json, leaderboard.csv against the records, and what
    the records say of each trace against the corpus. A cell whose codec is not installed here, or in another
    version, is named as not checkable.

    \b
    Exit code: 0 what was checked is the same, 1 error, 2 usage, 3 something differs,
    4 nothing differs but nothing (with --strict: not everything) could be checked.
    """
    from suite import terminal
    from suite.machine import usable_cores
    from suite.verify import Request
    from suite.verify import verify as measure_again
    from tracegen.corpus import Corpus

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with one_line_errors():
        request = Request(sample, seed, jobs or usable_cores())
        try:
            with terminal.ProgressWatcher() as watcher:
                verdict = measure_again(folder, Corpus.open(corpus), request, watcher)
        except KeyboardInterrupt:
            fail("interrupted: nothing is kept of a verification", EXIT_INTERRUPTED)
    _show(verdict, folder)
    if verdict.differences:
        raise SystemExit(EXIT_UNTRUSTED)
    if not verdict.checked or (strict and verdict.not_checkable):
        raise SystemExit(EXIT_UNCHECKED)


def _show(verdict: Verdict, folder: Path) -> None:
    for difference in verdict.differences:
        click.echo(f"differs: {difference}")
    for (codec, reason), count in sorted(verdict.unchecked.items()):
        click.echo(f"not checkable: {codec} ({count} cells): {reason}")
    if not verdict.has_card:
        click.echo("no card.json: the report is older than cards, its digest cannot be checked")
    outcome = f"{len(verdict.differences)} differences" if verdict.differences else "all of these match"
    click.echo(
        f"{folder}: {verdict.checked} of {verdict.cells} cells measured again, {verdict.not_checkable} not "
        f"checkable; {outcome if verdict.checked or verdict.differences else 'nothing was checked'}"
    )
