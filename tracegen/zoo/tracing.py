"""Capturing the traces of one variant of a model of the zoo: of its inference, and of a training batch."""

from __future__ import annotations

import copy
import fnmatch
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tracegen.corpus.recording import Captured, layer_name
from tracegen.zoo.models.recipe import Recipe
from tracegen.zoo.precision import Variant, outputs_of
from tracegen.zoo.training import batch_rng
from tracegen.zoo.variants import IN_TRAINING

MIN_VALUES = 16 << 10
"""A cut trace has at least so many values: 16 KiB in int8, 64 KiB in float32."""
_MAX_WEIGHTS = 4 * MIN_VALUES
Floats = npt.NDArray[np.float32]
Outputs = dict[str, list[Tensor]]

_GRADIENT_STREAM = 1000  # apart from the prunings, which number the training batches


@dataclass(frozen=True)
class Scope:
    """What is captured. `whole`: nothing is cut, and every matrix and every site is.

    `first_only`: of the recipe's activations the first.
    """

    roles: Collection[str]
    phase: str = "training-end"
    whole: bool = False
    first_only: bool = False


def capture(
    recipe: Recipe, variant: Variant, masks: Mapping[str, Tensor], scope: Scope
) -> Iterator[Captured]:
    """The traces of the variant that `scope` asks for; `masks` are the pruning's (empty where dense).

    Raises FloatingPointError where a float16 gradient or error overflows.
    """
    capturer = _Capturer(recipe, variant, scope)
    if "weights" in scope.roles:
        yield from capturer.weights()
    if {"activations", "kv"} & set(scope.roles):
        yield from capturer.inference()
    if {"gradients", "errors", IN_TRAINING} & set(scope.roles):
        yield from capturer.training(masks)


def cut(array: npt.NDArray[Any], least: int = MIN_VALUES) -> npt.NDArray[Any]:
    """The shortest beginning of whole rows with at least so many values.

    Where one row alone has more than twice as many, it is that of the first row (its leading axis stays).
    """
    index: list[slice] = []
    for axis, length in enumerate(array.shape):
        row = math.prod(array.shape[axis + 1 :])
        kept = 1 if row > 2 * least else min(length, math.ceil(least / row))
        index.append(slice(kept))
        if row <= 2 * least:
            break
    return array[tuple(index)]


def weight_kind(name: str, shape: tuple[int, ...]) -> str:
    """What sort of matrix it is: conv, depthwise, recurrent, embedding or linear."""
    if len(shape) > 2:
        return "depthwise" if shape[1] == 1 < shape[0] and shape[2] > 1 else "conv"
    if "weight_ih" in name or "weight_hh" in name:
        return "recurrent"
    return "embedding" if "embedding" in name else "linear"


