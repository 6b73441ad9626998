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

from tensorcodecs.quantisers import PRECISIONS, WEIGHT_ONLY, Stored, store_tensor, store_weights
from tracegen.zoo.models.recipe import Recipe
from tracegen.zoo.pruning import is_prunable
from tracegen.zoo.training import batch_rng
from tracegen.zoo.variants import STOCHASTIC

CALIBRATION_BATCHES = 4
_CALIBRATION_STREAM = 2000  # apart from the prunings, which number the training batches
_ROUNDING_SEED = 77

Range = tuple[float, float]
Rounding = Callable[[Tensor], Tensor]


@dataclass
class Variant:
    """A model that runs in one storage precision.

    `model` is a copy in evaluation mode, with hooks at the sites; its parameters are float32 tensors that
    hold only values of the precision. `stored` holds the matrices as they lie in memory, by parameter name;
    `ranges` the calibrated range of each site, where the precision needs one.
    """

    precision: str
    model: nn.Module
    stored: dict[str, Stored] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)

    @property
    def tensor_precision(self) -> str:
        """The precision of activations: float16 where few bits are for the weights alone."""
        return "float16" if self.precision in WEIGHT_ONLY else _base(self.precision)

    def store(self, tensor: npt.NDArray[np.float32], site: str | None = None) -> Stored:
        """An activation at a site, or any other tensor, as it lies in memory.

        The range is the site's calibrated one, or the tensor's own.
        """
        low, high = self.ranges.get(site or "", (float(tensor.min()), float(tensor.max())))
        return store_tensor(tensor, self.tensor_precision, low, high, _rng(self.precision))


def _base(precision: str) -> str:
    return precision.removesuffix(STOCHASTIC)


def _rng(precision: str) -> np.random.Generator | None:
    return np.random.default_rng(_ROUNDING_SEED) if precision.endswith(STOCHASTIC) else None


def make_variant(recipe: Recipe, model: nn.Module, precision: str) -> Variant:
    """`model` in the storage precision `precision`, one of `PRECISIONS`, perhaps with `STOCHASTIC` after it.

    `model` itself stays as it is. Raises ValueError for another precision.
    """
    if _base(precision) not in PRECISIONS:
        raise ValueError(f"no storage precision {precision!r}; legal are {', '.join(PRECISIONS)}")
    variant = Variant(precision, copy.deepcopy(model).eval())
    for name, parameter in variant.model.named_parameters():
        if parameter.dim() >= 2:
            stored = _store_matrix(variant, name, parameter.detach().numpy())
            variant.stored[name] = stored
            parameter.data = torch.from_numpy(stored.values)
    if variant.tensor_precision in ("float16", "bfloat16"):
        half = getattr(torch, variant.tensor_precision)
        _hook_sites(recipe, variant.model, lambda _: lambda tensor: round_to(tensor, half))
    elif variant.tensor_precision != "float32":
        variant.ranges = _calibrate(recipe, variant.model)
        _hook_sites(recipe, variant.model, lambda site: _rounding(variant, site))
    return variant


def _store_matrix(variant: Variant, name: str, values: npt.NDArray[np.float32]) -> Stored:
    few_bits = variant.precision in WEIGHT_ONLY
    precision = "float16" if few_bits and not is_prunable(name, values.shape) else _base(variant.precision)
    return store_weights(values, precision, _rng(variant.precision))


def round_to(tensor: Tensor, half: torch.dtype) -> Tensor:
    """Rounded to a 16-bit type in the forward pass; autograd rounds the error to it in the backward one."""
    return tensor.to(half).float()


class _Rounded(torch.autograd.Function):
    """Replaced by its rounded form; in the backward pass the error is rounded to float8_e5m2 or let through.

    E5M2 has the range that errors need (Micikevicius et al., arXiv 2209.05433, section 3.1).
    """

    @staticmethod
    def forward(ctx: Any, _tensor: Tensor, rounded: Tensor, in_range: Tensor | None) -> Tensor:  # noqa: ANN401
        ctx.in_range = in_range
        return rounded

    @staticmethod
    def backward(ctx: Any, *errors: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (error,) = errors
        if ctx.in_range is not None:  # the straight-through estimator, clipped to the range
            return error * ctx.in_range, None, None
        low, high = error.aminmax()
        stored = store_tensor(error.numpy(), "float8_e5m2", low.item(), high.item())
        return torch.from_numpy(stored.values), None, None


def _rounding(variant: Variant, site: str) -> Rounding:
    low, high = variant.ranges[site]

    def round_to_grid(tensor: Tensor) -> Tensor:
        values = tensor.detach()
        stored = store_tensor(values.numpy(), variant.tensor_precision, low, high)
        in_range = None
        if variant.tensor_precision.startswith("int8"):
            in_range = (values >= min(low, 0.0)) & (values <= max(high, 0.0))
            if "affine" not in variant.tensor_precision:
                in_range = values.abs() <= max(-low, high)
        rounded: Tensor = _Rounded.apply(tensor, torch.from_numpy(stored.values), in_range)  # type: ignore[no-untyped-call]
        return rounded

    return round_to_grid


def _hook_sites(recipe: Recipe, model: nn.Module, rounding: Callable[[str], Rounding]) -> None:
    for site in recipe.sites:
        model.get_submodule(site).register_forward_hook(_replace_output(rounding(site)))


def _replace_output(rounding: Rounding) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    return lambda _module, _inputs, output: rounding(output)


def _calibrate(recipe: Recipe, model: nn.Module) -> dict[str, Range]:
    """The range of each site over a few training batches."""
    ranges = dict.fromkeys(recipe.sites, (np.inf, -np.inf))

    def observe(site: str, values: Tensor) -> None:
        low, high = values.aminmax()
        ranges[site] = (min(ranges[site][0], low.item()), max(ranges[site][1], high.item()))

    with outputs_of(model, recipe.sites, observe), torch.no_grad():
        for step in range(CALIBRATION_BATCHES):
            model(recipe.training_batch(batch_rng(_CALIBRATION_STREAM, step), recipe.dense.batch_size)[0])
    return ranges


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
