"""What a capture must hold of any model, told by hooks of the tests' own."""

from dataclasses import dataclass, field

import numpy as np
import torch
from support import traces_of

import tracegen

ROLES = ("weights", "activations", "gradients", "errors", "kv")


@dataclass
class Seen:
    """What the first call of each layer gave, and the gradients of that, by name."""

    outputs: dict = field(default_factory=dict)
    errors: dict = field(default_factory=dict)
    silent: set = field(default_factory=set)


def layers_of(model):
    """The modules that are layers: leaves, and those with parameters of their own."""
    modules = {name: module for name, module in model.named_modules() if "parametrizations" not in name}
    whole = "model-itself" if "model" in modules else "model"
    for name, module in modules.items():
        has_children = any(part is not module for part in module.modules())
        is_list = isinstance(module, torch.nn.ModuleList | torch.nn.ModuleDict | torch.nn.ParameterList)
        if not is_list and (not has_children or list(module.parameters(recurse=False))):
            yield name or whole, module
        elif hasattr(module, "parametrizations"):
            yield name, module


def tensors_in(value, name):
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_in(item, f"{name}.{key}")
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from tensors_in(item, f"{name}.{index}")


def watch(model):
    """Hook the model; what is seen. Its hooks stand before those of a capture and keep everything."""
    seen = Seen()

    def hook(name, _module, _inputs, output):
        if name not in seen.silent:
            return
        seen.silent.remove(name)
        for key, tensor in tensors_in(output, name):
            if tensor.ndim and tensor.numel() and tensor.dtype is not torch.bool:
                seen.outputs[key] = tensor.detach().clone().numpy()
                if tensor.requires_grad:
                    tensor.register_hook(
                        lambda grad, key=key: seen.errors.__setitem__(key, grad.clone().numpy())
                    )

    for name, module in layers_of(model):
        seen.silent.add(name)
        module.register_forward_hook(lambda *call, name=name: hook(name, *call))
    return seen


def check_capture(folder, make, step, **options):
    """Capture one `step(model)` of the model that `make` gives; the recorder and the traces.

    All that torch computed must be there, and the step's results be those of a model that is not captured.
    """
    expected = step(make())
    model = make()
    seen = watch(model)
    with tracegen.capture(model, folder, roles=ROLES, **options) as recorder:
        found = step(model)
    for a, b in zip(expected, found, strict=True):
        assert torch.equal(a, b), "the capture changes the model's results"
    traces = traces_of(folder)
    by_role = {role: {} for role in ROLES}
    for name, array in traces.items():
        role, _, layer = name.partition("/")
        by_role[role][layer] = array
    parameters = {n.removesuffix(".weight"): p for n, p in model.named_parameters() if p.ndim}
    _check_equal(by_role["weights"], {n: p.detach().numpy() for n, p in parameters.items()})
    gradients = {n: p.grad.numpy() for n, p in parameters.items() if p.grad is not None}
    _check_equal(by_role["gradients"], gradients)
    _check_equal(by_role["activations"], seen.outputs)
    _check_equal(by_role["errors"], seen.errors)
    for name in seen.silent:
        assert any(name in note for note in recorder.notes if note.startswith("never called"))
    return recorder, traces


def _check_equal(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def trained(loss_of):
    """A step of training: the loss and every gradient."""

    def step(model):
        torch.manual_seed(1)
        loss = loss_of(model.train())
        loss.backward()
        return [loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]

    return step


def inferred(outputs_of):
    """A pass without gradients: its outputs."""

    def step(model):
        with torch.no_grad():
            return list(outputs_of(model.eval()))

    return step
