"""Capturing anyone's model: hooks around a user's own training or inference loop. Needs torch."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from tensorcodecs.arrays import did_you_mean
from tracegen.capturing.tensors import (
    STATE_KINDS,
    array_of,
    distinct,
    has_plain_bits,
    joined,
    key_value_pairs,
    named_tensors,
    record,
    record_weights,
)
from tracegen.corpus import ROLES, CorpusError
from tracegen.corpus.recording import (
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
"""What is captured by default; with an optimiser, `updates` too."""
ROOT = "model"
"""The layer name of a model that is itself a single layer."""

# By a module's class, the first that fits; any other kind is the class's own name.
_KINDS: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    ((nn.Linear,), "linear"),
    ((nn.modules.conv._ConvNd,), "conv"),
    ((nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase), "norm"),
    ((nn.Embedding, nn.EmbeddingBag), "embedding"),
    ((nn.RNNBase, nn.RNNCellBase), "recurrent"),
)
# What can be subtracted without a detour.
_SUBTRACTED = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_STEP = "optimiser's step"
_CAUSES = {
    **dict.fromkeys(("activations", "kv"), "forward pass"),
    **dict.fromkeys(("errors", "gradients"), "backward pass"),
    "updates": _STEP,
}


@dataclass(frozen=True)
class Selection:
    """What of a model is captured: see `capture`."""

    layers: tuple[str, ...] = ("*",)
    roles: tuple[str, ...] = CAPTURED_ROLES
    steps: int = 1
    every: int = 1
    inputs: bool = False

    def __post_init__(self) -> None:
        """Raises CorpusError naming the legal values."""
        for role in self.roles:
            if role not in ROLES:
                raise CorpusError(f"no role {role!r} to capture{did_you_mean(role, ROLES)}")
        if self.inputs and "activations" not in self.roles:
            raise CorpusError("inputs are activations: add 'activations' to the roles")
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

    Each tensor is written at once and not kept. The corpus is published when the block ends; after an error
    or Ctrl-C nothing is. What was left out stands in the recorder's `notes`. Raises CorpusError for options
    that are not legal, for a pattern that matches no layer, where `out` holds a corpus already and,
    without `allow_nonfinite`, for NaNs and infinities.
    """
    if roles is None:
        roles = CAPTURED_ROLES if optimiser is None else (*CAPTURED_ROLES, "updates")
    patterns = (layers,) if isinstance(layers, str) else tuple(layers)
    selection = Selection(patterns, tuple(roles), steps, every, inputs)
    facts = Facts(
        model_name or default_name(model), name, origin, licence, sparsity, max_bytes, allow_nonfinite
    )
    with recording(Path(out), facts) as recorder, tapped(model, recorder, selection, optimiser):
        yield recorder


def default_name(model: nn.Module) -> str:
    """The model's class in lower case."""
    return legal_name(type(model).__name__.lower())


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
    if "updates" in selection.roles and not isinstance(optimiser, torch.optim.Optimizer):
        raise CorpusError("role 'updates' needs optimiser=, a torch.optim.Optimizer")
    with contextlib.ExitStack() as stack:
        taps = _Taps(model, recorder, selection)
        stack.callback(taps.remove)
        taps.place()
        if optimiser is not None and "updates" in selection.roles:
            taps.follow(optimiser, stack.enter_context(tempfile.TemporaryFile()))
        yield
        taps.remove()
        if taps.error is not None:
            raise taps.error
        if optimiser is not None and "updates" in selection.roles:
            taps.record_state(optimiser)
        taps.note_silent()
        if "weights" in selection.roles:
            record_weights(recorder, taps.parameters.items(), taps.kinds)


