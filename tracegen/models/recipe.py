"""What a model of the zoo must say about itself: how it is made, trained, judged and traced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Schedule:
    """Training hyper-parameters: Adam, the learning rate warmed up over 5 % of the steps, then a half cosine.

    `steps` and `batch_size` are counts; `learning_rate` is the peak; `clip_norm` bounds the gradient's
    2-norm (0 = unbounded).
    """

    steps: int
    batch_size: int
    learning_rate: float
    clip_norm: float = 0.0


class Recipe(ABC):
    """One model of the zoo.

    Class attributes:
        name, title: the model's short name (its file's name) and what it is, with the paper.
        metric, higher_is_better: what `evaluate` returns, unit in the name.
        held_out: the data that `evaluate` uses, in words.
        origin, licence: of the data that it is trained and traced on.
        dense, finetune: how the dense model is trained, and how it is fine-tuned at each pruning level.
        weights: parameters whose values are traced, each with the leading rows kept (None = all).
        gradients: parameters whose gradients are traced, likewise.
        activations: sites whose tensors are traced, each with the samples of the probe kept.
        sites: the modules whose outputs an accelerator would write to memory, layers fused as usual
            (convolution + norm + ReLU): the places where a storage precision acts.
        loss_scale: what the loss is multiplied by before a float16 backward pass (Micikevicius et al., ICLR
            2018, section 3.2), or the small gradients would be lost.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    metric: ClassVar[str]
    higher_is_better: ClassVar[bool]
    held_out: ClassVar[str]
    origin: ClassVar[str]
    licence: ClassVar[str]
    dense: ClassVar[Schedule]
    finetune: ClassVar[Schedule]
    weights: ClassVar[Mapping[str, int | None]]
    gradients: ClassVar[Mapping[str, int | None]]
    activations: ClassVar[Mapping[str, int]]
    sites: ClassVar[tuple[str, ...]]
    loss_scale: ClassVar[float] = 1024.0

    @abstractmethod
    def make_model(self) -> nn.Module:
        """A freshly initialised model (from torch's global generator)."""

    @abstractmethod
    def training_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """A batch of `size` training samples, drawn with `rng`: inputs and targets."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The scalar training loss."""

    @abstractmethod
    def evaluate(self, model: nn.Module) -> float:
        """The model's `metric` on held-out data; the model must be in evaluation mode."""

    @abstractmethod
    def probe(self, size: int) -> Tensor:
        """The first `size` held-out inputs: what activations are captured on."""


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """The model's outputs, without autograd."""
    with torch.no_grad():
        outputs = model(inputs)
    assert isinstance(outputs, Tensor)  # noqa: S101 - for the type checker: modules return Any
    return outputs
