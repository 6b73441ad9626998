"""Commands that argue with results: `verify`, `compare`, `merge`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.commands.common import (
    DEFAULT_CORPUS,
    EXIT_INTERRUPTED,
    EXIT_UNTRUSTED,
    fail,
    one_line_errors,
    write_and_show,
)

if TYPE_CHECKING:
    from suite.checking.compare import Comparison
    from suite.checking.verify import Verdict

EXIT_UNCHECKED = 4
"""`verify`: nothing differs, but nothing (with --strict: not everything) could be checked."""
EXIT_SLOWER = 4
"""`compare --fail-on times|any`: B is slower beyond noise."""

EXITS_OF_VERIFY = (
    "Exit code: 0 what was checked is the same, 1 error, 2 usage, 3 something differs, 4 nothing "
    "differs but nothing (with --strict: not everything) could be checked."
)
EXITS_OF_COMPARE = (
    "Exit code: 0 the same (as to --fail-on), 1 error, also --fail-on times with times of different "
    "machines, 2 usage, 3 sizes differ at equal versions, 4 B is slower."
)
folder_type = click.Path(path_type=Path)


@click.command(epilog=EXITS_OF_VERIFY)
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
    """Measure the sizes of a run or a published report again, and name every one that differs.

    Never measures times. Also checks the digest in card.json, leaderboard.csv against the records, and what
    the records say of each trace against the corpus. A cell whose codec is not installed here, or in another
    version, is named as not checkable.
    """
    from suite.checking.verify import Request
    from suite.checking.verify import verify as measure_again
    from suite.commands.progress import ProgressWatcher
    from suite.machine import usable_cores
    from tracegen.corpus import Corpus

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with one_line_errors():
        request = Request(sample, seed, jobs or usable_cores())
        try:
            with ProgressWatcher() as watcher:
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


@click.command(epilog=EXITS_OF_COMPARE)
@click.argument("a", type=folder_type, metavar="A")
@click.argument("b", type=folder_type, metavar="B")
@click.option(
    "--fail-on",
    type=click.Choice(["sizes", "times", "any"]),
    default="sizes",
    show_default=True,
    help="What ends in an exit code other than 0.",
)
@click.option(
    "--percent",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Speeds that differ by no more are noise.",
)
def compare(a: Path, b: Path, fail_on: str, percent: float) -> None:
    """Compare two runs or reports: sizes, cells, versions, and times of the same machine.

    A size may not change while the codec's version and the trace are the same. A time counts as changed
    where the 95 % intervals of a codec's total, from the repeats, are disjoint and it differs by more than
    --percent.
    """
    from suite.checking.compare import compare as beside

    with one_line_errors():
        found = beside(a, b, percent)
    _show_comparison(found)
    if found.sizes and fail_on != "times":
        raise SystemExit(EXIT_UNTRUSTED)
    if fail_on == "times" and found.not_timed:
        fail(f"times cannot be compared: {found.not_timed}")
    if found.slower() and fail_on != "sizes":
        raise SystemExit(EXIT_SLOWER)


def _show_comparison(found: Comparison) -> None:
    if found.other_corpus:
        click.echo("different corpora: only traces with the same bytes are compared")
    for row in found.sizes:
        click.echo(f"size differs: {row['trace']}  {row['codec']}  {row['what']}: A {row['a']}, B {row['b']}")
    for side, rows in found.only.items():
        for row in rows:
            click.echo(f"only in {side}: {row['codec']} ({row['cells']} cells)")
    for row in found.versions:
        ratios = f"total ratio {row['a_ratio']:.3f} to {row['b_ratio']:.3f} over {row['cells']} cells"
        click.echo(f"other version: {row['codec']}  A {row['a']}, B {row['b']}; {ratios}")
    for row in found.times:
        spans = "; ".join(
            f"{s.upper()} {row[s + '_s'][0]:.4g} to {row[s + '_s'][2]:.4g} s" for s in ("a", "b")
        )
        word = "slower" if row["b_over_a"] > 1 else "faster"
        click.echo(
            f"{word}: {row['codec']} {row['direction']}: {row['b_over_a']:.2f} × the time of A ({spans})"
        )
    if found.not_timed:
        click.echo(f"times are not compared: {found.not_timed}")
    click.echo(f"{found.cells} cells of equal version in both, {len(found.sizes)} sizes differ")


@click.command()
@click.argument("runs", type=folder_type, metavar="RUN_DIR...", nargs=-1, required=True)
@click.option("--out", type=folder_type, required=True, help="Folder of the joined run; new or empty.")
def merge(runs: tuple[Path, ...], out: Path) -> None:
    """Join runs of different codecs over the same corpus to one run.

    Refuses other corpora, a codec in two versions, and cells with different sizes. Times are those of the
    first run's machine; what others timed is kept without its times, and says so.
    """
    from suite.checking.merge import merge as join

    with one_line_errors():
        join(runs, out)
        write_and_show(out, page=False)