class _Taps:
    """The hooks on one model. They keep counts, names and a first error, never a tensor."""

    def __init__(self, model: nn.Module, recorder: Recorder, selection: Selection) -> None:
        self.error: BaseException | None = None
        self._recorder = recorder
        self._selection = selection
        self.modules = _selected(model, selection.layers)
        self.parameters: dict[str, Tensor] = {}
        self.kinds: dict[str, str] = {}
        for name, module in self.modules.items():
            for own, parameter in module.named_parameters(recurse=False):
                self.parameters[joined(name, own)] = parameter
                self.kinds[joined(name, own)] = kind_of(module)
        self._model = model
        self._passes: Counter[str] = Counter()
        self._handles: list[Any] = []

    def place(self) -> None:
        """Set the hooks."""
        roles = set(self._selection.roles)
        if roles & {"activations", "errors"}:
            for name, module in self.modules.items():
                hook = partial(self._forward, name or ROOT)
                self._handles.append(module.register_forward_hook(hook))
        if self._selection.inputs:
            for name, module in self.modules.items():
                before = partial(self._input, name or ROOT)
                self._handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        if "kv" in roles:
            for name, module in {"": self._model, **self.modules}.items():
                self._handles.append(module.register_forward_hook(partial(self._caches, name)))
        if "gradients" in roles:
            for name, parameter in distinct(self.parameters.items()):
                if parameter.requires_grad and not is_lazy(parameter):
                    self._hook_tensor(parameter, partial(self._gradient, name))

    def follow(self, optimiser: torch.optim.Optimizer, before: BinaryIO) -> None:
        """Set the hooks around the optimiser's steps; `before` keeps what the parameters were."""
        self._handles.append(optimiser.register_step_pre_hook(partial(self._before_step, before)))
        self._handles.append(optimiser.register_step_post_hook(partial(self._after_step, before)))

    def _hook_tensor(self, tensor: Tensor, hook: Callable[[Tensor], None]) -> None:
        self._handles.append(tensor.register_hook(hook))  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Remove the hooks, those on tensors of passes that are still alive included."""
        while self._handles:
            self._handles.pop().remove()

    def note_silent(self) -> None:
        """Note the roles of which nothing came by."""
        for role, cause in _CAUSES.items():
            if role in self._selection.roles and not any(
                row.path.startswith(f"{role}/") for row in self._recorder.rows
            ):
                self._recorder.note(f"no {role}: no {cause} gave any")

    def _forward(self, layer: str, module: nn.Module, _inputs: object, output: object) -> None:
        suffix = self._suffix(layer)
        if suffix is None:
            return
        tensors = list(named_tensors(output))
        if not tensors:
            self._recorder.note(f"layer {layer} skipped: its output is {_type_of(output)}, no tensor")
        kind = kind_of(module)
        for key, tensor in tensors:
            name = f"{joined(layer, key)}{suffix}"
            if "activations" in self._selection.roles:
                self._record(tensor, "activations", name, _phase_of(module), kind)
            if "errors" in self._selection.roles and tensor.requires_grad:
                self._hook_tensor(tensor, partial(self._error, name, kind, set()))

    def _suffix(self, what: str) -> str | None:
        """Count one more pass of `what`; None where it is not captured."""
        self._passes[what] += 1
        return None if self.error is not None else self._selection.suffix(self._passes[what])

    def _input(
        self, layer: str, module: nn.Module, inputs: tuple[object, ...], named: Mapping[str, object]
    ) -> None:
        suffix = self._suffix(f"input of {layer}")
        if suffix is None:
            return
        alone = inputs[0] if len(inputs) == 1 else inputs
        tensors = [*named_tensors(alone), *named_tensors(named)]
        if not tensors:
            self._recorder.note(f"input of {layer} skipped: it holds no tensor")
        for key, tensor in tensors:
            name = f"{joined(layer, 'input', key)}{suffix}"
            self._record(tensor, "activations", name, _phase_of(module), "input")

    def _caches(self, layer: str, module: nn.Module, _inputs: object, output: object) -> None:
        suffix = self._suffix(f"cache of {layer}")
        if suffix is None:
            return
        for index, pair in enumerate(key_value_pairs(output)):
            for kind, tensor in zip(("keys", "values"), pair, strict=True):
                name = f"{joined(layer, str(index), kind)}{suffix}"
                self._record(tensor, "kv", name, _phase_of(module), kind)

    def _before_step(self, before: BinaryIO, *_: object) -> None:
        # Counted here, so that `_after_step` sees the same number.
        if self._suffix(_STEP) is None:
            return
        with self._errors_kept():
            before.seek(0)
            before.writelines(array_of(tensor, kept).tobytes() for _, tensor, (kept, _) in self._steppable())

    def _after_step(self, before: BinaryIO, optimiser: torch.optim.Optimizer, *_: object) -> None:
        suffix = self._selection.suffix(self._passes[_STEP])
        if suffix is None or self.error is not None:
            return
        with self._errors_kept():
            before.seek(0)
            for name, parameter, (kept, attributes) in self._steppable():
                now = parameter.detach()[kept].cpu()
                earlier = bytearray(before.read(now.numel() * now.element_size()))
                change = now - torch.frombuffer(earlier, dtype=now.dtype).view(now.shape)
                layer = self._update(name, "step", suffix)
                array = array_of(change, ())
                self._recorder.add(Captured(array, "updates", layer, "training", attributes, "step"))
        if suffix:
            self.record_state(optimiser, suffix)

    def _steppable(self) -> Iterator[tuple[str, Tensor, tuple[tuple[slice, ...], dict[str, int]]]]:
        """The parameters that torch subtracts in their own dtype, each with what `Recorder.cut` says."""
        for name, parameter in distinct(self.parameters.items()):
            if has_plain_bits(parameter) and parameter.dtype in _SUBTRACTED and parameter.numel():
                yield name, parameter, self._recorder.cut(parameter.shape, parameter.element_size())

    def record_state(self, optimiser: torch.optim.Optimizer, suffix: str = "") -> None:
        """Record what the optimiser keeps of each parameter, its counters of steps excepted."""
        for name, parameter in distinct(self.parameters.items()):
            for key, value in optimiser.state.get(parameter, {}).items():
                if isinstance(value, Tensor) and value.ndim:
                    kind = STATE_KINDS.get(key, legal_name(str(key)))
                    self._record(value, "updates", self._update(name, kind, suffix), "training", kind)

    @staticmethod
    def _update(parameter: str, kind: str, suffix: str) -> str:
        return f"{joined(layer_name(parameter), kind)}{suffix}"

    def _error(self, name: str, kind: str, seen: set[str], gradient: Tensor) -> None:
        if not seen:  # a second backward pass through the same graph is another pass
            seen.add(name)
            self._record(gradient, "errors", name, "training", kind)

    def _gradient(self, parameter: str, gradient: Tensor) -> None:
        suffix = self._suffix(f"gradient of {parameter}")
        if suffix is not None:
            name = f"{layer_name(parameter)}{suffix}"
            self._record(gradient, "gradients", name, "training", self.kinds[parameter])

    def _record(self, tensor: Tensor, role: str, layer: str, phase: str, kind: str) -> None:
        if self.error is None:
            with self._errors_kept():
                record(self._recorder, tensor, role, layer, phase, kind)

    @contextlib.contextmanager
    def _errors_kept(self) -> Iterator[None]:
        try:
            yield
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


def kind_of(module: nn.Module) -> str:
    """What sort of layer it is: linear, conv, norm, ...; for any other its class in lower case."""
    for classes, kind in _KINDS:
        if isinstance(module, classes):
            return kind
    return default_name(module)


def _phase_of(module: nn.Module) -> str:
    return "training" if module.training and torch.is_grad_enabled() else "inference"


def _type_of(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
