"""Capturing anyone's model: hooks around a user's own training or inference loop. Needs torch."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from tracegen.capturing._calibrating import Calibration
from tracegen.capturing._keeping import Keeper
from tracegen.capturing._layers import Layer, class_name, layers_of
from tracegen.capturing._recomputing import Recomputations, backward_pass, in_checkpoint
from tracegen.capturing._selection import CAPTURED_ROLES, Selection, texts
from tracegen.capturing._updates import Updates
from tracegen.capturing.tensors import distinct, joined, key_value_pairs, named_tensors, record_weights
from tracegen.corpus import CorpusError
from tracegen.corpus.checks import shown
from tracegen.corpus.recording import DEFAULT_MAX_BYTES, Facts, Recorder, layer_name, recording

__all__ = ["CAPTURED_ROLES", "Selection", "capture", "default_name", "tapped"]

_CAUSES = {
    **dict.fromkeys(("activations", "kv"), "forward pass"),
    **dict.fromkeys(("errors", "gradients"), "backward pass"),
    "updates": "optimiser's step",
}


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
        raise CorpusError(f"model is {_type_of(model)}, no torch.nn.Module")
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
        raise CorpusError(f"optimiser is {_type_of(optimiser)}, no torch.optim.Optimizer")


def default_name(model: nn.Module) -> str:
    """The model's class in lower case."""
    return class_name(type(model))


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
        taps = _Taps(model, keeper)
        stack.callback(taps.remove)
        recorder.choose_profile([layer.name for layer in taps.layers])
        stack.callback(Calibration(recorder, taps.layers, selection.calibrate).remove)
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
        taps.note_silent()
        if "weights" in selection.roles:
            record_weights(recorder, taps.parameters.items(), taps.kinds())


