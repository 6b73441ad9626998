"""Capturing anyone's model: hooks around a user's own training or inference loop. Needs torch."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from tensorcodecs.arrays import did_you_mean
from tracegen.corpus import CorpusError
from tracegen.recording import (
    DEFAULT_MAX_BYTES,
    Captured,
    Facts,
    Recorder,
    layer_name,
    legal_name,
    matching,
    recording,
)

CAPTURED_ROLES = ("weights", "activations", "gradients", "errors")
ROOT = "model"
"""The layer name of a model that is itself a single layer."""

# By a tensor's dtype: the words that torch hands to numpy, and what their bits mean.
_DTYPES = {
    **{
        getattr(torch, name): (getattr(torch, name), np.dtype(name))
        for name in (
            *("float64", "float32", "float16", "int64", "int32", "int16", "int8"),
            *("uint64", "uint32", "uint16", "uint8"),
        )
    },
    torch.bfloat16: (torch.uint16, np.dtype(ml_dtypes.bfloat16)),
    torch.float8_e4m3fn: (torch.uint8, np.dtype(ml_dtypes.float8_e4m3fn)),
    torch.float8_e5m2: (torch.uint8, np.dtype(ml_dtypes.float8_e5m2)),
}


@dataclass(frozen=True)
class Selection:
    """What of a model is captured: see `capture`."""

    layers: tuple[str, ...] = ("*",)
    roles: tuple[str, ...] = CAPTURED_ROLES
    steps: int = 1
    every: int = 1

    def __post_init__(self) -> None:
        """Raises CorpusError naming the legal values."""
        for role in self.roles:
            if role not in CAPTURED_ROLES:
                raise CorpusError(f"no role {role!r} to capture{did_you_mean(role, CAPTURED_ROLES)}")
        for what, value in (("steps", self.steps), ("every", self.every)):
            if value < 1:
                raise CorpusError(f"{what} {value} is not at least 1")

    @property
    def last_pass(self) -> int:
        """The number of the last pass that is captured, counted from 1."""
        return 1 + (self.steps - 1) * self.every

    def suffix(self, number: int) -> str | None:
        """What the names of pass `number` (from 1) end with; None where it is not captured."""
        if number > self.last_pass or (number - 1) % self.every:
            return None
        return f".step{number}" if self.steps > 1 else ""


@contextlib.contextmanager
def capture(
    model: nn.Module,
    out: str | Path,
    *,
    layers: str | Sequence[str] = "*",
    roles: Sequence[str] = CAPTURED_ROLES,
    steps: int = 1,
    every: int = 1,
    max_bytes: int = DEFAULT_MAX_BYTES,
    model_name: str | None = None,
    name: str = "captured",
    origin: str = "captured by its user",
    licence: str = "not stated",
    sparsity: float = 0.0,
    allow_nonfinite: bool = False,
) -> Iterator[Recorder]:
    """Capture what `model` moves inside the `with` block as a corpus in the folder `out`.

    Captured are the outputs of the layers (role `activations`), the gradients of these outputs (`errors`),
    the weights' gradients of one backward pass, before they are accumulated (`gradients`), and, at the end
    of the block, the parameters (`weights`), each in its own dtype and shape. The model's own results stay
    the same to the bit.

    `layers` are patterns of the names in `model.named_modules()`; layers are the modules that have no
    children or own parameters, and any other module only by its exact name. Of each layer the first pass is
    captured, of each parameter the first backward pass; with `steps` and `every` the passes 1,
    1 + every, ... until there are `steps` of them, with the suffix `.step<pass>` to their names.
    `max_bytes` cuts each trace along its leading axis. `sparsity` (0 to 1) is the pruning target of the
    model; `name` is the corpus's, `model_name` by default the class's.

    Each tensor is written at once and not kept. The corpus is published when the block ends; after an error
    or Ctrl-C nothing is. What was left out stands in the recorder's `notes`. Raises CorpusError for options
    that are not legal, for a pattern that matches no layer, where `out` holds a corpus already and,
    without `allow_nonfinite`, for NaNs and infinities.
    """
    selection = Selection((layers,) if isinstance(layers, str) else tuple(layers), tuple(roles), steps, every)
    facts = Facts(
        model_name or default_name(model), name, origin, licence, sparsity, max_bytes, allow_nonfinite
    )
    with recording(Path(out), facts) as recorder, tapped(model, recorder, selection):
        yield recorder


def default_name(model: nn.Module) -> str:
    """The model's class in lower case."""
    return legal_name(type(model).__name__.lower())


@contextlib.contextmanager
def tapped(model: nn.Module, recorder: Recorder, selection: Selection) -> Iterator[None]:
    """Inside the `with` block, what is selected goes to the recorder; at its end, the weights do.

    The hooks are removed however the block ends. An error of the recorder reaches the user's loop from
    within the pass; where the loop swallows it, it is raised again at the end of the block.
    """
    taps = _Taps(model, recorder, selection)
    try:
        taps.place()
        yield
    finally:
        taps.remove()
    if taps.error is not None:
        raise taps.error
    taps.note_silent()
    if "weights" in selection.roles:
        record_weights(recorder, taps.parameters.items())


