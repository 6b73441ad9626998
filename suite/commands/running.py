"""The command `run`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.commands.common import (
    DEFAULT_CORPUS,
    EXIT_INTERRUPTED,
    EXIT_UNTRUSTED,
    fail,
    one_line_errors,
    page_option,
    write_and_show,
)

if TYPE_CHECKING:
    from suite.measuring.run import Run, Settings
    from suite.measuring.watching import Watcher
    from tracegen.corpus import Corpus


@click.command()
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default=DEFAULT_CORPUS,
    show_default=True,
    help="Folder of the corpus.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the run.  [default: runs/NAME-DIGEST of the corpus]",
)
@click.option(
    "--codecs",
    metavar="GLOB[,GLOB]",
    help="Codecs and hardware models to run, as globs over the board's rows or as specs: "
    "'zstd*,hw/*', 'shuffle|zstd:level=9'.  [default: the board]",
)
@click.option(
    "--select",
    metavar="KEY=VALUE[,KEY=VALUE]",
    help="Traces to run on, by name, model, role, layer, dtype, precision, sparsity, pruning, phase, kind, "
    "split or sha256: 'role=weights|gradients,precision=int8*'.  [default: all]",
)
@click.option("--jobs", type=click.IntRange(1), help="Worker processes of the size phase.  [default: cores]")
@click.option(
    "--timing/--no-timing", default=True, show_default=True, help="Measure speeds, serially, after the sizes."
)
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Go on in an existing run folder; otherwise it is set aside first.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds after which one cell is given up.",
)
@page_option
@click.option(
    "--memory-limit",
    "memory_limit_gib",
    type=click.FloatRange(0, min_open=True),
    help="GiB that one cell may add to its worker's memory.  [default: half of the machine's / jobs]",
)
@click.option(
    "--cold/--warm-only",
    default=False,
    show_default=True,
    help="Time every codec a second time, on inputs that no cache holds.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Progress on standard error: for people, or one JSON object a line.",
)
@click.option(
    "--cluster",
    metavar="tcp://HOST:PORT",
    help="Measure sizes on the workers of this dask scheduler, see docs/cluster.md; --jobs is then "
    "for codecs that learn alone.",
)
def run(
    corpus: Path,
    out: Path | None,
    codecs: str | None,
    select: str | None,
    jobs: int | None,
    timing: bool,
    resume: bool,
    timeout_s: float,
    page: bool,
    memory_limit_gib: float | None,
    cold: bool,
    log_format: str,
    cluster: str | None,
) -> None:
    """Measure every trace with every codec and hardware model, and rank them.

    Interrupted runs go on where they stopped: the same command measures only what is missing.
    """
    from suite.machine import usable_cores
    from suite.measuring import memory
    from suite.measuring.run import Settings
    from tracegen.corpus import Corpus

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with one_line_errors():
        opened = Corpus.open(corpus)
        jobs = jobs or usable_cores()
        limit = int(memory_limit_gib * 2**30) if memory_limit_gib else memory.default_limit_bytes(jobs)
        out = out or Path("runs") / f"{opened.name}-{opened.digest[:8]}"
        settings = Settings(out, select, jobs, timing, timeout_s, limit, cold, cluster)
        this = _planned(opened, settings, codecs, resume=resume)
        _execute(this, _watcher(log_format))
        board = write_and_show(out, page=page).board
    _end(this, is_ranked=any(row["rank"] for row in board.rows))


def _planned(opened: Corpus, settings: Settings, codecs: str | None, *, resume: bool) -> Run:
    """The run, after all that can be wrong with what was asked for was looked at."""
    from suite.measuring.run import Run, set_aside
    from suite.plan import choose_subjects, choose_traces

    if settings.cluster:
        from suite.measuring.cluster import check

        check(settings.cluster)
    traces, subjects = choose_traces(opened.traces, settings.select), choose_subjects(codecs)
    if not resume:
        set_aside(settings.out)
    return Run(settings, opened, traces, subjects)


def _watcher(log_format: str) -> Watcher:
    from suite.commands.progress import ProgressWatcher
    from suite.measuring.watching import JsonWatcher

    return JsonWatcher(sys.stderr) if log_format == "json" else ProgressWatcher()


def _execute(this: Run, watcher: Watcher) -> None:
    try:
        with watcher as this.watcher:
            this.execute()
    except KeyboardInterrupt:
        kept = f"{this.finished()} records are kept in {this.settings.out}"
        fail(f"interrupted: {kept}; the same command goes on from there", EXIT_INTERRUPTED)


def _end(this: Run, *, is_ranked: bool) -> None:
    """End with another code than 0 where the board says less than it seems to."""
    if this.damaged:
        name, reason = min(this.damaged.items())
        what = "damaged" if any(why.startswith("damaged") for why in this.damaged.values()) else "locked"
        fail(
            f"{len(this.damaged)} {what} traces, this board cannot be trusted; first {name}: {reason}",
            EXIT_UNTRUSTED,
        )
    if not is_ranked:
        fail("no codec was verified on every trace: there is nothing to rank", EXIT_UNTRUSTED)
