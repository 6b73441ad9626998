"""A byte-level GPT: pre-norm transformer decoder blocks (Radford et al., GPT-2, 2019, section 2.3)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from tracegen.zoo.models.recipe import Schedule
from tracegen.zoo.models.text import SYMBOLS, TextRecipe

CHANNELS = 96
LAYERS = 3
HEADS = 4
CONTEXT_BYTES = 128
_INITIAL_STD = 0.02


class CausalSoftmax(nn.Module):
    """Attention scores (N, heads, T, T) to probabilities over the bytes so far; later ones get exactly 0."""

    def forward(self, scores: Tensor) -> Tensor:
        """The probabilities."""
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        return scores.masked_fill(later, -math.inf).softmax(-1)


class Attention(nn.Module):
    """Multi-head causal self-attention (Vaswani et al., NIPS 2017, section 3.2): (N, T, C) to the same.

    Keys and values (the cache of a decoder), scores and probabilities are modules of their own, because
    they are traced: an accelerator without a fused attention kernel writes them to memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)
        self.keys = nn.Identity()
        self.values = nn.Identity()
        self.scores = nn.Identity()
        self.probabilities = CausalSoftmax()
        self.context = nn.Identity()
        self.projection = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the block adds to its inputs."""
        heads = self.qkv(inputs).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads.unbind(0)
        keys, values = self.keys(keys), self.values(values)
        scores = self.scores(queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1]))
        context = self.context((self.probabilities(scores) @ values).transpose(1, 2).flatten(2))
        outputs: Tensor = self.projection(context)
        return outputs


class Block(nn.Module):
    """Attention, then two linear layers, GELU (Hendrycks & Gimpel 2016) between; (N, T, C) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(CHANNELS)
        self.attention = Attention()
        self.attended = nn.Identity()
        self.norm2 = nn.LayerNorm(CHANNELS)
        self.up = nn.Linear(CHANNELS, 4 * CHANNELS)
        self.gelu = nn.GELU()
        self.down = nn.Linear(4 * CHANNELS, CHANNELS)

    def forward(self, inputs: Tensor) -> Tensor:
        """The residual stream after the block."""
        attended = self.attended(inputs + self.attention(self.norm1(inputs)))
        outputs: Tensor = attended + self.down(self.gelu(self.up(self.norm2(attended))))
        return outputs


class Embedding(nn.Module):
    """Bytes (N, T) int64, T at most 128, to the sum of a symbol's and a position's vector (N, T, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols = nn.Embedding(SYMBOLS, CHANNELS)
        self.positions = nn.Embedding(CONTEXT_BYTES, CHANNELS)

    def forward(self, symbols: Tensor) -> Tensor:
        """The residual stream before the first block."""
        embedded: Tensor = self.symbols(symbols) + self.positions.weight[: symbols.shape[1]]
        return embedded


class GPT(nn.Module):
    """Bytes (N, T) int64, T at most 128, to the logits of the next byte (N, T, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = Embedding()
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(CHANNELS)
        self.decoder = nn.Linear(CHANNELS, SYMBOLS, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        """As GPT-2: normal, and what adds to the residual stream scaled down by the number of additions."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                adds = name.endswith(("projection.weight", "down.weight"))
                nn.init.normal_(parameter, std=_INITIAL_STD / math.sqrt(2 * LAYERS) if adds else _INITIAL_STD)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, symbols: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.decoder(self.norm(self.blocks(self.embedding(symbols))))
        return logits


class GPTRecipe(TextRecipe):
    """The GPT on the text of Python's language reference."""

    name: ClassVar = "gpt"
    title: ClassVar = (
        "Byte-level GPT (Radford et al. 2019; 3 blocks of 96 channels, 4 heads) on Python's reference"
    )
    held_out: ClassVar = "32 KiB of the last 10 % of the text, in windows of 128 bytes"
    dense: ClassVar = Schedule(steps=1200, batch_size=16, learning_rate=2e-3, clip_norm=1.0)
    finetune: ClassVar = Schedule(steps=600, batch_size=16, learning_rate=2e-3, clip_norm=1.0)
    train_bytes: ClassVar = CONTEXT_BYTES
    test_bytes: ClassVar = CONTEXT_BYTES
    probe_bytes: ClassVar = CONTEXT_BYTES
    weights: ClassVar = ("blocks.2.down.weight",)
    gradients: ClassVar = ("blocks.2.down.weight",)
    activations: ClassVar = {
        "blocks.2.gelu": "gelu",
        "blocks.1": "residual",
        "blocks.2.attention.scores": "scores",
        "blocks.2.attention.probabilities": "softmax",
    }
    errors: ClassVar = ("blocks.2.gelu",)
    kv: ClassVar = ("blocks.0.attention.keys", "blocks.2.attention.values")
    updates: ClassVar = ("blocks.2.down.weight",)
    profile: ClassVar = ("blocks.0.*",)
    has_all_precisions: ClassVar = True
    sites: ClassVar = (
        "embedding",
        *(
            f"blocks.{block}{part}"
            for block in range(LAYERS)
            for part in (
                *(".norm1", ".attention.qkv", ".attention.keys", ".attention.values", ".attention.scores"),
                *(".attention.probabilities", ".attention.context", ".attended", ".norm2", ".gelu", ""),
            )
        ),
        "norm",
    )

    def make_model(self) -> nn.Module:
        """A fresh GPT."""
        return GPT()
