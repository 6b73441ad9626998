"""From the dense model to its variants: pruned by several methods, or trained in few bits."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tensorcodecs.quantisers import store_weights
from tracegen.zoo.models.recipe import Recipe, Schedule
from tracegen.zoo.pruning import gradual_sparsity, is_prunable
from tracegen.zoo.training import StepHook, prune, train
from tracegen.zoo.variants import Pruning

_GRADUAL_SHARE = 0.7
"""Of the steps; in the rest the last mask stays."""
_GRADUAL_EVERY = 10


class _Gradual(StepHook):
    """Prunes further every few steps, after Zhu & Gupta, arXiv 1710.01878, section 3."""

    def __init__(self, pruning: Pruning, steps: int, masks: dict[str, Tensor]) -> None:
        self._pruning, self._masks = pruning, masks
        self._ramp = max(1, int(_GRADUAL_SHARE * steps))

    def after(self, step: int, model: nn.Module, _optimiser: torch.optim.Optimizer, /) -> None:
        """Raise the level, where it is time; the optimiser's momentum must not bring weights back."""
        if step <= self._ramp and (step % _GRADUAL_EVERY == 0 or step == self._ramp):
            level = gradual_sparsity(step, self._ramp, self._pruning.sparsity)
            self._masks.update(prune(model, level, self._pruning.criterion))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in self._masks:
                    parameter.masked_fill_(~self._masks[name], 0.0)


def finetune_pruned(
    recipe: Recipe,
    start: nn.Module,
    pruning: Pruning,
    schedule: Schedule,
    *,
    stream: int,
    on_step: Callable[[], None],
) -> nn.Module:
    """A copy of `start`, pruned and fine-tuned; `stream` picks the batches."""
    model = copy.deepcopy(start)
    masks: dict[str, Tensor] = {}
    hook = StepHook()
    if pruning.method.endswith("-gradual"):
        hook = _Gradual(pruning, schedule.steps, masks)
    else:
        masks |= prune(model, pruning.sparsity, pruning.criterion)
    train(recipe, model, schedule, masks=masks, stream=stream, on_step=on_step, hook=hook)
    return model


class _StraightThrough(nn.Module):
    """Weights rounded to few bits in the forward pass; the gradient passes as if they were not.

    Bengio et al., arXiv 1308.3432; for weights Courbariaux et al., NIPS 2015.
    """

    def __init__(self, precision: str) -> None:
        super().__init__()
        self.precision = precision

    def forward(self, weights: Tensor) -> Tensor:
        """The rounded weights."""
        rounded = torch.from_numpy(store_weights(weights.detach().numpy(), self.precision).values)
        return weights + (rounded - weights).detach()


def finetune_quantised(
    recipe: Recipe,
    start: nn.Module,
    precision: str,
    schedule: Schedule,
    *,
    stream: int,
    on_step: Callable[[], None],
) -> nn.Module:
    """A copy of `start`, fine-tuned with its large matrices in `precision`; they end as values of it."""
    model = copy.deepcopy(start)
    names = [name for name, p in model.named_parameters() if is_prunable(name, tuple(p.shape))]
    owners = [(model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in names]
    for owner, own_name in owners:
        parametrize.register_parametrization(owner, own_name, _StraightThrough(precision))
    train(recipe, model, schedule, masks={}, stream=stream, on_step=on_step)
    for owner, own_name in owners:
        parametrize.remove_parametrizations(owner, own_name, leave_parametrized=True)
    with torch.no_grad():  # w + (q - w) is q but for rounding
        for name, parameter in model.named_parameters():
            if name in names:
                parameter.copy_(torch.from_numpy(store_weights(parameter.numpy(), precision).values))
    return model
