"""What a model of the zoo must say about itself: how it is made, trained, judged and traced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tracegen.zoo.variants import Pruning

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Schedule:
    """Training hyper-parameters: the learning rate is warmed up over 5 % of the steps, then a half cosine.

    `steps` and `batch_size` are counts; `learning_rate` is the peak; `clip_norm` bounds the gradient's
    2-norm (0 = unbounded); `momentum` above 0 means SGD with momentum, 0 means Adam.
    """

    steps: int
    batch_size: int
    learning_rate: float
    clip_norm: float = 0.0
    momentum: float = 0.0


class Recipe(ABC):
    """One model of the zoo.

    Class attributes:
        name, title: the model's short name (its file's name) and what it is, with the paper.
        metric, higher_is_better: what `score` returns, unit in the name.
        held_out: the data that `outputs` are computed on, in words.
        origin, licence: of the data that it is trained and traced on.
        dense, finetune: how the dense model is trained, and how it is fine-tuned in each pruning.
        is_trained: False for a model that comes trained, or is left as initialised; `how_made` says so.
        is_control: whether it is there only to be compared with.
        is_classifier: whether the outputs are logits along the last axis.
        weights, gradients: parameters that are traced, and whose gradients are.
        activations: sites whose tensors are traced, each with its kind.
        errors: sites the gradients of whose tensors are traced.
        kv: sites that fill an attention cache.
        updates: parameters whose optimiser state is traced at three points of the dense training.
        sites: the modules whose outputs an accelerator would write to memory, layers fused as usual
            (convolution + norm + ReLU): the places where a storage precision acts.
        profile: layers, as patterns, whose traces are for codecs to learn from.
        prunings: methods beside iterative magnitude pruning that it is fine-tuned with.
        quantised: precisions that it is fine-tuned in (weights that few bits would ruin otherwise).
        has_all_precisions: whether it is traced in all, not only in the most used ones.
        probe_samples: how many held-out inputs activations are captured on.
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
    how_made: ClassVar[str] = ""
    is_trained: ClassVar[bool] = True
    is_control: ClassVar[bool] = False
    is_classifier: ClassVar[bool] = True
    weights: ClassVar[tuple[str, ...]]
    gradients: ClassVar[tuple[str, ...]]
    activations: ClassVar[Mapping[str, str]]
    errors: ClassVar[tuple[str, ...]]
    kv: ClassVar[tuple[str, ...]] = ()
    updates: ClassVar[tuple[str, ...]] = ()
    sites: ClassVar[tuple[str, ...]]
    profile: ClassVar[tuple[str, ...]] = ()
    prunings: ClassVar[tuple[Pruning, ...]] = ()
    quantised: ClassVar[tuple[str, ...]] = ()
    has_all_precisions: ClassVar[bool] = False
    probe_samples: ClassVar[int] = 256
    loss_scale: ClassVar[float] = 1024.0

    def check_needs(self) -> None:  # noqa: B027 - most need nothing beside torch and scikit-learn
        """Raise CorpusError where something that the model needs is not installed."""

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
    def outputs(self, model: nn.Module) -> Tensor:
        """What the model, in evaluation mode, says of the held-out data."""

    @abstractmethod
    def score(self, outputs: Tensor) -> float:
        """The `metric` of what `outputs` gave."""

    @abstractmethod
    def probe(self, size: int) -> Tensor:
        """The first `size` held-out inputs: what activations are captured on."""


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """The model's outputs, without autograd."""
    with torch.no_grad():
        outputs = model(inputs)
    assert isinstance(outputs, Tensor)  # noqa: S101 - for the type checker: modules return Any
    return outputs
