"""Capturing the traces of one variant: weights, activations on held-out inputs, gradients of a batch."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tracegen import quantising
from tracegen.models.recipe import Recipe
from tracegen.precision import Variant, outputs_of
from tracegen.recording import Captured, layer_name
from tracegen.training import batch_rng

_GRADIENT_STREAM = 1000  # apart from the pruning levels, which number the training batches


def capture(recipe: Recipe, variant: Variant, masks: Mapping[str, Tensor]) -> Iterator[Captured]:
    """Every trace of the variant; `masks` are the pruning masks (empty for the dense model).

    Raises FloatingPointError where a float16 gradient overflows.
    """
    yield from _weights(recipe, variant)
    yield from _activations(recipe, variant)
    yield from _gradients(recipe, variant, masks)


def _weights(recipe: Recipe, variant: Variant) -> Iterator[Captured]:
    for name, rows in recipe.weights.items():
        whole = variant.stored[name]
        attributes: dict[str, Any] = _cut_note(whole, rows)
        if name in variant.scales:
            attributes |= {"scale": variant.scales[name][:rows], "zero_point": 0, "axis": 0}
        yield Captured(whole[:rows], "weights", layer_name(name), "inference", attributes)


def _activations(recipe: Recipe, variant: Variant) -> Iterator[Captured]:
    seen: dict[str, list[Tensor]] = {site: [] for site in recipe.activations}
    inputs = recipe.probe(max(recipe.activations.values()))
    with outputs_of(variant.model, seen, lambda site, output: seen[site].append(output)), torch.no_grad():
        variant.model(inputs)
    for site, samples in recipe.activations.items():
        # A site passed once per time step gives (samples, time, ...).
        outputs = seen[site][0] if len(seen[site]) == 1 else torch.stack(seen[site], 1)
        values = outputs[:samples].numpy()
        if variant.dtype == "int8":
            scale = variant.site_scales[site]
            notes = {"scale": scale, "zero_point": 0}
            yield Captured(quantising.quantise(values, scale), "activations", site, "inference", notes)
        else:
            yield Captured(values.astype(variant.dtype), "activations", site, "inference")


def _gradients(recipe: Recipe, variant: Variant, masks: Mapping[str, Tensor]) -> Iterator[Captured]:
    gradients = weight_gradients(recipe, variant)
    for name, rows in recipe.gradients.items():
        whole = gradients[name].numpy()
        if name in masks:
            whole = np.where(masks[name].numpy(), whole, np.float32(0))  # a product would leave -0.0
        attributes: dict[str, Any] = {"batch_size": recipe.dense.batch_size, **_cut_note(whole, rows)}
        array = whole[:rows]
        if variant.dtype == "int8":
            scale = quantising.tensor_scale(float(np.abs(array).max()))
            array = quantising.quantise(array, scale)
            attributes |= {"scale": scale, "zero_point": 0}
        elif variant.dtype == "float16":
            array = array.astype(np.float16)
            attributes |= {"loss_scale": recipe.loss_scale}
            if not np.isfinite(array).all():
                raise FloatingPointError(
                    f"{recipe.name}: gradient of {name} overflows float16 at loss scale {recipe.loss_scale}"
                )
        yield Captured(array, "gradients", layer_name(name), "training", attributes)


def weight_gradients(recipe: Recipe, variant: Variant) -> dict[str, Tensor]:
    """float32 gradients of one training batch, by parameter name; for float16 times the loss scale.

    The batch norms run as in training, on a copy, so that the variant's running statistics stay.
    """
    model: nn.Module = copy.deepcopy(variant.model).train()
    inputs, targets = recipe.training_batch(batch_rng(_GRADIENT_STREAM, 0), recipe.dense.batch_size)
    loss = recipe.loss(model(inputs), targets)
    if variant.dtype == "float16":
        loss = loss * recipe.loss_scale
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def _cut_note(whole: npt.NDArray[Any], rows: int | None) -> dict[str, int]:
    return {"full_rows": len(whole)} if rows is not None and rows < len(whole) else {}
