"""Capturing anyone's model: hooks around a user's own training or inference loop. Needs torch."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from tracegen.capturing._calibrating import Calibration
from tracegen.capturing._keeping import Keeper
from tracegen.capturing._layers import class_name, is_compiled
from tracegen.capturing._selection import CAPTURED_ROLES, Selection, texts
from tracegen.capturing._taps import Taps, type_of
from tracegen.capturing._updates import Updates
from tracegen.capturing.tensors import record_weights
from tracegen.corpus import CorpusError
from tracegen.corpus.checks import shown
from tracegen.corpus.recording import DEFAULT_MAX_BYTES, Facts, Recorder, recording

__all__ = ["CAPTURED_ROLES", "Selection", "capture", "default_name", "tapped"]

_SEEN_BY_LAYER = {"activations", "errors", "kv"}


@contextlib.contextmanager
def capture(
    model: nn.Module,
    out: str | Path,
    *,
    layers: str | Sequence[str] = "*",
    roles: Sequence[str] | None = None,
    steps: int = 1,
    every: int = 1,
    inputs: bool = False,
    optimiser: torch.optim.Optimizer | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    model_name: str | None = None,
    name: str = "captured",
    origin: str = "captured by its user",
    licence: str = "not stated",
    sparsity: float = 0.0,
    allow_nonfinite: bool = False,
    precisions: str | Sequence[str] = (),
    calibrate: int = 0,
    profile: str | Sequence[str] | None = None,
) -> Iterator[Recorder]:
    """Capture what `model` moves inside the `with` block as a corpus in the folder `out`.

    Captured are the outputs of the layers (role `activations`), the gradients of these outputs (`errors`),
    the weights' gradients of one backward pass, before they are accumulated (`gradients`), and, at the end
    of the block, the parameters (`weights`), each in its own dtype and shape. The model's own results stay
    the same to the bit.

    With an `optimiser`, also its state of the layers' parameters at the end of the block, and what a step
    adds to each of them (`updates`); with `inputs`, the layers' inputs among the activations; with the role
    `kv`, the keys and values in the caches that the model or a layer returns.

    `layers` are patterns of the names in `model.named_modules()`; layers are the modules that have no
    children or own parameters, and any other module only by its exact name. Of each layer the first pass is
    captured, of each parameter the first backward pass and optimiser's step; with `steps` and `every` the
    passes 1, 1 + every, ... until there are `steps` of them, with the suffix `.step<pass>` to their names.
    `max_bytes` cuts each trace along its leading axis. `sparsity` (0 to 1) is the pruning target of the
    model; `name` is the corpus's, `model_name` by default the class's.

    Floating-point tensors are stored a second time in each of `precisions` ("int8", "bf16", "fp8_e4m3",
    "int4", ...; `tensorcodecs.quantisers`); the first `calibrate` passes are not captured but give the ranges
    of the activations. Layers like the patterns `profile` are for codecs to learn from: by default every
    fourth, where there are eight or more.

    Each tensor is written at once and not kept. The corpus is published when the block ends; after an error
    or Ctrl-C nothing is. What was left out stands in the recorder's `notes`. Raises CorpusError when the
    block is entered, for options of another type or value than is legal, for a pattern that matches no layer
    and where `out` holds a corpus already; and inside it, without `allow_nonfinite`, for NaNs and infinities.
    """
    if not isinstance(model, nn.Module):
        raise CorpusError(f"model is {type_of(model)}, no torch.nn.Module")
    if roles is None:
        roles = CAPTURED_ROLES if optimiser is None else (*CAPTURED_ROLES, "updates")
    selection = Selection(texts("layers", layers), texts("roles", roles), steps, every, inputs, calibrate)
    _check_optimiser(optimiser, selection)
    model_name = default_name(model) if model_name is None else model_name
    facts = Facts(
        *(model_name, name, origin, licence, sparsity, max_bytes, allow_nonfinite),
        precisions=texts("precisions", precisions),
        profile=None if profile is None else texts("profile", profile),
    )
    with recording(_folder(out), facts) as recorder, tapped(model, recorder, selection, optimiser):
        yield recorder


def _folder(out: object) -> Path:
    if not isinstance(out, str | os.PathLike) or "\0" in str(out):
        raise CorpusError(f"out {shown(out)} is no path")
    return Path(out)


def _check_optimiser(optimiser: object, selection: Selection) -> None:
    is_optimiser = isinstance(optimiser, torch.optim.Optimizer)
    if "updates" in selection.roles and not is_optimiser:
        raise CorpusError("role 'updates' needs optimiser=, a torch.optim.Optimizer")
    if optimiser is not None and not is_optimiser:
        raise CorpusError(f"optimiser is {type_of(optimiser)}, no torch.optim.Optimizer")


def default_name(model: nn.Module) -> str:
    """The model's class in lower case."""
    return class_name(model)


@contextlib.contextmanager
def tapped(
    model: nn.Module,
    recorder: Recorder,
    selection: Selection,
    optimiser: torch.optim.Optimizer | None = None,
) -> Iterator[None]:
    """Inside the `with` block, what is selected goes to the recorder; at its end, weights and state do.

    The hooks are removed however the block ends. An error of the recorder reaches the user's loop from
    within the pass; where the loop swallows it, it is raised again at the end of the block.
    """
    with contextlib.ExitStack() as stack:
        keeper = Keeper(recorder, selection)
        taps = Taps(model, keeper)
        stack.callback(taps.remove)
        recorder.choose_profile([layer.name for layer in taps.layers])
        stack.callback(Calibration(recorder, taps.layers, selection.calibrate).remove)
        if _SEEN_BY_LAYER & set(selection.roles):
            # Compiled code calls no hooks: what is compiled runs as it was written until the block ends.
            stack.enter_context(torch.compiler.set_stance("force_eager"))
            if is_compiled(model):
                recorder.note(
                    "the model is compiled and ran uncompiled in the block: only so layers are seen"
                )
        taps.place()
        updates = None
        if optimiser is not None and "updates" in selection.roles:
            before = stack.enter_context(tempfile.TemporaryFile())
            updates = Updates(keeper, taps.parameters, optimiser, before)
            taps.handles += updates.place()
        yield
        taps.remove()
        if keeper.error is not None:
            raise keeper.error
        if updates is not None:
            updates.record_state()
        if "weights" in selection.roles:
            record_weights(recorder, taps.parameters.items(), taps.kinds())
        taps.note_missing()