class _Taps:
    """The hooks on one model. They keep counts, names and a first error, never a tensor."""

    def __init__(self, model: nn.Module, recorder: Recorder, selection: Selection) -> None:
        self.error: BaseException | None = None
        self._recorder = recorder
        self._selection = selection
        self.modules = _selected(model, selection.layers)
        self.parameters = {
            _joined(name, own): parameter
            for name, module in self.modules.items()
            for own, parameter in module.named_parameters(recurse=False)
        }
        self._passes: Counter[str] = Counter()
        self._handles: list[Any] = []

    def place(self) -> None:
        """Set the hooks."""
        roles = set(self._selection.roles)
        if roles & {"activations", "errors"}:
            for name, module in self.modules.items():
                hook = partial(self._forward, name or ROOT)
                self._handles.append(module.register_forward_hook(hook))
        if "gradients" in roles:
            for name, parameter in _distinct(self.parameters.items()):
                if parameter.requires_grad and not is_lazy(parameter):
                    self._hook_tensor(parameter, partial(self._gradient, name))

    def _hook_tensor(self, tensor: Tensor, hook: Callable[[Tensor], None]) -> None:
        self._handles.append(tensor.register_hook(hook))  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Remove the hooks, those on tensors of passes that are still alive included."""
        while self._handles:
            self._handles.pop().remove()

    def note_silent(self) -> None:
        """Note the roles of which nothing came by."""
        for role, cause in (("activations", "forward"), ("errors", "backward"), ("gradients", "backward")):
            if role in self._selection.roles and not any(
                row.path.startswith(f"{role}/") for row in self._recorder.rows
            ):
                self._recorder.note(f"no {role}: no {cause} pass gave any")

    def _forward(self, layer: str, module: nn.Module, _inputs: object, output: object) -> None:
        self._passes[layer] += 1
        suffix = self._selection.suffix(self._passes[layer])
        if suffix is None or self.error is not None:
            return
        tensors = list(named_tensors(output))
        if not tensors:
            self._recorder.note(f"layer {layer} skipped: its output is {_kind(output)}, no tensor")
        phase = "training" if module.training and torch.is_grad_enabled() else "inference"
        for key, tensor in tensors:
            name = f"{_joined(layer, key)}{suffix}"
            if "activations" in self._selection.roles:
                self._record(tensor, "activations", name, phase)
            if "errors" in self._selection.roles and tensor.requires_grad:
                self._hook_tensor(tensor, partial(self._error, name, set()))

    def _error(self, name: str, seen: set[str], gradient: Tensor) -> None:
        if not seen:  # a second backward pass through the same graph is another pass
            seen.add(name)
            self._record(gradient, "errors", name, "training")

    def _gradient(self, parameter: str, gradient: Tensor) -> None:
        self._passes[f"gradient of {parameter}"] += 1
        suffix = self._selection.suffix(self._passes[f"gradient of {parameter}"])
        if suffix is not None:
            self._record(gradient, "gradients", f"{layer_name(parameter)}{suffix}", "training")

    def _record(self, tensor: Tensor, role: str, layer: str, phase: str) -> None:
        if self.error is not None:
            return
        try:
            record(self._recorder, tensor, role, layer, phase)
        except BaseException as error:
            self.error = error
            raise


def _selected(model: nn.Module, patterns: tuple[str, ...]) -> dict[str, nn.Module]:
    modules = dict(model.named_modules())
    if list(modules) == [""]:
        return modules if matching(patterns, [ROOT]) else {}
    exact = [pattern for pattern in patterns if pattern in modules]
    layers = [
        name
        for name, module in modules.items()
        if name in exact or not any(module.children()) or any(module.parameters(recurse=False))
    ]
    return {name: modules[name] for name in matching(patterns, layers)}


def record_weights(recorder: Recorder, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Record named parameters as `weights`; one that several names share, under its first name."""
    for name, tensor in _distinct(tensors, lambda name, first: recorder.note(f"{name} shares {first}")):
        record(recorder, tensor, "weights", layer_name(name), "inference")


def _distinct(
    tensors: Iterable[tuple[str, Tensor]], shared: Callable[[str, str], None] = lambda _name, _first: None
) -> Iterator[tuple[str, Tensor]]:
    first_names: dict[object, str] = {}
    for name, tensor in tensors:
        key: object = id(tensor)
        if not is_lazy(tensor) and tensor.layout is torch.strided and tensor.numel() and not tensor.is_meta:
            key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if first_names.setdefault(key, name) == name:
            yield name, tensor
        else:
            shared(name, first_names[key])


def record(recorder: Recorder, tensor: Tensor, role: str, layer: str, phase: str) -> None:
    """Record a tensor's bits, cut before they are copied; what has no plain bits is noted."""
    if tensor.layout is not torch.strided or tensor.is_nested or tensor.is_meta or is_lazy(tensor):
        recorder.note(f"{role}/{layer} skipped: it is sparse, nested, meta or not initialised")
        return
    if tensor.dtype not in _DTYPES:
        name = str(tensor.dtype).removeprefix("torch.")
        recorder.note(f"{role}/{layer} skipped: {name} is no dtype of a trace")
        return
    words, dtype = _DTYPES[tensor.dtype]
    kept, attributes = recorder.cut(tensor.shape, tensor.element_size())
    bits = tensor.detach()[kept].cpu().contiguous().view(words).numpy()
    recorder.add(Captured(bits.view(dtype), role, layer, phase, attributes))


def named_tensors(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested tuples, lists and mappings, named by index and key, such as `1.hidden`."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from named_tensors(item, _joined(name, str(key)))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from named_tensors(item, _joined(name, str(index)))


def _joined(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
