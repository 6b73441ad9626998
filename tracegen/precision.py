"""A trained model in a storage precision: what is in memory is rounded, sums stay float32.

That is what tensor cores and INT8 engines do. Rounded are the matrices (parameters of two axes or more) and
the tensors at the recipe's sites, which an accelerator would write to memory; biases and norms stay float32.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tracegen import quantising
from tracegen.models.recipe import Recipe
from tracegen.training import batch_rng

VARIANT_DTYPES = ("float32", "float16", "int8")
CALIBRATION_BATCHES = 4
_CALIBRATION_STREAM = 2000  # apart from the pruning levels, which number the training batches


@dataclass
class Variant:
    """A model that runs in one storage precision.

    `dtype` is float32, float16 or int8. `model` is a copy in evaluation mode, with hooks at the sites; its
    parameters are float32 tensors that hold only values of the precision. `stored` holds the matrices as
    they lie in memory (of `dtype`), by parameter name. For int8, `scales` has the scale of each row of each
    matrix, and `site_scales` the scale of each site.
    """

    dtype: str
    model: nn.Module
    stored: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    scales: dict[str, quantising.Scales] = field(default_factory=dict)
    site_scales: dict[str, float] = field(default_factory=dict)


def make_variant(recipe: Recipe, model: nn.Module, dtype: str) -> Variant:
    """`model` in the storage precision `dtype`; `model` itself stays as it is.

    Raises ValueError for another dtype than float32, float16 and int8.
    """
    if dtype not in VARIANT_DTYPES:
        raise ValueError(f"no storage precision {dtype!r}; legal are {', '.join(VARIANT_DTYPES)}")
    variant = Variant(dtype, copy.deepcopy(model).eval())
    for name, parameter in variant.model.named_parameters():
        if parameter.dim() >= 2:
            _store_matrix(variant, name, parameter)
    if dtype == "float16":
        _hook_sites(recipe, variant.model, lambda _: round_to_half)
    elif dtype == "int8":
        variant.site_scales = _calibrate(recipe, variant.model)
        _hook_sites(recipe, variant.model, lambda site: _fake_quantiser(variant.site_scales[site]))
    return variant


def _store_matrix(variant: Variant, name: str, parameter: nn.Parameter) -> None:
    values = parameter.detach().numpy()
    if variant.dtype == "int8":
        scales = quantising.row_scales(values)
        stored: npt.NDArray[Any] = quantising.quantise_rows(values, scales)
        variant.scales[name] = scales
        rounded = quantising.dequantise_rows(stored, scales)
    else:
        stored = values.astype(variant.dtype)
        rounded = stored.astype(np.float32)
    variant.stored[name] = stored
    parameter.data = torch.from_numpy(rounded)


def round_to_half(tensor: Tensor) -> Tensor:
    """Rounded to float16 in the forward pass; autograd rounds the error to float16 in the backward one."""
    return tensor.half().float()


def _fake_quantiser(scale: float) -> Callable[[Tensor], Tensor]:
    def round_to_grid(tensor: Tensor) -> Tensor:
        # Its backward pass is the straight-through estimator, clipped to the range.
        return torch.fake_quantize_per_tensor_affine(tensor, scale, 0, -quantising.HIGH, quantising.HIGH)

    return round_to_grid


def _hook_sites(
    recipe: Recipe, model: nn.Module, rounding: Callable[[str], Callable[[Tensor], Tensor]]
) -> None:
    for site in recipe.sites:
        model.get_submodule(site).register_forward_hook(_replace_output(rounding(site)))


def _replace_output(rounding: Callable[[Tensor], Tensor]) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    return lambda _module, _inputs, output: rounding(output)


def _calibrate(recipe: Recipe, model: nn.Module) -> dict[str, float]:
    """The scale of each site from its largest magnitude over a few training batches."""
    peaks = dict.fromkeys(recipe.sites, 0.0)

    def observe(site: str, values: Tensor) -> None:
        peaks[site] = max(peaks[site], values.abs().max().item())

    with outputs_of(model, recipe.sites, observe), torch.no_grad():
        for step in range(CALIBRATION_BATCHES):
            model(recipe.training_batch(batch_rng(_CALIBRATION_STREAM, step), recipe.dense.batch_size)[0])
    return {site: quantising.tensor_scale(peak) for site, peak in peaks.items()}


@contextlib.contextmanager
def outputs_of(model: nn.Module, sites: Iterable[str], take: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Inside the `with` block, `take(site, output)` is called at every pass through a site.

    It sees what the next layer sees: hooks run in the order in which they were set.
    """

    def tap(site: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _module, _inputs, output: take(site, output)

    hooks = [model.get_submodule(site).register_forward_hook(tap(site)) for site in sites]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