class _Taps:
    """The hooks on one model. They keep names, never a tensor."""

    def __init__(self, model: nn.Module, keeper: Keeper) -> None:
        self._model = model
        self._keeper = keeper
        self._roles = frozenset(keeper.selection.roles)
        self.layers = layers_of(model, keeper.selection.layers)
        self.parameters: dict[str, Tensor] = {}
        self._layer_of: dict[str, Layer] = {}
        for layer in self.layers:
            for name, parameter in layer.parameters():
                self.parameters[name] = parameter
                self._layer_of[name] = layer
        self.handles: list[Any] = []
        self._recomputations = Recomputations()
        self._backward_of: dict[str, int | None] = {}

    def place(self) -> None:
        """Set the hooks."""
        called = [layer for layer in self.layers if layer.is_called]
        if self._roles & {"activations", "errors", "gradients"}:
            for layer in called:
                self.handles.append(layer.module.register_forward_hook(partial(self._forward, layer)))
        if self._keeper.selection.inputs:
            for layer in called:
                before = partial(self._input, layer)
                self.handles.append(layer.module.register_forward_pre_hook(before, with_kwargs=True))
        if "kv" in self._roles:
            for path, module in {"": self._model, **{one.path: one.module for one in called}}.items():
                self.handles.append(module.register_forward_hook(partial(self._caches, path)))
        if "gradients" in self._roles:
            for name, parameter in distinct(self.parameters.items()):
                if parameter.requires_grad and not is_lazy(parameter):
                    self._hook_tensor(parameter, partial(self._gradient, name))

    def kinds(self) -> dict[str, str]:
        """The kind of layer that each parameter belongs to."""
        return {name: layer.kind for name, layer in self._layer_of.items()}

    def _hook_tensor(self, tensor: Tensor, hook: Callable[[Tensor], None]) -> None:
        self.handles.append(tensor.register_hook(hook))  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Remove the hooks, those on tensors of passes that are still alive included."""
        while self.handles:
            self.handles.pop().remove()

    def note_silent(self) -> None:
        """Note the roles of which nothing came by."""
        for role, cause in _CAUSES.items():
            if role in self._roles and not any(
                row.path.startswith(f"{role}/") for row in self._keeper.recorder.rows
            ):
                self._keeper.recorder.note(f"no {role}: no {cause} gave any")

    def _forward(self, layer: Layer, module: nn.Module, _inputs: object, output: object) -> None:
        if backward_pass() is not None:
            suffix = self._recomputations.recomputed(layer.path)
            if suffix is not None:
                self._follow_errors(layer, suffix, named_tensors(output))
            return
        was_over = self._keeper.is_over(layer.path)
        suffix = self._keeper.next_pass(layer.path)
        if not was_over:
            self._recomputations.wait(layer.path, suffix)
        if suffix is None or not self._roles & {"activations", "errors"}:
            return
        tensors = list(named_tensors(output))
        if not tensors:
            self._keeper.recorder.note(
                f"layer {layer.name} skipped: its output is {_type_of(output)}, no tensor"
            )
        if "activations" in self._roles:
            for key, tensor in tensors:
                name = f"{joined(layer.name, key)}{suffix}"
                self._keeper.record(tensor, "activations", name, _phase_of(module), layer.kind)
        self._follow_errors(layer, suffix, tensors)

    def _follow_errors(self, layer: Layer, suffix: str, outputs: Iterable[tuple[str, Tensor]]) -> None:
        for key, tensor in outputs:
            if "errors" in self._roles and tensor.requires_grad:
                name = f"{joined(layer.name, key)}{suffix}"
                self._hook_tensor(tensor, partial(self._error, name, layer.kind, set()))

    def _next_pass(self, what: str) -> str | None:
        """Count one more forward pass, unless it recomputes one."""
        return self._keeper.next_pass(what) if backward_pass() is None else None

    def _input(
        self, layer: Layer, module: nn.Module, inputs: tuple[object, ...], named: Mapping[str, object]
    ) -> None:
        suffix = self._next_pass(f"input of {layer.path}")
        if suffix is None:
            return
        alone = inputs[0] if len(inputs) == 1 else inputs
        tensors = [*named_tensors(alone), *named_tensors(named)]
        if not tensors:
            self._keeper.recorder.note(f"input of {layer.name} skipped: it holds no tensor")
        for key, tensor in tensors:
            name = f"{joined(layer.name, 'input', key)}{suffix}"
            self._keeper.record(tensor, "activations", name, _phase_of(module), "input")

    def _caches(self, path: str, module: nn.Module, _inputs: object, output: object) -> None:
        suffix = self._next_pass(f"cache of {path}")
        if suffix is None:
            return
        for index, pair in enumerate(key_value_pairs(output)):
            for kind, tensor in zip(("keys", "values"), pair, strict=True):
                name = f"{joined(path, str(index), kind)}{suffix}"
                self._keeper.record(tensor, "kv", name, _phase_of(module), kind)

    def _error(self, name: str, kind: str, seen: set[str], gradient: Tensor) -> None:
        if not seen:  # a second backward pass through the same graph is another pass
            seen.add(name)
            self._keeper.record(gradient, "errors", name, "training", kind)

    def _gradient(self, parameter: str, gradient: Tensor) -> None:
        backward = self._recomputations.outermost_backward_pass()
        if self._backward_of.get(parameter) == backward:  # another checkpoint of the same backward pass
            suffix = self._keeper.this_pass(f"gradient of {parameter}")
            if suffix is not None:
                self._keeper.recorder.note(
                    f"gradients/{layer_name(parameter)}{suffix} is a part: each of the layer's checkpoints "
                    "gives its own, of which the first is captured"
                )
            return
        self._backward_of[parameter] = backward
        suffix = self._keeper.next_pass(f"gradient of {parameter}")
        if suffix is not None:
            name = f"{layer_name(parameter)}{suffix}"
            kind = self._layer_of[parameter].kind
            self._keeper.record(gradient, "gradients", name, "training", kind)


def _phase_of(module: nn.Module) -> str:
    is_training = module.training and (torch.is_grad_enabled() or in_checkpoint())
    return "training" if is_training else "inference"


def _type_of(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
