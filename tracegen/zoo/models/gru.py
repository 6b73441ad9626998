"""A byte-level language model: an embedding, two GRU layers (Cho et al., EMNLP 2014), 256 logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from tracegen.zoo.models.recurrent import RecurrentLanguageModel, RecurrentLayer, RecurrentRecipe


class GRULayer(RecurrentLayer):
    """One GRU layer; gates reset, update, new.

    As in torch and cuDNN, the reset gate acts after the recurrent product, so that all three products of a
    step are one; `bias_hn` is what it acts on beside that product.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(3, inputs, hidden)
        self.bias_hn = nn.Parameter(torch.zeros(hidden))

    def states(self, steps: Iterable[Tensor], hidden: Tensor) -> Iterator[Tensor]:
        """The hidden state after each step."""
        recurrent = self.weight_hh.t()
        for step in steps:
            reset_x, update_x, new_x = step.chunk(3, 1)
            reset_h, update_h, new_h = torch.mm(hidden, recurrent).chunk(3, 1)
            reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
            new = (new_x + reset * (new_h + self.bias_hn)).tanh()
            hidden = self.state(new + update * (hidden - new))
            yield hidden


class GRURecipe(RecurrentRecipe):
    """The GRU language model on the text of Python's language reference."""

    name: ClassVar = "gru"
    title: ClassVar = "Byte-level GRU language model (embedding 64, 2 x 96 hidden) on Python's reference"
    weights: ClassVar = ("gru2.weight_hh",)
    gradients: ClassVar = ("gru2.weight_hh",)
    activations: ClassVar = {"gru2.state": "state"}
    errors: ClassVar = ("gru2.state",)
    profile: ClassVar = ("*",)
    sites: ClassVar = ("embedding", "gru1.state", "gru2.state")

    def make_model(self) -> nn.Module:
        """A fresh language model."""
        return RecurrentLanguageModel("gru", GRULayer)
