"""What the recurrent language models share: the layer's frame, the model around two layers, the schedules."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from tracegen.zoo.models.recipe import Schedule
from tracegen.zoo.models.text import SYMBOLS, TextRecipe

EMBEDDED = 64
HIDDEN = 96


class RecurrentLayer(nn.Module, ABC):
    """One recurrent layer with torch's parameter layout: `gates` gates stacked by rows.

    Written out step by step because torch's own layers hide the hidden state: here every step passes through
    `state`, so that a storage precision acts on what the next step reads.
    """

    def __init__(self, gates: int, inputs: int, hidden: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden)
        self.weight_ih = nn.Parameter(torch.empty(gates * hidden, inputs).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(gates * hidden, hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(gates * hidden))
        self.state = nn.Identity()

    def forward(self, sequence: Tensor) -> Tensor:
        """(N, T, inputs) to the hidden states (N, T, hidden), from a zero state."""
        projected = nn.functional.linear(sequence, self.weight_ih, self.bias)
        hidden = sequence.new_zeros(len(sequence), self.weight_hh.shape[1])
        return torch.stack(list(self.states(projected.unbind(1), hidden)), 1)

    @abstractmethod
    def states(self, steps: Iterable[Tensor], hidden: Tensor) -> Iterator[Tensor]:
        """The hidden state (N, hidden) after each step, from `hidden`.

        `steps` are the inputs times `weight_ih` plus `bias`: (N, gates * hidden) each.
        """


class RecurrentLanguageModel(nn.Module):
    """Bytes (N, T) int64 to the logits of the next byte (N, T, 256): two layers, `<name>1` and `<name>2`."""

    def __init__(self, name: str, layer: Callable[[int, int], RecurrentLayer]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, EMBEDDED)
        self._layers = (f"{name}1", f"{name}2")
        for layer_name, inputs in zip(self._layers, (EMBEDDED, HIDDEN), strict=True):
            self.add_module(layer_name, layer(inputs, HIDDEN))
        self.decoder = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, symbols: Tensor) -> Tensor:
        """Logits."""
        states = self.embedding(symbols)
        for layer_name in self._layers:
            states = self.get_submodule(layer_name)(states)
        logits: Tensor = self.decoder(states)
        return logits


class RecurrentRecipe(TextRecipe):
    """Two recurrent layers between an embedding and 256 logits."""

    held_out: ClassVar = "32 KiB of the last 10 % of the text, in windows of 256 bytes"
    dense: ClassVar = Schedule(steps=2000, batch_size=32, learning_rate=6e-3, clip_norm=1.0)
    finetune: ClassVar = Schedule(steps=800, batch_size=32, learning_rate=3e-3, clip_norm=1.0)
    train_bytes: ClassVar = 64
    test_bytes: ClassVar = 256
    probe_bytes: ClassVar = 88
