"""What the digit classifiers share: data, loss and accuracy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tracegen.zoo import datasets
from tracegen.zoo.models.recipe import Batch, Recipe, predict


class DigitsRecipe(Recipe):
    """A classifier of 8x8 digits."""

    metric: ClassVar = "accuracy_percent"
    higher_is_better: ClassVar = True
    held_out: ClassVar = "360 digits, so that one digit is 0.28 %"
    origin: ClassVar = datasets.DIGITS_ORIGIN
    licence: ClassVar = datasets.DIGITS_LICENCE

    def training_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Images (size, 1, 8, 8) float32 and labels (size,) int64."""
        images, labels, _, _ = datasets.digits()
        rows = rng.integers(0, len(labels), size)
        return torch.from_numpy(images[rows]), torch.from_numpy(labels[rows])

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits (N, 10), in nats."""
        return nn.functional.cross_entropy(outputs, targets)

    def outputs(self, model: nn.Module) -> Tensor:
        """Logits (360, 10) of the held-out digits."""
        return predict(model, torch.from_numpy(datasets.digits()[2]))

    def score(self, outputs: Tensor) -> float:
        """Share of the 360 held-out digits named rightly, in percent."""
        return 100.0 * float(np.mean(outputs.argmax(1).numpy() == datasets.digits()[3]))

    def probe(self, size: int) -> Tensor:
        """The first `size` held-out images."""
        return torch.from_numpy(datasets.digits()[2][:size])
