"""Running a user's own model over their own batches, captured: what `python -m tracegen capture` does."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tensorcodecs.arrays import did_you_mean
from tracegen.capturing.hooks import Selection, default_name, tapped
from tracegen.corpus import CorpusError
from tracegen.corpus.recording import Facts, Recorder, recording
from tracegen.progress import Report


def load_function(what: str, spec: str) -> Callable[..., Any]:
    """The function that `spec` names as `package.module:function`; the current directory is importable.

    Raises CorpusError where there is no such module or function, or where importing it fails.
    """
    module_name, _, name = spec.partition(":")
    if not module_name or not name:
        raise CorpusError(f"{what} {spec!r} must be package.module:function")
    with _blaming(f"{what} {spec!r}: importing {module_name}"):
        module = importlib.import_module(module_name)
    function = getattr(module, name, None)
    if not callable(function):
        functions = tuple(key for key, value in vars(module).items() if callable(value))
        raise CorpusError(f"{what}: no function {name!r} in {module_name}{did_you_mean(name, functions)}")
    return function  # type: ignore[no-any-return]


@contextlib.contextmanager
def _blaming(what: str) -> Iterator[None]:
    """Make one line of whatever the user's code raises; what capturing itself raises passes through."""
    try:
        yield
    except (CorpusError, MemoryError, OSError):  # a full disk is no fault of the model's
        raise
    except SystemExit as error:
        raise CorpusError(f"{what} ended the program with {error.code}") from error
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise CorpusError(
            f"{what} raised {type(error).__name__}{f': {lines[0]}' if lines else ''}"
        ) from error


@dataclass(frozen=True)
class UserCode:
    """Three functions, each `package.module:function`: the model's, the batches' and, perhaps, the loss."""

    model: str
    data: str
    loss: str | None = None


def capture_run(
    code: UserCode,
    out: Path,
    *,
    selection: Selection,
    facts: Callable[[str], Facts],
    dry_run: bool,
    report: Report,
) -> Recorder:
    """Make the model, pass its batches through it and record what `selection` says.

    With a loss, a batch is (inputs, targets), the model is in training mode and each forward pass is
    followed by a backward pass; without one, the model is in inference mode. As many batches are taken as
    the selection has steps. `facts` gets the model's default name. Raises CorpusError for everything that is
    wrong with the user's code.
    """
    if "updates" in selection.roles:
        raise CorpusError(
            "role 'updates' needs an optimiser, which only Python gives: tracegen.capture(..., optimiser=...)"
        )
    if code.loss is None and (needy := {"gradients", "errors"} & set(selection.roles)):
        raise CorpusError(f"role {min(needy)!r} needs a backward pass: give --loss")
    model = _made(code.model)
    batches_of = load_function("--data", code.data)
    loss = None if code.loss is None else load_function("--loss", code.loss)
    with (
        recording(out, facts(default_name(model)), dry_run=dry_run) as recorder,
        tapped(model, recorder, selection),
    ):
        report.start(f"capturing {code.model}", selection.last_pass)
        with _blaming(code.data):
            batches = iter(batches_of())
        for number in itertools.count(1):
            with _blaming(f"{code.data}, batch {number},"):
                batch = next(batches, None) if number <= selection.last_pass else None
            if batch is None:
                break
            _pass(model.train(loss is not None), batch, loss, number)
            report.step()
        if number == 1:
            raise CorpusError(f"{code.data} gave no batch")
        if number <= selection.last_pass:
            recorder.note(f"{code.data} gave {number - 1} of {selection.last_pass} batches")
    return recorder


def _made(spec: str) -> nn.Module:
    make = load_function("--model", spec)
    with _blaming(spec):
        model = make()
    if not isinstance(model, nn.Module):
        raise CorpusError(f"{spec} returned {type(model).__name__}, no torch.nn.Module")
    return model


def _pass(model: nn.Module, batch: object, loss: Callable[..., Any] | None, number: int) -> None:
    if loss is None:
        with torch.no_grad():
            _forward(model, batch, number)
        return
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise CorpusError(
            f"batch {number} is no (inputs, targets), which --loss needs: {type(batch).__name__}"
        )
    inputs, targets = batch
    outputs = _forward(model, inputs, number)
    with _blaming(f"the loss, batch {number},"):
        value = loss(outputs, targets)
        if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
            raise CorpusError(f"the loss of batch {number} is no scalar tensor with a gradient")
        model.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]


def _forward(model: nn.Module, inputs: object, number: int) -> Any:  # noqa: ANN401 - the model's own
    with _blaming(f"the model, batch {number},"):
        if isinstance(inputs, Mapping):
            return model(**inputs)
        if isinstance(inputs, tuple | list):
            return model(*inputs)
        return model(inputs)
