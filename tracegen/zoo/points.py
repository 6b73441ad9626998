"""What only training can give, recorded while it runs: optimiser state, steps, and the model on its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tracegen.capturing._roles import STATE_KINDS
from tracegen.corpus.recording import Captured, layer_name
from tracegen.zoo.models.recipe import Recipe
from tracegen.zoo.precision import make_variant
from tracegen.zoo.tracing import Scope, capture, cut
from tracegen.zoo.training import WARM_UP_SHARE, StepHook
from tracegen.zoo.variants import IN_TRAINING

CHECKPOINT_STEPS = 20
"""Two checkpoints whose difference is traced are so many steps apart."""

Floats = npt.NDArray[np.float32]
Recorded = tuple[str, Captured]
"""A precision's name and a trace in it."""


def is_update_traced(precision: str, kind: str, phase: str) -> bool:
    """Whether an update is: differences, and states in BF16, only at the end, to keep the corpus small."""
    is_state_in_bfloat16 = precision == "bfloat16" and kind in STATE_KINDS.values()
    return phase == "training-end" or not (kind == "difference" or is_state_in_bfloat16)


class PointRecorder(StepHook):
    """For the dense training: fills `recorded` at its start, middle and end.

    start: the step with which the warm-up ends; middle: half of the steps; end: the last one. `recorded` are
    traces with their precision: `updates` at all three points; at start and middle also gradients, errors
    and activations in training, which at the end come from the trained model.
    """

    def __init__(self, recipe: Recipe, steps: int) -> None:
        self.recorded: list[Recorded] = []
        self._recipe = recipe
        points = {"start": max(1, round(WARM_UP_SHARE * steps)), "middle": steps // 2, "end": steps - 1}
        self._points = {step: point for point, step in points.items() if 0 < step < steps}
        self._earlier: dict[str, Floats] = {}
        self._before: dict[str, Floats] = {}

    def before(self, step: int, model: nn.Module) -> None:
        """Keep the weights that a later difference needs."""
        if any(step == max(0, point - CHECKPOINT_STEPS + 1) for point in self._points):
            self._earlier = self._weights(model)
        if step in self._points:
            self._before = self._weights(model)

    def after(self, step: int, model: nn.Module, optimiser: torch.optim.Optimizer, /) -> None:
        """Record, where the step is one of the points."""
        point = self._points.get(step)
        if point is None:
            return
        phase = f"training-{point}"
        now = self._weights(model)
        states = {name: optimiser.state[p] for name, p in model.named_parameters() if name in now}
        for name, weights in now.items():
            for precision, kind, array in self._updates(name, weights, states[name]):
                if not is_update_traced(precision, kind, phase):
                    continue
                layer = f"{layer_name(name)}.{kind}"
                self.recorded.append(
                    (precision, Captured(array, "updates", layer, phase, {"step": step}, kind))
                )
        if point != "end":
            scope = Scope(("gradients", "errors", IN_TRAINING), phase)
            variant = make_variant(self._recipe, model, "float32")
            traces = capture(self._recipe, variant, {}, scope)
            self.recorded.extend(("float32", trace) for trace in traces)

    def _weights(self, model: nn.Module) -> dict[str, Floats]:
        parameters = dict(model.named_parameters())
        return {name: cut(parameters[name].detach().numpy()).copy() for name in self._recipe.updates}

    def _updates(
        self, name: str, weights: Floats, state: dict[str, Any]
    ) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
        """Precision, kind and values of each update."""
        for key, kind in STATE_KINDS.items():
            if key in state:
                moment = cut(state[key].detach().numpy()).copy()
                yield "float32", kind, moment
                yield "bfloat16", kind, moment.astype(ml_dtypes.bfloat16)
        earlier = self._earlier[name]
        yield "float32", "step", weights - self._before[name]
        yield "float32", "difference", weights - earlier
        yield "float32", "xor", weights.view(np.uint32) ^ earlier.view(np.uint32)
        halves = [values.astype(ml_dtypes.bfloat16).view(np.uint16) for values in (weights, earlier)]
        yield "bfloat16", "xor", halves[0] ^ halves[1]
