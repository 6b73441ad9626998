"""The command line: `python -m tracegen build | capture | import | list | show | verify`."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

from tracegen.capture_command import capture
from tracegen.capturing.importing import import_arrays
from tracegen.corpus import MANIFEST, Corpus, CorpusError
from tracegen.plotting import check_plot, save_plot
from tracegen.progress import need, progress_bar, say_done
from tracegen.showing import Filters, as_json, find, look_at, select, show_lines, trace_table

DEFAULT_CORPUS = Path("traces")
LISTED = (
    *("name", "shape", "dtype", "raw_bytes", "sha256"),
    *("precision", "sparsity", "pruning", "phase", "kind", "split"),
)
_PIPED_COLUMNS = 160
_CTRL_C_EXIT = 130

CORPUS_OPTION = click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default=DEFAULT_CORPUS,
    show_default=True,
    help="The corpus folder.",
)


class OneLineErrors(click.Group):
    """A command group whose every error is one line on stderr and a non-zero exit, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; Ctrl-C ends it with a line, before click prints one of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say_error("interrupted; nothing was published")
            ctx.exit(_CTRL_C_EXIT)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:  # noqa: ANN401 - click's own signature
        """Run the command line and exit."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # folders' names need not be UTF-8
        code = 1
        try:
            sys.exit(super().main(*args, **{**kwargs, "standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = error.exit_code
        except click.ClickException as error:
            _say_error(error.format_message())
            code = error.exit_code
        except click.Abort:
            code = _CTRL_C_EXIT
        except (CorpusError, FloatingPointError, MemoryError) as error:
            _say_error(str(error) or "out of memory")
        except OSError as error:
            if error.errno == errno.EPIPE:  # `list | head`: nobody reads on
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            else:
                _say_error(_storage_reason(error))
        sys.exit(code)


def _say_error(message: str) -> None:
    click.echo(f"Error: {' '.join(message.split())}", err=True)


def _storage_reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO):
        return f"cannot write: {error.strerror}; nothing was published"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Make and inspect traces: what neural networks really move, with digests."""


main.add_command(capture)


