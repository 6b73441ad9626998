"""A byte-level language model: an embedding, two LSTM layers (Hochreiter & Schmidhuber 1997), 256 logits."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tracegen import datasets
from tracegen.models.recipe import Batch, Recipe, Schedule, predict

SYMBOLS = 256
EMBEDDED = 64
HIDDEN = 96
TRAIN_BYTES = 64
TEST_BYTES = 256
PROBE_BYTES = 88


class LSTMLayer(nn.Module):
    """One LSTM layer with torch's parameter layout: gates input, forget, cell, output stacked by rows.

    Written out step by step because `nn.LSTM` hides the hidden state: here every step passes through `state`,
    so that a storage precision acts on what the next step reads. The cell state stays float32.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden)
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, inputs).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden, hidden).uniform_(-bound, bound))
        bias = torch.zeros(4 * hidden)
        bias[hidden : 2 * hidden] = 1.0  # the forget gate starts open (Jozefowicz et al., ICML 2015)
        self.bias = nn.Parameter(bias)
        self.state = nn.Identity()

    def forward(self, sequence: Tensor) -> Tensor:
        """(N, T, inputs) to the hidden states (N, T, hidden), from a zero state."""
        projected = nn.functional.linear(sequence, self.weight_ih, self.bias)
        hidden = sequence.new_zeros(len(sequence), self.weight_hh.shape[1])
        cell = torch.zeros_like(hidden)
        recurrent = self.weight_hh.t()
        states = []
        for step in projected.unbind(1):
            input_gate, forget_gate, update, output_gate = torch.addmm(step, hidden, recurrent).chunk(4, 1)
            cell = forget_gate.sigmoid() * cell + input_gate.sigmoid() * update.tanh()
            hidden = self.state(output_gate.sigmoid() * cell.tanh())
            states.append(hidden)
        return torch.stack(states, 1)


class LSTMLanguageModel(nn.Module):
    """Bytes (N, T) int64 to the logits of the next byte (N, T, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, EMBEDDED)
        self.lstm1 = LSTMLayer(EMBEDDED, HIDDEN)
        self.lstm2 = LSTMLayer(HIDDEN, HIDDEN)
        self.decoder = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, symbols: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.decoder(self.lstm2(self.lstm1(self.embedding(symbols))))
        return logits


class LSTMRecipe(Recipe):
    """The language model on the text of Python's language reference."""

    name: ClassVar = "lstm"
    title: ClassVar = "Byte-level LSTM language model (embedding 64, 2 x 96 hidden) on Python's reference"
    metric: ClassVar = "bits_per_byte"
    higher_is_better: ClassVar = False
    held_out: ClassVar = "the last 10 % of the text, in windows of 256 bytes"
    origin: ClassVar = datasets.TEXT_ORIGIN
    licence: ClassVar = datasets.TEXT_LICENCE
    dense: ClassVar = Schedule(steps=2000, batch_size=32, learning_rate=6e-3, clip_norm=1.0)
    finetune: ClassVar = Schedule(steps=800, batch_size=32, learning_rate=3e-3, clip_norm=1.0)
    weights: ClassVar = {"lstm1.weight_ih": None, "lstm2.weight_hh": None}
    gradients: ClassVar = {"lstm1.weight_ih": 264, "lstm2.weight_hh": 172}
    activations: ClassVar = {"lstm1.state": 2, "lstm2.state": 2}
    sites: ClassVar = ("embedding", "lstm1.state", "lstm2.state")

    def make_model(self) -> nn.Module:
        """A fresh language model."""
        return LSTMLanguageModel()

    def training_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Windows of 64 bytes and the same, one byte later: int64 (size, 64) both."""
        text = datasets.text()[0]
        starts = rng.integers(0, len(text) - TRAIN_BYTES, size)
        windows = torch.from_numpy(np.stack([text[s : s + TRAIN_BYTES + 1] for s in starts]).astype(np.int64))
        return windows[:, :-1], windows[:, 1:]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of the next byte, in nats."""
        return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    def evaluate(self, model: nn.Module) -> float:
        """Bits per byte over the held-out text, in windows of 256 bytes, each from a zero state."""
        windows = self._held_out(TEST_BYTES)
        return self.loss(predict(model, windows[:, :-1]), windows[:, 1:]).item() / math.log(2)

    def probe(self, size: int) -> Tensor:
        """The first `size` windows of 88 held-out bytes."""
        return self._held_out(PROBE_BYTES)[:size, :-1]

    @staticmethod
    def _held_out(n_bytes: int) -> Tensor:
        text = datasets.text()[1]
        count = (len(text) - 1) // n_bytes
        windows = [text[i * n_bytes : (i + 1) * n_bytes + 1] for i in range(count)]
        return torch.from_numpy(np.stack(windows).astype(np.int64))
