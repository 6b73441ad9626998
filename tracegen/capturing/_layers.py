"""Which modules of a model are layers, what they are called and of what kind they are. Needs torch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tracegen.capturing.tensors import joined
from tracegen.corpus.recording import legal_name, matching

ROOT = "model"
"""What the outputs of the whole model are called, where it is a layer itself."""

_MAX_CLASS_NAME = 100
_COMPILED = "_orig_mod"  # what a compiled module calls the plain one
_PACKED = ("LinearPackedParams", "PackedParameter")  # where layers of torch.ao keep their weights
# By a module's class, the first that fits; any other kind is the class's own name.
_KINDS: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    ((nn.Linear,), "linear"),
    ((nn.modules.conv._ConvNd,), "conv"),
    ((nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase), "norm"),
    ((nn.Embedding, nn.EmbeddingBag), "embedding"),
    ((nn.RNNBase, nn.RNNCellBase), "recurrent"),
)


@dataclass(frozen=True)
class Layer:
    """A module that is captured: `path` is its place in the model ("" = the model), `name` its traces'."""

    path: str
    name: str
    module: nn.Module

    @property
    def kind(self) -> str:
        """What sort of layer it is now: a lazy module becomes another in its first pass."""
        return kind_of(self.module)

    @property
    def is_called(self) -> bool:
        """Whether it computes anything: a `ParameterList` holds parameters for the module around it."""
        return not _only_holds(self.module)

    @property
    def is_packed(self) -> bool:
        """Whether it has weights that are no parameters, as quantised layers do."""
        parts = [self.module, *filter(_only_holds, self.module.modules())]
        return any(isinstance(value, torch.ScriptObject) for part in parts for value in vars(part).values())

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Its own parameters by their names in the model, those that a parametrisation stands on included."""
        for name, parameter in self.module.named_parameters(recurse=False):
            yield joined(self.path, name), parameter
        if parametrize.is_parametrized(self.module):
            for name, parameter in _parametrisations(self.module).named_parameters():
                yield joined(self.path, "parametrizations", name), parameter


def layers_of(model: nn.Module, patterns: Sequence[str]) -> list[Layer]:
    """The layers that match a pattern, in the model's order.

    A layer is a module that has no children or own parameters, whatever their values, and any other module
    by its exact name. What only serves one module, such as the parts of its parametrisations, is no layer.
    Raises CorpusError with the nearest name for a pattern that matches none.
    """
    modules = {_plain_path(path): module for path, module in model.named_modules()}
    root = ROOT if ROOT not in modules else f"{ROOT}-itself"
    patterns = [pattern or root for pattern in patterns]
    serving = {
        id(part)
        for module in modules.values()
        if parametrize.is_parametrized(module)
        for part in _parametrisations(module).modules()
    }
    layers = {
        path or root: Layer(path, path or root, module)
        for path, module in modules.items()
        if (path or root) in patterns or (id(module) not in serving and _is_layer(module))
    }
    return [layers[name] for name in matching(patterns, list(layers))]


def _plain_path(path: str) -> str:
    """The path without what torch.compile puts around modules, so that names are those of the plain model."""
    return ".".join(name for name in path.split(".") if name != _COMPILED)


def is_compiled(model: nn.Module) -> bool:
    """Whether the model or a part of it is compiled, as far as it can be seen from the model."""
    return any(
        hasattr(module, _COMPILED) or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    )


def kind_of(module: nn.Module) -> str:
    """What sort of layer it is: linear, conv, norm, ...; for any other its class in lower case."""
    plain = parametrize.type_before_parametrizations(module)
    scripted = getattr(nn, getattr(module, "original_name", ""), None)
    if isinstance(module, torch.jit.ScriptModule) and isinstance(scripted, type):
        plain = scripted
    return next((kind for classes, kind in _KINDS if issubclass(plain, classes)), class_name(module))


def class_name(module: nn.Module) -> str:
    """The class's name in lower case, as the corpus can have it."""
    module = getattr(module, _COMPILED, module)
    if isinstance(module, torch.jit.ScriptModule):
        name = module.original_name
    else:
        name = parametrize.type_before_parametrizations(module).__name__
    return legal_name(name.lower())[:_MAX_CLASS_NAME]


def _is_layer(module: nn.Module) -> bool:
    # Parameters are counted, not looked at: one of a single value, 0, would be no parameter otherwise.
    if parametrize.is_parametrized(module) or any(True for _ in module.parameters(recurse=False)):
        return True
    inner = (part for part in module.modules() if part is not module)
    return all(map(_only_holds, inner)) and not _only_holds(module)


def _only_holds(module: nn.Module) -> bool:
    """Whether it is never called: a `ParameterList` or `ModuleDict` has no forward pass."""
    # Static: asking a scripted module's class is an error.
    forward = inspect.getattr_static(type(module), "forward")
    is_missing = forward is nn.Module.forward and "forward" not in vars(module)
    return is_missing or type(module).__name__ in _PACKED


def _parametrisations(module: nn.Module) -> nn.Module:
    found = module.parametrizations
    assert isinstance(found, nn.Module)  # noqa: S101 - what torch means by parametrised
    return found