@main.command()
@click.option(
    "--tier",
    type=click.Choice(["tiny", "standard", "full"]),
    default="standard",
    show_default=True,
    help="tiny: one model, trained for seconds. standard: the committed corpus, all models of the zoo. full: "
    "the same models with every layer, uncut, in every precision and pruning (gigabytes).",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The folder to make; holds no corpus yet."
)
@click.option("--model", "models", multiple=True, help="Only this model (may be given more than once).")
@click.option(
    "--checkpoints",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Take trained tensors, and traces that only training gives, from this corpus (repeatable; traces/ "
    "where there is one, but for tiny).",
)
@click.option("--retrain", is_flag=True, help="Train everything anew: an hour or two on one core.")
def build(
    tier: str, out: Path, models: tuple[str, ...], checkpoints: tuple[Path, ...], retrain: bool
) -> None:
    """Train (or load) the models and trace them: the corpus of a tier.

    Interrupted, it keeps the models that are finished: the same command goes on after them.
    """
    need("building", "torch", "sklearn", "PIL")
    from tracegen.zoo.build import build as build_corpus  # needs torch

    # The tiny tier trains its own in seconds: longer trained tensors would make its card untrue.
    if not checkpoints and tier != "tiny" and (DEFAULT_CORPUS / MANIFEST).is_file():
        checkpoints = (DEFAULT_CORPUS,)
    with progress_bar() as bar:
        corpus = build_corpus(
            out, tier=tier, models=models, checkpoints=checkpoints, retrain=retrain, report=bar
        )
    say_done(corpus)


@main.command(name="import")
@click.option("--index", type=click.Path(path_type=Path), required=True, help="A JSON list of arrays.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The folder to make; holds no corpus yet."
)
@click.option("--name", default="imported", show_default=True, help="The corpus's name.")
@click.option(
    "--origin", default="imported by its user", show_default=True, help="Where the arrays are from."
)
@click.option("--licence", default="not stated", show_default=True, help="The arrays' licence.")
@click.option("--allow-nonfinite", is_flag=True, help="Keep arrays that hold NaNs or infinities.")
def import_command(
    index: Path, out: Path, name: str, origin: str, licence: str, allow_nonfinite: bool
) -> None:
    """Make a corpus of your own arrays.

    The index is a list of objects with "file" (a .npy file beside the index), "model", "role", "layer",
    "dtype" and, where wanted, "sparsity", "pruning" and "phase"; bf16 comes as uint16 words.
    """
    with progress_bar() as bar:
        corpus = import_arrays(
            index,
            out,
            name=name,
            origin=origin,
            licence=licence,
            allow_nonfinite=allow_nonfinite,
            report=bar,
        )
    say_done(corpus)


@main.command(name="list")
@CORPUS_OPTION
@click.option("--model", help="Only this model.")
@click.option("--role", help="Only this role.")
@click.option("--layer", help="Only layers that match this pattern, such as 'conv*'.")
@click.option("--dtype", help="Only this dtype (float32 or fp32, ...).")
@click.option("--sparsity", type=click.FloatRange(0, 1), help="Only this pruning level, such as 0.9.")
@click.option("--precision", help="Only this number format (float32, int8-affine, ...).")
@click.option("--pruning", help="Only this pruning method (none, magnitude, 2of4, ...).")
@click.option("--phase", help="Only this phase (inference, training, training-start, ...).")
@click.option("--split", help="Only this split (profile, test or control).")
@click.option("--kind", help="Only this kind of tensor (relu, softmax, ...).")
@click.option("--json", "as_rows", is_flag=True, help="One JSON object per line instead of a table.")
def list_command(corpus: Path, as_rows: bool, **filters: Any) -> None:  # noqa: ANN401 - as `Filters` has them
    """List the traces of a corpus."""
    with Corpus.open(corpus) as opened:
        traces = select(opened, Filters(**filters))
        if as_rows:
            for trace in traces:
                click.echo(json.dumps({key: getattr(trace, key) for key in LISTED}))
            return
        _stdout().print(trace_table(traces))
        raw_mib = sum(trace.raw_bytes for trace in traces) / (1 << 20)
        click.echo(f"{len(traces)} of {len(opened.traces)} traces, {raw_mib:.2f} MiB")


def _stdout() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_COLUMNS)


@main.command()
@click.argument("trace")
@CORPUS_OPTION
@click.option("--json", "as_object", is_flag=True, help="One JSON object instead of text.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Save a picture too: .svg, .png or .html by its suffix."
)
def show(trace: str, corpus: Path, as_object: bool, plot: Path | None) -> None:
    """Show one trace: identity, statistics, its variant's score, histograms of values, exponents and runs."""
    if plot is not None:
        check_plot(plot)
    with Corpus.open(corpus) as opened:
        shown = look_at(opened, find(opened, trace))
    if plot is not None:
        save_plot(shown, plot)
    if as_object:
        click.echo(json.dumps(as_json(shown)))
        return
    for line in show_lines(shown, bar="#" if Console().options.ascii_only else "█"):
        click.echo(line)


@main.command()
@click.argument("corpus", type=click.Path(path_type=Path), default=DEFAULT_CORPUS)
def verify(corpus: Path) -> None:
    """Recompute every digest of a corpus; exit 1 where one is wrong."""
    wrong = []
    with Corpus.open(corpus) as opened, progress_bar() as bar:
        bar.start(f"verifying {corpus}", len(opened.traces))
        for trace, problem in opened.verify():
            if problem:
                wrong.append(f"{trace.name}: {problem}")
            bar.step()
        count = len(opened.traces)
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        raise CorpusError(f"{len(wrong)} of {count} traces in {corpus} are wrong")
    click.echo(f"{corpus}: all {count} traces are as the manifest says, digest {opened.digest}")