class _Capturer:
    """Captures from one variant what a scope asks for."""

    def __init__(self, recipe: Recipe, variant: Variant, scope: Scope) -> None:
        self._recipe, self._variant, self._scope = recipe, variant, scope

    def weights(self) -> Iterator[Captured]:
        """The matrices as they lie in memory."""
        for name in self._variant.stored if self._scope.whole else self._recipe.weights:
            stored = self._variant.stored[name]
            words, attributes = stored.words, dict(stored.attributes)
            if not self._scope.whole and words.size > _MAX_WEIGHTS:
                words = cut(words)
                attributes["full_shape"] = list(stored.words.shape)
            kind = weight_kind(name, stored.values.shape)
            yield Captured(words, "weights", layer_name(name), "inference", attributes, kind)

    def inference(self) -> Iterator[Captured]:
        """Activations and caches on held-out inputs."""
        recipe, scope = self._recipe, self._scope
        sites = recipe.sites if scope.whole else list(recipe.activations)[: 1 if scope.first_only else None]
        wanted = {"kv": recipe.kv, "activations": [site for site in sites if site not in recipe.kv]}
        seen: Outputs = {site: [] for role in scope.roles for site in wanted.get(role, ())}
        inputs = recipe.probe(recipe.probe_samples)
        model = self._variant.model
        with outputs_of(model, seen, lambda site, output: seen[site].append(output)), torch.no_grad():
            model(inputs)
        for site, outputs in seen.items():
            role = "kv" if site in recipe.kv else "activations"
            yield self._tensor(_joined(outputs), role, site, "inference")

    def training(self, masks: Mapping[str, Tensor]) -> Iterator[Captured]:
        """Activations, errors and gradients of one training batch."""
        recipe, scope = self._recipe, self._scope
        seen: Outputs = {site: [] for site in (recipe.sites if scope.whole else recipe.errors)}
        gradients = training_pass(recipe, self._variant, seen)
        notes = {"batch_size": recipe.dense.batch_size}
        if IN_TRAINING in scope.roles:
            for site, outputs in seen.items():
                yield self._tensor(_joined(outputs), "activations", site, scope.phase, **notes)
        if "errors" in scope.roles:
            for site, outputs in seen.items():
                errors = [output.grad for output in outputs if output.grad is not None]
                if errors:  # the input has none
                    yield self._scaled(_joined(errors), "errors", site, **notes)
        if "gradients" in scope.roles:
            matrices = [name for name in self._variant.stored if name in gradients]
            for name in matrices if scope.whole else recipe.gradients:
                gradient = gradients[name].numpy()
                if name in masks:  # a product would leave -0.0
                    gradient = np.where(masks[name].numpy(), gradient, np.float32(0))
                yield self._scaled(gradient, "gradients", name, **notes)

    def _scaled(self, values: Floats, role: str, layer: str, **notes: Any) -> Captured:  # noqa: ANN401
        if self._variant.tensor_precision != "float16":
            return self._tensor(values, role, layer, self._scope.phase, **notes)
        scale = self._recipe.loss_scale
        trace = self._tensor(values, role, layer, self._scope.phase, **notes, loss_scale=scale)
        if not np.isfinite(trace.array).all():
            raise FloatingPointError(
                f"{self._recipe.name}: {role} of {layer} overflow float16 at loss scale {scale}"
            )
        return trace

    def _tensor(self, values: Floats, role: str, layer: str, phase: str, **notes: Any) -> Captured:  # noqa: ANN401
        kept = values if self._scope.whole else np.ascontiguousarray(cut(values))
        stored = self._variant.store(kept, layer if role in ("activations", "kv") else None)
        attributes = {**stored.attributes, **notes}
        if kept.shape != values.shape:
            attributes["full_shape"] = list(values.shape)
        if role == "gradients":
            kind = weight_kind(layer, values.shape)
        elif role == "kv":
            kind = layer.rpartition(".")[2]
        else:
            kind = self._recipe.activations.get(layer, "")
        return Captured(stored.words, role, layer_name(layer), phase, attributes, kind)


def _joined(outputs: list[Tensor]) -> Floats:
    """A site passed once per time step gives (samples, time, ...)."""
    whole = outputs[0] if len(outputs) == 1 else torch.stack(outputs, 1)
    array: Floats = whole.detach().numpy()
    return array


def training_pass(recipe: Recipe, variant: Variant, seen: Outputs) -> dict[str, Tensor]:
    """float32 gradients of one training batch, by parameter name; for float16 times the loss scale.

    The outputs of the sites in `seen` are added to its lists, with their gradients (`.grad`). The batch norms
    run as in training, on a copy, so that the variant's running statistics stay.
    """
    model: nn.Module = copy.deepcopy(variant.model).train()
    inputs, targets = recipe.training_batch(batch_rng(_GRADIENT_STREAM, 0), recipe.dense.batch_size)

    def take(site: str, output: Tensor) -> None:
        if output.requires_grad:
            output.retain_grad()
        seen[site].append(output)

    with outputs_of(model, seen, take):
        loss = recipe.loss(model(inputs), targets)
    if variant.tensor_precision == "float16":
        loss = loss * recipe.loss_scale
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def split_of(recipe: Recipe, layer: str) -> str:
    """profile, test or control: what the recipe says of the layer."""
    if recipe.is_control:
        return "control"
    return "profile" if any(fnmatch.fnmatchcase(layer, pattern) for pattern in recipe.profile) else "test"
