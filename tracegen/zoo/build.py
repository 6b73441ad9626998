"""Building a corpus: models are trained (or their checkpoints loaded), then traced in every variant."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from tensorcodecs.arrays import did_you_mean
from tracegen.corpus import Corpus, CorpusError, TraceInfo
from tracegen.corpus.croissant import write_croissant
from tracegen.corpus.datacard import write_card
from tracegen.corpus.recording import Captured
from tracegen.corpus.writing import CorpusWriter, Identity, ModelWriter
from tracegen.progress import Report
from tracegen.zoo.divergence import divergence
from tracegen.zoo.finetuning import finetune_pruned, finetune_quantised
from tracegen.zoo.models import RECIPES, Recipe
from tracegen.zoo.models.recipe import Schedule
from tracegen.zoo.points import PointRecorder, Recorded, is_update_traced
from tracegen.zoo.precision import make_variant
from tracegen.zoo.pruning import MIN_VALUES
from tracegen.zoo.tracing import Scope, capture, split_of
from tracegen.zoo.training import SEED, Tensors, load_tensors, masks_of, reproducible, tensors_of, train
from tracegen.zoo.variants import (
    DENSE,
    FINE_TUNED_PRECISIONS,
    ITERATIVE,
    OTHER_METHODS,
    SPARSE,
    Plan,
    Pruning,
    plan,
)

VERSION = "2"
PUBLISHED = "2026-11-23"
"""Of the standard corpus in this version: a build must not ask a clock."""
DESCRIPTION = (
    "What neural networks really move: weights, activations, gradients, errors, optimiser updates and KV "
    "caches of trained models, in precisions from float32 to binary, dense and pruned by several methods, in "
    "inference and at three points of the training, with the score of every variant on held-out data."
)
_ALL_PRUNINGS = (DENSE, *ITERATIVE, *OTHER_METHODS)
_STREAMS = {name: n for n, name in enumerate([*(p.name for p in _ALL_PRUNINGS), *FINE_TUNED_PRECISIONS])}


@dataclass(frozen=True)
class Tier:
    """How much is built: which models, and at most how many training steps (0 = the recipe's own).

    `whole`: every layer, uncut, in every combination of precision and pruning.
    """

    models: tuple[str, ...]
    dense_steps: int = 0
    finetune_steps: int = 0
    whole: bool = False

    def schedule(self, recipe: Recipe, *, dense: bool) -> Schedule:
        """The training schedule of the dense model, or of the fine-tuning of a variant."""
        schedule = recipe.dense if dense else recipe.finetune
        steps = self.dense_steps if dense else self.finetune_steps
        return dataclasses.replace(schedule, steps=steps) if steps else schedule


TIERS = {
    "tiny": Tier(("lenet300",), 60, 20),
    "standard": Tier(tuple(RECIPES)),
    "full": Tier(tuple(RECIPES), whole=True),
}


@dataclass
class Trained:
    """What training gave: the tensors of every variant by name, and what was recorded on the way."""

    tensors: dict[str, Tensors] = field(default_factory=dict)
    recorded: list[Recorded] = field(default_factory=list)


def build(
    out: Path, *, tier: str, models: Sequence[str], checkpoints: Sequence[Path], retrain: bool, report: Report
) -> Corpus:
    """Build the corpus of a tier in `out`; returns it, opened.

    Checkpoints come from the corpora in the folders `checkpoints`, the first that has all of the model's;
    with them come the traces that only training gives. What none has, or everything with `retrain`, is
    trained. `models` narrows the tier (empty = all of it). Models that are finished when an error or Ctrl-C
    comes are kept in `out`, and the same call goes on after them. Raises CorpusError, and FloatingPointError
    where a training diverges.
    """
    chosen = TIERS[tier]
    for name in models:
        if name not in chosen.models:
            raise CorpusError(f"no model {name!r} in tier {tier}{did_you_mean(name, chosen.models)}")
    names = models or chosen.models
    for name in names:
        RECIPES[name].check_needs()
    part = "" if set(names) == set(chosen.models) else "-part"
    corpus_name = f"squeezemark-{tier}{part}"
    key = f"{tier} {list(names)} {[str(folder) for folder in checkpoints]} {retrain}"
    with CorpusWriter(
        out, name=corpus_name, version=VERSION, description=DESCRIPTION, resume_key=key
    ) as writer:
        if finished := {info.name for info in writer.models}:
            report.note(f"going on after {', '.join(sorted(finished))}, which an earlier run finished")
        for name in names:
            if name not in finished:
                with reproducible():  # seeded for each model, so that it is the same beside others and alone
                    _build_model(writer, RECIPES[name], chosen, () if retrain else checkpoints, report)
    corpus = Corpus.open(out)
    write_card(corpus, {name: _how_trained(RECIPES[name], chosen) for name in corpus.models})
    write_croissant(corpus, published=PUBLISHED if corpus_name == "squeezemark-standard" else None)
    return corpus


def _build_model(
    writer: CorpusWriter, recipe: Recipe, tier: Tier, checkpoints: Sequence[Path], report: Report
) -> None:
    model = recipe.make_model()
    trained = Trained({DENSE.name: tensors_of(model)})
    if recipe.is_trained:
        trained = _shipped(recipe, checkpoints) or _train(recipe, model, tier, report)
    with writer.model(
        recipe.name,
        title=recipe.title,
        metric=recipe.metric,
        higher_is_better=recipe.higher_is_better,
        origin=recipe.origin,
        licence=recipe.licence,
    ) as model_writer:
        _Tracer(recipe, model.eval(), model_writer, report, whole=tier.whole).trace(trained)
        if recipe.is_trained:
            for name, tensors in trained.tensors.items():
                model_writer.add_checkpoint(name, tensors)


def _variants(recipe: Recipe) -> list[Pruning]:
    prunings = (DENSE, *ITERATIVE, *recipe.prunings) if recipe.is_trained else (DENSE,)
    return [pruning for pruning in _ALL_PRUNINGS if pruning in prunings]


def _shipped(recipe: Recipe, folders: Sequence[Path]) -> Trained | None:
    names = {*(pruning.name for pruning in _variants(recipe)), *recipe.quantised}
    for folder in folders:
        with Corpus.open(folder) as corpus:
            info = corpus.models.get(recipe.name)
            if info and names <= set(info.checkpoints):
                wanted = [name for name in info.checkpoints if name in names]
                tensors = {name: corpus.checkpoint(recipe.name, name) for name in wanted}
                return Trained(tensors, _recorded(corpus, recipe))
    return None


def _recorded(corpus: Corpus, recipe: Recipe) -> list[Recorded]:
    """The traces that only training gave, as they were."""
    return [
        (t.precision, Captured(corpus.read(t), t.role, t.layer, t.phase, corpus.attributes(t), t.kind))
        for t in corpus.traces
        if t.model == recipe.name and _is_recorded(t)
    ]


def _is_recorded(trace: TraceInfo) -> bool:
    if trace.role == "updates":
        return is_update_traced(trace.precision, trace.kind, trace.phase)
    return trace.precision == "float32" and trace.phase in ("training-start", "training-middle")


def _train(recipe: Recipe, model: nn.Module, tier: Tier, report: Report) -> Trained:
    schedule, finetune = tier.schedule(recipe, dense=True), tier.schedule(recipe, dense=False)
    report.start(f"{recipe.name}: training", schedule.steps)
    recorder = PointRecorder(recipe, schedule.steps)
    train(recipe, model, schedule, masks={}, stream=0, on_step=report.step, hook=recorder)
    trained = Trained({DENSE.name: tensors_of(model)}, recorder.recorded)
    start = model
    for pruning in _variants(recipe)[1:]:
        report.start(f"{recipe.name}: fine-tuning {pruning.name}", finetune.steps)
        base = start if pruning in ITERATIVE else model
        stream = _STREAMS[pruning.name]
        tuned = finetune_pruned(recipe, base, pruning, finetune, stream=stream, on_step=report.step)
        trained.tensors[pruning.name] = tensors_of(tuned)
        start = tuned if pruning in ITERATIVE else start
    for precision in recipe.quantised:
        report.start(f"{recipe.name}: fine-tuning {precision}", finetune.steps)
        stream = _STREAMS[precision]
        tuned = finetune_quantised(recipe, model, precision, finetune, stream=stream, on_step=report.step)
        trained.tensors[precision] = tensors_of(tuned)
    return trained


class _Tracer:
    """Writes the traces and scores of one model."""

    def __init__(
        self, recipe: Recipe, model: nn.Module, writer: ModelWriter, report: Report, *, whole: bool
    ) -> None:
        self._recipe, self._model, self._writer, self._report = recipe, model, writer, report
        self._whole = whole

    def trace(self, trained: Trained) -> None:
        """Every variant, then what training recorded."""
        recipe = self._recipe
        plans: list[tuple[str, Pruning, Plan]] = [
            (p.name, p, plan(p, all_precisions=recipe.has_all_precisions, whole=self._whole))
            for p in _variants(recipe)
        ]
        plans += [(precision, DENSE, {precision: ("weights",)}) for precision in recipe.quantised]
        self._report.start(f"{recipe.name}: tracing", sum(len(precisions) for *_, precisions in plans))
        self._load(trained.tensors[DENSE.name])
        self._dense_outputs = recipe.outputs(self._model)
        for name, pruning, precisions in plans:
            self._load(trained.tensors[name])
            masks = masks_of(self._model) if pruning != DENSE else {}
            for precision, roles in precisions.items():
                self._variant(pruning, masks, precision, roles)
                self._report.step()
        for precision, trace in trained.recorded:
            self._add(trace, DENSE, precision)

    def _load(self, tensors: Tensors) -> None:
        try:
            load_tensors(self._model, tensors)
        except ValueError as error:
            raise CorpusError(f"{self._recipe.name}: {error}; build with --retrain") from error

    def _variant(
        self, pruning: Pruning, masks: Mapping[str, Tensor], precision: str, roles: tuple[str, ...]
    ) -> None:
        recipe = self._recipe
        variant = make_variant(recipe, self._model, precision)
        for trace in capture(recipe, variant, masks, self._scope(pruning, roles)):
            self._add(trace, pruning, precision)
        outputs = recipe.outputs(variant.model)
        score = recipe.score(outputs)
        self._writer.add_score(
            precision=precision,
            sparsity=pruning.sparsity,
            pruning=pruning.method,
            value=score,
            divergence=divergence(self._dense_outputs, outputs) if recipe.is_classifier else None,
        )
        self._report.note(f"{recipe.name} {precision} {pruning.name}: {score:.4g} {recipe.metric}")

    def _scope(self, pruning: Pruning, roles: tuple[str, ...]) -> Scope:
        return Scope(roles, whole=self._whole, first_only=pruning not in (DENSE, SPARSE))

    def _add(self, trace: Captured, pruning: Pruning, precision: str) -> None:
        self._writer.add_trace(
            trace.array,
            Identity(
                role=trace.role,
                layer=trace.layer,
                sparsity=pruning.sparsity,
                pruning=pruning.method,
                phase=trace.phase,
                precision=precision,
                kind=trace.kind,
                split=split_of(self._recipe, trace.layer),
            ),
            attributes=trace.attributes,
        )


def _how_trained(recipe: Recipe, tier: Tier) -> str:
    if not recipe.is_trained:
        return f"{recipe.how_made} Held out: {recipe.held_out}."
    dense, finetune = tier.schedule(recipe, dense=True), tier.schedule(recipe, dense=False)
    clip = f", gradient norm clipped at {dense.clip_norm:g}" if dense.clip_norm else ""
    method = f"SGD with momentum {dense.momentum:g}" if dense.momentum else "Adam"
    return (
        f"{method}, {dense.steps} steps of {dense.batch_size} samples, peak learning rate "
        f"{dense.learning_rate:g}{clip}; every variant is fine-tuned for {finetune.steps} steps at "
        f"{finetune.learning_rate:g} (Adam), pruning every matrix of at least {MIN_VALUES} weights. "
        f"Seed {SEED}, one thread. Held out: {recipe.held_out}."
    )
