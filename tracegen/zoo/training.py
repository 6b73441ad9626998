"""Training: one thread, seeded, every batch a function of (seed, stream, step); each pruning is a stream.

On one machine the result is the same to the bit every time; on another one it is statistically equal, no
more (other instruction sets sum in another order).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tracegen.zoo.models.recipe import Recipe, Schedule
from tracegen.zoo.pruning import is_prunable, pruning_mask

SEED = 2026
WARM_UP_SHARE = 0.05

Tensors = dict[str, npt.NDArray[Any]]
Masks = Mapping[str, torch.Tensor]


@contextlib.contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic algorithms inside; what was set before is restored."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(SEED)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def tensors_of(model: nn.Module) -> Tensors:
    """Copies of the model's parameters and buffers by name (but the batch norms' counters)."""
    state = model.state_dict().items()
    return {name: t.numpy().copy() for name, t in state if not name.endswith("num_batches_tracked")}


def load_tensors(model: nn.Module, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Put `tensors` into `model`; raises ValueError where names or shapes do not fit."""
    expected = {name: t.shape for name, t in tensors_of(model).items()}
    for name in sorted(expected.keys() | tensors.keys()):
        found = tensors[name].shape if name in tensors else None
        if expected.get(name) != found:
            raise ValueError(
                f"the checkpoint does not fit the model: {name} is {found}, not {expected.get(name)}"
            )
    model.load_state_dict({name: torch.from_numpy(t.copy()) for name, t in tensors.items()}, strict=False)


def prune(model: nn.Module, sparsity: float, criterion: str = "magnitude") -> dict[str, torch.Tensor]:
    """Zero the least weights of every prunable matrix; returns the masks (True = survives) by name."""
    masks = {}
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if is_prunable(name, tuple(weights.shape)):
                masks[name] = torch.from_numpy(pruning_mask(weights.numpy(), sparsity, criterion))
                weights.masked_fill_(~masks[name], 0.0)  # a product would leave -0.0
    return masks


def masks_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """The masks of a model that is pruned already: False where a prunable weight is zero."""
    parameters = model.named_parameters()
    return {name: p.detach() != 0 for name, p in parameters if is_prunable(name, tuple(p.shape))}


class StepHook:
    """What is done around a training step; the model and the optimiser are the training's own."""

    def before(self, step: int, model: nn.Module) -> None:
        """The gradients are there, the step is not taken yet."""

    def after(self, step: int, model: nn.Module, optimiser: torch.optim.Optimizer, /) -> None:
        """The step is taken."""


_NO_HOOK = StepHook()


def train(
    recipe: Recipe,
    model: nn.Module,
    schedule: Schedule,
    *,
    masks: Masks,
    stream: int,
    on_step: Callable[[], None],
    hook: StepHook = _NO_HOOK,
) -> None:
    """Train `model` in place; weights where a mask is False get no gradient and stay zero.

    `stream` picks the batches; `on_step` is called after every step. Raises FloatingPointError where the
    loss is no longer finite.
    """
    model.train()
    parameters = dict(model.named_parameters())
    optimiser = _optimiser(schedule, parameters.values())
    for step in range(schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * learning_rate_factor(step, schedule.steps)
        inputs, targets = recipe.training_batch(batch_rng(stream, step), schedule.batch_size)
        loss = recipe.loss(model(inputs), targets)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"{recipe.name}: the loss is {loss.item()} at step {step}")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        hook.before(step, model)
        for name, mask in masks.items():
            gradient = parameters[name].grad
            if gradient is not None:
                gradient.masked_fill_(~mask, 0.0)
        if schedule.clip_norm:
            nn.utils.clip_grad_norm_(parameters.values(), schedule.clip_norm)
        optimiser.step()
        hook.after(step, model, optimiser)
        on_step()
    model.eval()


def _optimiser(schedule: Schedule, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    if schedule.momentum:
        return torch.optim.SGD(parameters, lr=schedule.learning_rate, momentum=schedule.momentum)
    return torch.optim.Adam(parameters, lr=schedule.learning_rate)


def batch_rng(stream: int, step: int) -> np.random.Generator:
    """The generator that draws the training batch of one step of one stream."""
    return np.random.default_rng([SEED, stream, step])


def learning_rate_factor(step: int, steps: int) -> float:
    """Share of the peak learning rate: linear warm-up, then a half cosine down to 0."""
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
