"""The command line: `python -m suite run | doctor | list | report | publish | verify | compare | merge`.

Heavy modules (numba, polars, h5py) are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from suite.commands import checks, progress
from suite.commands.common import DEFAULT_CORPUS, EXIT_INTERRUPTED, EXIT_UNTRUSTED, fail, one_line_errors

TOP_ROWS = 15


page_option = click.option(
    "--page/--no-page", default=True, show_default=True, help="Draw index.html and charts/ beside the tables."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="squeezemark", prog_name="squeezemark")
def main() -> None:
    """Answer which compression fits machine-learning data.

    Runs software codecs and hardware compressor models over a corpus of traces, verifies every round trip
    bit by bit, and ranks them.
    """


@main.command()
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
    from suite.measuring.run import Run, Settings, set_aside
    from suite.measuring.watching import JsonWatcher
    from suite.plan import choose_subjects, choose_traces
    from suite.reporting import terminal
    from suite.reporting.documents import write_documents
    from suite.reporting.render import write_report
    from tracegen.corpus import Corpus

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with one_line_errors():
        opened = Corpus.open(corpus)
        out = out or Path("runs") / f"{opened.name}-{opened.digest[:8]}"
        if cluster:
            from suite.measuring.cluster import check

            check(cluster)
        jobs = jobs or usable_cores()
        limit = int(memory_limit_gib * 2**30) if memory_limit_gib else memory.default_limit_bytes(jobs)
        settings = Settings(out, select, jobs, timing, timeout_s, limit, cold, cluster)
        traces, subjects = choose_traces(opened.traces, select), choose_subjects(codecs)
        if not resume:
            set_aside(out)
        watcher = JsonWatcher(sys.stderr) if log_format == "json" else progress.ProgressWatcher()
        this = Run(settings, opened, traces, subjects)
        try:
            with watcher as this.watcher:
                this.execute()
        except KeyboardInterrupt:
            kept = f"{this.finished()} records are kept in {out}; the same command goes on from there"
            fail(f"interrupted: {kept}", EXIT_INTERRUPTED)
        report_of = write_report(out)
        write_documents(out)
        terminal.show_board(*report_of, out, TOP_ROWS)
        if page:
            _write_page(out)
    if this.damaged:
        first = min(this.damaged.items())
        fail(
            f"{len(this.damaged)} damaged traces, this board cannot be trusted; first {first[0]}: {first[1]}",
            EXIT_UNTRUSTED,
        )
    if not any(row["rank"] for row in report_of[0].rows):
        fail("no codec was verified on every trace: there is nothing to rank", EXIT_UNTRUSTED)


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default="runs", show_default=True, help="Where runs go."
)
def doctor(out: Path) -> None:
    """Show what is installed and what machine this is, and say what will make times unreliable."""
    from suite.commands import doctor as examination
    from suite.reporting import terminal
    from suite.safetext import visible

    with one_line_errors():
        finding = examination.examine(out)
    for title, header, rows in finding.tables:
        terminal.show_table(title, header, rows)
    for line in finding.notes:
        click.echo(f"note: {visible(line)}")
    click.echo(f"verdict: {finding.verdict()}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN_DIR")
@page_option
def report(folder: Path, page: bool) -> None:
    """Render a run's tables, page and charts again, from its records alone."""
    from suite import results
    from suite.reporting import terminal
    from suite.reporting.documents import write_documents
    from suite.reporting.render import write_report

    with one_line_errors():
        results.probe(folder)
        report_of = write_report(folder)
        write_documents(folder)
        terminal.show_board(*report_of, folder, TOP_ROWS)
        if page:
            _write_page(folder)


def _write_page(folder: Path) -> None:
    from suite.reporting.site import write_site

    click.echo(f"Page: {write_site(folder)}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN_DIR")
@click.option("--reports", type=click.Path(path_type=Path), default="reports", show_default=True)
@click.option("--readme", type=click.Path(path_type=Path), default="README.md", show_default=True)
def publish(folder: Path, reports: Path, readme: Path) -> None:
    """Copy a run's report to the published ones and show its head in the README."""
    from suite import results
    from suite.reporting import publish as publishing

    with one_line_errors():
        results.probe(folder)
        click.echo(f"published as {publishing.publish(folder, reports, readme)}")


for command in (checks.verify, checks.compare, checks.merge):
    main.add_command(command)


@main.group("list")
def list_() -> None:
    """List what there is."""


@list_.command()
def codecs() -> None:
    """Software codecs by family, with settings and source. Any numcodecs codec works too, by its name."""
    from suite.commands import listing
    from suite.reporting import terminal

    for family, rows in listing.codecs():
        terminal.show_table(f"Software codecs: {family}", listing.HEADER, rows)
    for reason in listing.missing():
        click.echo(reason)


@list_.command()
@click.argument("spec", required=False)
def hwmodels(spec: str | None) -> None:
    """Hardware models and the figures of the board's rows; with a SPEC, where each of its figures is from."""
    from suite.commands import listing
    from suite.reporting import terminal

    if spec:
        with one_line_errors():
            rows = listing.sources(spec)
        terminal.show_table(spec, ["figure", "value", "origin", "source"], rows)
        return
    terminal.show_table("Hardware models", listing.MODELS_HEADER, listing.models())
    terminal.show_table("Their figures", listing.FIGURES_HEADER, listing.figures())
    click.echo(listing.FIGURES_NOTE)


@list_.command()
@click.option("--corpus", type=click.Path(path_type=Path), default=DEFAULT_CORPUS, show_default=True)
@click.option("--select", metavar="KEY=VALUE[,KEY=VALUE]", help="As in 'suite run'.")
def traces(corpus: Path, select: str | None) -> None:
    """Traces of a corpus."""
    from suite.plan import choose_traces
    from suite.reporting import terminal
    from tracegen.corpus import Corpus

    with one_line_errors():
        opened = Corpus.open(corpus)
        chosen = choose_traces(opened.traces, select)
    rows = [[t.name, "×".join(map(str, t.shape)), f"{t.raw_bytes:,}", t.sha256[:12]] for t in chosen]
    title = f"{len(chosen)} of {len(opened.traces)} traces of '{opened.name}' {opened.version}"
    terminal.show_table(title, ["trace", "shape", "bytes", "sha256"], rows)
