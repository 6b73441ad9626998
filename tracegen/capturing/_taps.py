"""The hooks on one model: what comes by in its passes goes to the recorder. Needs torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.hooks import RemovableHandle

from tracegen.capturing._caches import cache_layers
from tracegen.capturing._hooking import Hook, aside
from tracegen.capturing._keeping import Keeper
from tracegen.capturing._layers import ROOT, Layer, layers_of
from tracegen.capturing._recomputing import Recomputations, backward_pass, in_checkpoint
from tracegen.capturing.tensors import distinct, joined, named_tensors, unreadable
from tracegen.corpus.recording import MAX_NAMED, layer_name

_CAUSES = {
    **dict.fromkeys(("activations", "kv"), "forward pass"),
    **dict.fromkeys(("errors", "gradients"), "backward pass"),
    "updates": "optimiser's step",
}


class Taps:
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
        self._called = [layer for layer in self.layers if layer.is_called]
        self._lazy: dict[str, list[str]] = {}
        self._seen: set[str] = set()
        self._were_aside = False
        self._recomputations = Recomputations()
        self._backward_of: dict[str, int | None] = {}

    def place(self) -> None:
        """Set the hooks."""
        for layer in self._called:
            if self._roles & {"activations", "errors", "gradients"}:
                self._hook_module(layer.module.register_forward_hook, Hook(self._forward, layer))
            if self._keeper.selection.inputs:
                before = Hook(self._input, layer)
                self._hook_module(partial(layer.module.register_forward_pre_hook, with_kwargs=True), before)
        if "kv" in self._roles:
            root = Layer("", ROOT, self._model)
            for layer in {root.path: root, **{one.path: one for one in self._called}}.values():
                self._hook_module(layer.module.register_forward_hook, Hook(self._caches, layer))
        if "gradients" in self._roles:
            for name, parameter in distinct(self.parameters.items()):
                if parameter.requires_grad and not is_lazy(parameter):
                    self._hook_tensor(parameter, partial(self._gradient, name))
                elif parameter.requires_grad:
                    self._lazy.setdefault(self._layer_of[name].path, []).append(name)

    def _hook_module(self, register: Callable[[Hook], RemovableHandle], hook: Hook) -> None:
        with contextlib.suppress(RuntimeError):  # a scripted module's: it will be noted as never called
            self.handles.append(register(hook))

    def kinds(self) -> dict[str, str]:
        """The kind of layer that each parameter belongs to."""
        return {name: layer.kind for name, layer in self._layer_of.items()}

    def _hook_tensor(self, tensor: Tensor, hook: Callable[[Tensor], None]) -> None:
        self.handles.append(tensor.register_hook(hook))  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Remove the hooks, those on tensors of passes that are still alive included."""
        while self.handles:
            self.handles.pop().remove()

    def note_missing(self) -> None:
        """Note the layers and the roles of which nothing came by, or nothing that could be read."""
        note = self._keeper.recorder.note
        if "weights" in self._roles:
            for layer in self.layers:
                if layer.is_packed:
                    note(f"weights of layer {layer.name} skipped: they are packed, no parameters")
        for layer in self.layers:
            if not layer.is_called and not any(True for _ in layer.parameters()):
                note(f"layer {layer.name} skipped: a {type(layer.module).__name__} has no forward pass")
        if self._roles & {"activations", "errors"}:
            self._note_never_called()
        found = {row.path.partition("/")[0] for row in self._keeper.recorder.rows}
        for role, cause in _CAUSES.items():
            if role not in self._roles or role in found:
                continue
            if role in self._keeper.roles_seen:
                note(f"no {role}: all that came by was skipped")
            else:
                note(f"no {role}: no {cause} gave any{' that can be read' if self._were_aside else ''}")
        if "weights" in self._roles and not self.parameters:
            note("no weights: the layers have no parameters")

    def _note_never_called(self) -> None:
        silent = [layer for layer in self._called if layer.path not in self._seen]
        for layer in silent:
            if isinstance(layer.module, torch.jit.ScriptModule):
                self._keeper.recorder.note(
                    f"layer {layer.name} skipped: torch.jit runs scripted and traced modules without hooks"
                )
        others = [layer.name for layer in silent if not isinstance(layer.module, torch.jit.ScriptModule)]
        if others and self._seen:  # of a loop that calls nothing, the notes on roles say enough
            more = len(others) - MAX_NAMED
            self._keeper.recorder.note(
                f"never called, so without outputs: {', '.join(others[:MAX_NAMED])}"
                f"{f' and {more} more' if more > 0 else ''}"
            )

    def _forward(self, layer: Layer, module: nn.Module, _inputs: object, output: object) -> None:
        self._seen.add(layer.path)
        if backward_pass() is not None:
            suffix = None if aside() else self._recomputations.recomputed(layer.path)
            if suffix is not None:
                self._follow_errors(layer, suffix, named_tensors(output))
            return
        was_over = self._keeper.is_over(layer.path)
        suffix = self._next_pass(layer, layer.path)
        if not was_over:
            self._recomputations.wait(layer.path, suffix)
        self._follow_lazy(layer)
        if suffix is None or not self._roles & {"activations", "errors"}:
            return
        tensors = list(named_tensors(output))
        if not tensors:
            self._keeper.recorder.note(
                f"layer {layer.name} skipped: its output is {type_of(output)}, no tensor"
            )
        if "activations" in self._roles:
            for key, tensor in tensors:
                name = f"{joined(layer.name, key)}{suffix}"
                self._keeper.record(tensor, "activations", name, _phase_of(module), layer.kind)
        self._follow_errors(layer, suffix, tensors)

    def _follow_lazy(self, layer: Layer) -> None:
        for name in self._lazy.pop(layer.path, ()):
            if not is_lazy(self.parameters[name]):
                self._hook_tensor(self.parameters[name], partial(self._gradient, name))

    def _follow_errors(self, layer: Layer, suffix: str, outputs: Iterable[tuple[str, Tensor]]) -> None:
        for key, tensor in outputs:
            if "errors" in self._roles and tensor.requires_grad and not unreadable(tensor):
                name = f"{joined(layer.name, key)}{suffix}"
                self._hook_tensor(tensor, partial(self._error, name, layer.kind, set()))

    def _next_pass(self, layer: Layer, what: str) -> str | None:
        """Count one more forward pass, unless it recomputes one or moves nothing that can be read."""
        if backward_pass() is not None:
            return None
        if reason := aside():
            self._were_aside = True
            self._keeper.recorder.note(f"layer {layer.name} skipped in a pass: {reason}")
            return None
        return self._keeper.next_pass(what)

    def _input(
        self, layer: Layer, module: nn.Module, inputs: tuple[object, ...], named: Mapping[str, object]
    ) -> None:
        suffix = self._next_pass(layer, f"input of {layer.path}")
        if suffix is None:
            return
        alone = inputs[0] if len(inputs) == 1 else inputs
        tensors = [*named_tensors(alone), *named_tensors(named)]
        if not tensors:
            self._keeper.recorder.note(f"input of {layer.name} skipped: it holds no tensor")
        for key, tensor in tensors:
            name = f"{joined(layer.name, 'input', key)}{suffix}"
            self._keeper.record(tensor, "activations", name, _phase_of(module), "input")

    def _caches(self, layer: Layer, module: nn.Module, _inputs: object, output: object) -> None:
        suffix = self._next_pass(layer, f"cache of {layer.path}")
        if suffix is None:
            return
        for cached in cache_layers(output):
            name = joined(layer.path, cached.name)
            if cached.other:
                self._keeper.recorder.note(
                    f"kv/{name} skipped: it holds {', '.join(cached.other)}, no keys and values"
                )
            for kind, tensor in (("keys", cached.keys), ("values", cached.values)):
                if tensor is not None:
                    self._keeper.record(tensor, "kv", f"{name}.{kind}{suffix}", _phase_of(module), kind)

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


def type_of(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
