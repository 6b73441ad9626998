"""Building a corpus: models are trained (or their checkpoints loaded), then traced in every variant."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from tensorcodecs.arrays import did_you_mean
from tracegen.capturing import capture
from tracegen.card import write_card
from tracegen.corpus import Corpus, CorpusError
from tracegen.models import RECIPES, Recipe
from tracegen.models.recipe import Schedule
from tracegen.precision import VARIANT_DTYPES, make_variant
from tracegen.pruning import LEVELS, MIN_VALUES
from tracegen.reporting import Report
from tracegen.training import SEED, Tensors, load_tensors, prune, reproducible, tensors_of, train
from tracegen.writing import CorpusWriter, ModelWriter

VERSION = "1"
DESCRIPTION = (
    "Weights, activations and gradients of trained models in float32, float16 and int8, magnitude-pruned at "
    "0, 50, 80, 90 and 95 %, with the score of every variant on held-out data."
)


@dataclass(frozen=True)
class Tier:
    """How much is built: which models, and at most how many training steps (0 = the recipe's own)."""

    models: tuple[str, ...]
    dense_steps: int = 0
    finetune_steps: int = 0

    def schedule(self, recipe: Recipe, level: int) -> Schedule:
        """The training schedule of one pruning level (0 = dense)."""
        schedule = recipe.finetune if level else recipe.dense
        steps = self.finetune_steps if level else self.dense_steps
        return dataclasses.replace(schedule, steps=steps) if steps else schedule


TIERS = {
    "tiny": Tier(("lenet300",), 60, 20),
    # The committed corpus, version 1: a new recipe enters it with the corpus's next version only.
    "standard": Tier(("lenet300", "lenet5", "resnet20", "dncnn", "lstm")),
    "full": Tier(tuple(RECIPES)),
}


def build(
    out: Path, *, tier: str, models: Sequence[str], checkpoints: Sequence[Path], retrain: bool, report: Report
) -> Corpus:
    """Build the corpus of a tier in `out`; returns it, opened.

    Checkpoints come from the corpora in the folders `checkpoints`, the first that has the model; what none
    has, or everything with `retrain`, is trained. `models` narrows the tier (empty = all of it). Raises
    CorpusError, and FloatingPointError where a training diverges.
    """
    chosen = TIERS[tier]
    for name in models:
        if name not in RECIPES:
            raise CorpusError(f"no model {name!r}{did_you_mean(name, tuple(RECIPES))}")
    with CorpusWriter(out, name=f"squeezemark-{tier}", version=VERSION, description=DESCRIPTION) as writer:
        for name in models or chosen.models:
            with reproducible():  # seeded for each model, so that it is the same beside others and alone
                _build_model(writer, RECIPES[name], chosen, () if retrain else checkpoints, report)
    corpus = Corpus.open(out)
    write_card(corpus, {name: _how_trained(RECIPES[name], chosen) for name in corpus.models})
    return corpus


def _build_model(
    writer: CorpusWriter, recipe: Recipe, tier: Tier, checkpoints: Sequence[Path], report: Report
) -> None:
    levels = _shipped(recipe, checkpoints) or _train_levels(recipe, tier, report)
    with writer.model(
        recipe.name,
        title=recipe.title,
        metric=recipe.metric,
        higher_is_better=recipe.higher_is_better,
        origin=recipe.origin,
        licence=recipe.licence,
    ) as model_writer:
        _trace_levels(recipe, levels, model_writer, report)


def _shipped(recipe: Recipe, folders: Sequence[Path]) -> dict[float, Tensors] | None:
    for folder in folders:
        with Corpus.open(folder) as corpus:
            info = corpus.models.get(recipe.name)
            if info and set(LEVELS) <= set(info.checkpoints):
                return {level: corpus.checkpoint(recipe.name, level) for level in LEVELS}
    return None


def _train_levels(recipe: Recipe, tier: Tier, report: Report) -> dict[float, Tensors]:
    model = recipe.make_model()
    levels = {}
    for index, level in enumerate(LEVELS):
        schedule = tier.schedule(recipe, index)
        report.start(f"{recipe.name}: training at {level:.0%} pruned", schedule.steps)
        masks = prune(model, level) if level else {}
        train(recipe, model, schedule, masks=masks, level=index, on_step=report.step)
        levels[level] = tensors_of(model)
    return levels


def _trace_levels(
    recipe: Recipe, levels: Mapping[float, Tensors], writer: ModelWriter, report: Report
) -> None:
    report.start(f"{recipe.name}: tracing", len(levels) * len(VARIANT_DTYPES))
    for level, tensors in levels.items():
        model = recipe.make_model().eval()
        _load(recipe, model, tensors)
        masks = prune(model, level) if level else {}
        for dtype in VARIANT_DTYPES:
            score = _trace_variant(recipe, model, masks, dtype, level, writer)
            report.note(f"{recipe.name} {dtype} {level:.0%} pruned: {score:.4g} {recipe.metric}")
            report.step()
        writer.add_checkpoint(level, tensors)


def _load(recipe: Recipe, model: nn.Module, tensors: Tensors) -> None:
    try:
        load_tensors(model, tensors)
    except ValueError as error:
        raise CorpusError(f"{recipe.name}: {error}; build with --retrain") from error


def _trace_variant(
    recipe: Recipe,
    model: nn.Module,
    masks: Mapping[str, Tensor],
    dtype: str,
    level: float,
    writer: ModelWriter,
) -> float:
    variant = make_variant(recipe, model, dtype)
    for trace in capture(recipe, variant, masks):
        writer.add_trace(
            trace.array,
            role=trace.role,
            layer=trace.layer,
            sparsity=level,
            phase=trace.phase,
            attributes=trace.attributes,
        )
    score = recipe.evaluate(variant.model)
    writer.add_score(dtype=dtype, sparsity=level, value=score)
    return score


def _how_trained(recipe: Recipe, tier: Tier) -> str:
    dense, finetune = tier.schedule(recipe, 0), tier.schedule(recipe, 1)
    clip = f", gradient norm clipped at {dense.clip_norm:g}" if dense.clip_norm else ""
    return (
        f"Adam, {dense.steps} steps of {dense.batch_size} samples, peak learning rate "
        f"{dense.learning_rate:g}{clip}; then at each level layer-wise magnitude pruning of every matrix of "
        f"at least {MIN_VALUES} weights and {finetune.steps} steps at {finetune.learning_rate:g}. "
        f"Seed {SEED}, one thread. Held out: {recipe.held_out}."
    )
