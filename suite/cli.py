"""The command line: `python -m suite run | doctor | list | report | publish | verify | compare | merge`.

Heavy modules (numba, polars, h5py) are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path

import click

from suite.commands import checks
from suite.commands.common import (
    DEFAULT_CORPUS,
    one_line_errors,
    page_option,
    show_any_name,
    write_and_show,
)
from suite.commands.running import run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="squeezemark", prog_name="squeezemark")
def main() -> None:
    """Answer which compression fits machine-learning data.

    Runs software codecs and hardware compressor models over a corpus of traces, verifies every round trip
    bit by bit, and ranks them.
    """
    show_any_name()


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

    with one_line_errors():
        results.probe(folder)
        write_and_show(folder, page=page)


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


for command in (run, checks.verify, checks.compare, checks.merge):
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
