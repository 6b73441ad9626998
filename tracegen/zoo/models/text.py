"""What the byte-level language models share: the text, its windows, loss and score."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tracegen.zoo import datasets
from tracegen.zoo.models.recipe import Batch, Recipe, predict

SYMBOLS = 256
_TEST_BYTES = 32 << 10
_WINDOWS_AT_ONCE = 16


class TextRecipe(Recipe):
    """A language model of Python's language reference, byte by byte.

    Class attributes: `train_bytes`, `test_bytes`, `probe_bytes`, the windows that it is trained, judged and
    traced on.
    """

    metric: ClassVar = "bits_per_byte"
    higher_is_better: ClassVar = False
    origin: ClassVar = datasets.TEXT_ORIGIN
    licence: ClassVar = datasets.TEXT_LICENCE
    probe_samples: ClassVar = 4
    train_bytes: ClassVar[int]
    test_bytes: ClassVar[int]
    probe_bytes: ClassVar[int]

    def training_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Windows of `train_bytes` and the same, one byte later: int64 (size, train_bytes) both."""
        text = datasets.text()[0]
        starts = rng.integers(0, len(text) - self.train_bytes, size)
        rows = np.stack([text[s : s + self.train_bytes + 1] for s in starts])
        windows = torch.from_numpy(rows.astype(np.int64))
        return windows[:, :-1], windows[:, 1:]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of the next byte, in nats: logits (N, T, 256) and bytes (N, T)."""
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    def outputs(self, model: nn.Module) -> Tensor:
        """Logits (N, test_bytes, 256) over the held-out text, each window from an empty context."""
        windows = _held_out(self.test_bytes)[:, :-1]
        return torch.cat([predict(model, some) for some in torch.split(windows, _WINDOWS_AT_ONCE)])

    def score(self, outputs: Tensor) -> float:
        """Bits per byte over the held-out text."""
        return self.loss(outputs, _held_out(self.test_bytes)[:, 1:]).item() / math.log(2)

    def probe(self, size: int) -> Tensor:
        """The first `size` windows of `probe_bytes` held-out bytes."""
        return _held_out(self.probe_bytes)[:size, :-1]


def _held_out(n_bytes: int) -> Tensor:
    """The first 32 KiB of the held-out text in windows, each with the byte that follows.

    int64 of shape (N, n_bytes + 1).
    """
    text = datasets.text()[1]
    count = min(_TEST_BYTES, len(text) - 1) // n_bytes
    windows = [text[i * n_bytes : (i + 1) * n_bytes + 1] for i in range(count)]
    return torch.from_numpy(np.stack(windows).astype(np.int64))
