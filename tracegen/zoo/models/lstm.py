"""A byte-level language model: an embedding, two LSTM layers (Hochreiter & Schmidhuber 1997), 256 logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from tracegen.zoo.models.recurrent import RecurrentLanguageModel, RecurrentLayer, RecurrentRecipe


class LSTMLayer(RecurrentLayer):
    """One LSTM layer; gates input, forget, cell, output. The cell state stays float32."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(4, inputs, hidden)
        with torch.no_grad():  # the forget gate starts open (Jozefowicz et al., ICML 2015)
            self.bias[hidden : 2 * hidden] = 1.0

    def states(self, steps: Iterable[Tensor], hidden: Tensor) -> Iterator[Tensor]:
        """The hidden state after each step."""
        cell = torch.zeros_like(hidden)
        recurrent = self.weight_hh.t()
        for step in steps:
            input_gate, forget_gate, update, output_gate = torch.addmm(step, hidden, recurrent).chunk(4, 1)
            cell = forget_gate.sigmoid() * cell + input_gate.sigmoid() * update.tanh()
            hidden = self.state(output_gate.sigmoid() * cell.tanh())
            yield hidden


class LSTMRecipe(RecurrentRecipe):
    """The language model on the text of Python's language reference."""

    name: ClassVar = "lstm"
    title: ClassVar = "Byte-level LSTM language model (embedding 64, 2 x 96 hidden) on Python's reference"
    weights: ClassVar = ("lstm2.weight_hh",)
    gradients: ClassVar = ("lstm2.weight_hh",)
    activations: ClassVar = {"lstm2.state": "state"}
    errors: ClassVar = ("lstm2.state",)
    sites: ClassVar = ("embedding", "lstm1.state", "lstm2.state")

    def make_model(self) -> nn.Module:
        """A fresh language model."""
        return RecurrentLanguageModel("lstm", LSTMLayer)
