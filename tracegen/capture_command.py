"""The command `python -m tracegen capture`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tracegen.capturing.hubs import locate
from tracegen.capturing.weightfiles import Kept, capture_weights
from tracegen.corpus import Corpus
from tracegen.corpus.checks import check_count
from tracegen.corpus.recording import DEFAULT_MAX_BYTES, Facts, Recorder
from tracegen.progress import Report, need, progress_bar, say_done


@click.command()
@click.option("--model", metavar="MODULE:FUNCTION", help="Your function that returns a torch.nn.Module.")
@click.option("--data", metavar="MODULE:FUNCTION", help="Your function that returns batches for it.")
@click.option("--loss", metavar="MODULE:FUNCTION", help="Batches are (inputs, targets): train on them.")
@click.option(
    "--weights",
    metavar="PATH",
    help="Instead of a model: a .safetensors, .pt, .ckpt, .npz, .gguf, .h5 or .keras file, a Hugging Face "
    "folder, or by name hf:OWNER/NAME or torchvision:NAME, which are downloaded.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The folder to make; holds no corpus yet."
)
@click.option("--layers", multiple=True, default=("*",), help="Only layers like 'conv*' (repeatable).")
@click.option("--roles", help="Only these, with commas between: weights,activations,gradients,errors,kv.")
@click.option("--inputs", is_flag=True, help="Capture the layers' inputs, too, as <layer>.input.")
@click.option("--steps", default=1, show_default=True, help="Capture so many passes of each layer ...")
@click.option("--every", default=1, show_default=True, help="... one in so many.")
@click.option(
    "--max-bytes",
    default=DEFAULT_MAX_BYTES,
    show_default=True,
    help="Cut each trace along its leading axis to at most so many bytes.",
)
@click.option(
    "--min-bytes",
    type=click.IntRange(0),
    help="Leave smaller traces out.  [default: 4096 for --weights that have larger ones, else 0]",
)
@click.option(
    "--total-bytes", type=click.IntRange(1), help="Leave out what would make more.  [default: no limit]"
)
@click.option("--buffers", is_flag=True, help="Of --weights keep buffers, too: running statistics, tables.")
@click.option("--sparsity", default=0.0, show_default=True, help="The model's pruning target, 0 to 1.")
@click.option("--model-name", help="The model's name in the corpus.  [default: its class or file]")
@click.option("--name", default="captured", show_default=True, help="The corpus's name.")
@click.option("--origin", default="captured by its user", show_default=True, help="Where the data is from.")
@click.option("--licence", default="not stated", show_default=True, help="The data's licence.")
@click.option(
    "--precision",
    "precisions",
    metavar="NAME[,NAME]",
    help="Store floating-point tensors in these number formats, too: int8,bf16,fp8_e4m3,int4, ...",
)
@click.option(
    "--calibrate",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="So many batches come first, which only give the ranges of the activations.",
)
@click.option(
    "--profile",
    multiple=True,
    metavar="PATTERN",
    help="Layers for codecs to learn from (repeatable).  [default: every fourth, of eight or more]",
)
@click.option("--allow-nonfinite", is_flag=True, help="Keep tensors that hold NaNs or infinities.")
@click.option("--dry-run", is_flag=True, help="Print what would be written and how large; write nothing.")
def capture(
    model: str | None,
    data: str | None,
    loss: str | None,
    weights: str | None,
    out: Path,
    layers: tuple[str, ...],
    roles: str | None,
    inputs: bool,
    steps: int,
    every: int,
    max_bytes: int,
    min_bytes: int | None,
    total_bytes: int | None,
    buffers: bool,
    sparsity: float,
    model_name: str | None,
    name: str,
    origin: str,
    licence: str,
    precisions: str | None,
    calibrate: int,
    profile: tuple[str, ...],
    allow_nonfinite: bool,
    dry_run: bool,
) -> None:
    """Make a corpus of what your own model moves: its weights, activations and, with a loss, gradients.

    FUNCTIONs are looked up from the current directory on. A batch is a tensor, a tuple of arguments or a
    dict of named ones; with --loss it is (inputs, targets). In a loop of your own, use
    `with tracegen.capture(model, out):` instead.
    """

    def facts(default_name: str) -> Facts:
        named = default_name if model_name is None else model_name
        others = tuple(precisions.split(",")) if precisions is not None else ()
        texts = (named, name, origin, licence)
        least = 0 if weights is not None else min_bytes or 0
        learned_on = profile or None
        return Facts(*texts, sparsity, max_bytes, allow_nonfinite, others, learned_on, least, total_bytes)

    facts("model")  # before anything is downloaded, loaded or run: what is wrong with the options
    check_count("steps", steps)
    check_count("every", every)
    weights_alone = not (model or data or loss or roles is not None or inputs)
    # Before there is a bar: while they download, the hubs' libraries show bars of their own.
    located = locate(weights) if weights is not None and weights_alone else None
    with progress_bar() as bar:
        if located is not None:
            path, hub_name = located
            recorder = capture_weights(
                path,
                out,
                kept=Kept(layers, min_bytes, buffers),
                facts=lambda default_name: facts(hub_name or default_name),
                dry_run=dry_run,
                report=bar,
            )
        elif weights is None and model is not None and data is not None:
            options = (layers, roles, steps, every, inputs, calibrate)
            recorder = _of_model((model, data, loss), out, options, facts, dry_run=dry_run, report=bar)
        else:
            raise click.UsageError("give --model and --data, or --weights alone")
        for note in recorder.notes:
            bar.note(note)
    _say_what_is_there(recorder, out, dry_run=dry_run)


def _of_model(
    code: tuple[str, str, str | None],
    out: Path,
    options: tuple[tuple[str, ...], str | None, int, int, bool, int],
    facts: Callable[[str], Facts],
    *,
    dry_run: bool,
    report: Report,
) -> Recorder:
    """Capture the model, data and perhaps loss of `code`; `options` are a `Selection`'s, roles as given."""
    need("capturing a model", "torch")
    from tracegen.capturing.hooks import CAPTURED_ROLES, Selection  # needs torch
    from tracegen.capturing.usercode import UserCode, capture_run

    layers, roles, steps, every, inputs, calibrate = options
    default = CAPTURED_ROLES if code[2] else CAPTURED_ROLES[:2]
    chosen = default if roles is None else tuple(roles.split(","))
    selection = Selection(layers, chosen, steps, every, inputs, calibrate)
    return capture_run(UserCode(*code), out, selection=selection, facts=facts, dry_run=dry_run, report=report)


def _say_what_is_there(recorder: Recorder, out: Path, *, dry_run: bool) -> None:
    if not dry_run:
        with Corpus.open(out) as corpus:
            say_done(corpus)
        return
    for row in recorder.rows:
        click.echo(f"{row.path}  {row.dtype}  {'x'.join(map(str, row.shape))}  {row.raw_bytes} bytes")
    total_mib = sum(row.raw_bytes for row in recorder.rows) / (1 << 20)
    click.echo(f"{len(recorder.rows)} traces, {total_mib:.1f} MiB raw; a dry run, nothing was written")
