import shutil

import numpy as np
import pytest
from support import REPOSITORY

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("PIL")

from tracegen.corpus import ROLES, Corpus, CorpusError
from tracegen.zoo.build import TIERS, build
from tracegen.zoo.models import RECIPES
from tracegen.zoo.variants import (
    CORE_PRECISIONS,
    DENSE,
    FINE_TUNED_PRECISIONS,
    ITERATIVE,
    OTHER_METHODS,
    SPARSE,
    plan,
)

PRUNINGS = (DENSE, *ITERATIVE, *RECIPES["lenet300"].prunings)
CHECKPOINTS = (*(pruning.name for pruning in PRUNINGS), *FINE_TUNED_PRECISIONS)


class Notes:
    """A report that keeps its notes and counts its steps."""

    def __init__(self):
        self.notes, self.stretches, self.steps = [], [], 0

    def start(self, what, steps):
        self.stretches.append((what, steps))

    def step(self):
        self.steps += 1

    def note(self, text):
        self.notes.append(text)


def build_tiny(out, *, checkpoints=(), retrain=False, models=()):
    notes = Notes()
    corpus = build(out, tier="tiny", models=models, checkpoints=checkpoints, retrain=retrain, report=notes)
    return corpus, notes


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return build_tiny(tmp_path_factory.mktemp("tiny"))


def test_every_cell_is_there_and_verifies(tiny):
    corpus, notes = tiny
    assert [problem for _, problem in corpus.verify()] == [None] * len(corpus.traces)
    cells = {(t.role, t.precision, t.pruning, t.sparsity) for t in corpus.traces if t.role != "updates"}
    planned = {
        (role, precision, pruning.method, pruning.sparsity)
        for pruning in PRUNINGS
        for precision, roles in plan(pruning, all_precisions=True).items()
        for role in roles
        if role in ROLES and role != "kv"
    }
    assert cells == planned | {("weights", precision, "none", 0.0) for precision in FINE_TUNED_PRECISIONS}
    info = corpus.models["lenet300"]
    assert info.checkpoints == CHECKPOINTS
    assert set(info.scores) == {t.variant for t in corpus.traces if t.role != "updates"}
    dense = [info.scores[f"{precision}-s0"] for precision in (*CORE_PRECISIONS, *FINE_TUNED_PRECISIONS)]
    assert all(50 < score <= 100 for score in dense), "it must have learned something"
    assert notes.steps == sum(steps for _, steps in notes.stretches)
    assert len(notes.notes) == len(info.scores)


def test_every_role_comes_dense_and_sparse_in_the_core_precisions():
    dense, sparse = (plan(pruning, all_precisions=False) for pruning in (DENSE, SPARSE))
    assert set(dense) == set(sparse) == set(CORE_PRECISIONS)
    assert all({*ROLES} - {"updates"} <= set(roles) for roles in dense.values())
    assert all({*ROLES} - {"updates"} <= set(sparse[p]) for p in ("float32", "bfloat16", "int8"))
    for whole in (plan(p, all_precisions=False, whole=True) for p in (*ITERATIVE, *OTHER_METHODS)):
        assert whole == plan(DENSE, all_precisions=False, whole=True)


def test_training_is_traced_at_its_start_middle_and_end(tiny):
    corpus, _ = tiny
    for point in ("start", "middle", "end"):
        here = [t for t in corpus.traces if t.phase == f"training-{point}"]
        assert all(t.name.endswith(f"@{point}") for t in here)
        assert {"activations", "gradients", "errors", "updates"} <= {t.role for t in here}
        kinds = {t.kind for t in here if t.role == "updates"}
        at_the_end = {"difference"} if point == "end" else set()
        assert kinds == {"first-moment", "second-moment", "step", "xor"} | at_the_end
    steps = [t.attributes["step"] for t in corpus.traces if t.kind == "step"]
    assert sorted(steps) == [3, 30, 59]


def test_the_xor_of_two_checkpoints_is_that_of_their_difference(tiny):
    corpus, _ = tiny
    traces = {t.name.partition("/")[2]: t for t in corpus.traces}
    final = corpus.checkpoint("lenet300", "s0")["fc1.weight"]
    difference = corpus.read(traces["float32-s0/updates/fc1.difference@end"])
    xor = corpus.read(traces["float32-s0/updates/fc1.xor@end"])
    assert xor.dtype == np.uint32
    final = final[: len(xor)]
    earlier = (final.view(np.uint32) ^ xor).view(np.float32)
    np.testing.assert_array_equal(final - earlier, difference)
    halves = corpus.read(traces["bfloat16-s0/updates/fc1.xor@end"])
    assert halves.dtype == np.uint16
    assert (halves == 0).mean() > (xor == 0).mean(), "fewer bits change in BF16"


def test_the_divergence_from_the_dense_model_is_stored(tiny):
    info = tiny[0].models["lenet300"]
    assert info.divergences["float32-s0"] == {"logit_kl_bits": 0.0, "flips_percent": 0.0}
    assert 0 < info.divergences["int8-s0"]["logit_kl_bits"] < info.divergences["float32-s99"]["logit_kl_bits"]
    assert info.divergences["float32-s99"]["flips_percent"] > 0


def test_weights_are_as_sparse_as_their_level_says(tiny):
    corpus, _ = tiny
    for trace in corpus.traces:
        if trace.role == "weights" and trace.precision == "float32":
            array = corpus.read(trace)
            group = {"filter": 64, "block4x4": 16, "block16x16": 256, "rows": 16}.get(trace.pruning, 1)
            zeros = np.count_nonzero(array == 0)
            assert abs(zeros - trace.sparsity * array.size) <= group


def test_checkpoints_hold_the_traced_weights(tiny):
    corpus, _ = tiny
    for trace in corpus.traces:
        if trace.role == "weights" and trace.precision == "float32":
            tensors = corpus.checkpoint("lenet300", trace.variant.partition("-")[2])
            np.testing.assert_array_equal(tensors["fc1.weight"], corpus.read(trace))
            assert {"fc1.weight", "fc1.bias", "fc3.weight"} <= set(tensors)


def test_few_bits_are_trained_not_only_rounded(tiny):
    corpus, _ = tiny
    for precision, levels in (("ternary", 3), ("binary", 2)):
        weights = corpus.checkpoint("lenet300", precision)["fc1.weight"]
        per_row = max(len(np.unique(row)) for row in weights)
        assert per_row == levels
        assert corpus.models["lenet300"].scores[f"{precision}-s0"] > 50


def test_building_twice_gives_the_same_digest(tiny, tmp_path):
    assert build_tiny(tmp_path / "again", retrain=True)[0].digest == tiny[0].digest


def test_rebuilding_from_checkpoints_gives_the_same_digest_without_training(tiny, tmp_path):
    corpus, notes = build_tiny(tmp_path / "again", checkpoints=[tiny[0].root])
    assert corpus.digest == tiny[0].digest
    assert corpus.models == tiny[0].models
    assert [what for what, _ in notes.stretches] == ["lenet300: tracing"]


def test_the_card_and_the_croissant_description_are_made_from_the_corpus(tiny):
    card = (tiny[0].root / "README.md").read_text()
    for part in (tiny[0].digest, "lenet300", "CC BY 4.0", "60 steps", f"{len(tiny[0].traces)} traces"):
        assert part in card
    description = (tiny[0].root / "croissant.json").read_text()
    assert "http://mlcommons.org/croissant/1.1" in description


def test_errors(tiny, tmp_path):
    with pytest.raises(CorpusError, match=r"no model 'lenet30' in tier tiny; did you mean 'lenet300'"):
        build_tiny(tmp_path / "new", models=["lenet30"])
    with pytest.raises(CorpusError, match="holds a corpus already"):
        build_tiny(tiny[0].root)
    with pytest.raises(CorpusError, match="no corpus at"):
        build_tiny(tmp_path / "new", checkpoints=[tmp_path / "nothing"])
    assert not (tmp_path / "new" / "manifest.json").exists()


def test_damaged_checkpoints_are_refused(tiny, tmp_path):
    shutil.copytree(tiny[0].root, tmp_path / "copy")
    path = tmp_path / "copy" / "lenet300.h5"
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(CorpusError, match=r"lenet300\.h5"):
        build_tiny(tmp_path / "new", checkpoints=[tmp_path / "copy"])


def test_the_tiers():
    assert TIERS["standard"].models == TIERS["full"].models == tuple(RECIPES)
    assert TIERS["full"].whole
    for recipe in RECIPES.values():
        full = TIERS["full"]
        assert (full.schedule(recipe, dense=True), full.schedule(recipe, dense=False)) == (
            recipe.dense,
            recipe.finetune,
        )


MAX_BYTES = 32 << 20
"""Of all that lies in traces/."""


def test_the_committed_corpus_is_whole():
    root = REPOSITORY / "traces"
    if not (root / "manifest.json").exists():
        pytest.skip("no committed corpus beside the tests")
    assert sum(path.stat().st_size for path in root.iterdir()) <= MAX_BYTES
    with Corpus.open(root) as corpus:
        assert [t.name for t, problem in corpus.verify() if problem] == []
        assert len(corpus.traces) >= 600
        assert tuple(corpus.models) == TIERS["standard"].models
        for role in ROLES:
            assert {"profile", "test"} <= {t.split for t in corpus.traces if t.role == role}
        for name, recipe in RECIPES.items():
            mine = [t for t in corpus.traces if t.model == name]
            prunings = {(t.pruning, t.sparsity) for t in mine}
            if recipe.is_trained:
                wanted = (DENSE, *ITERATIVE, *recipe.prunings)
                assert prunings == {(p.method, p.sparsity) for p in wanted}
                assert set(corpus.models[name].checkpoints) == {p.name for p in wanted} | set(
                    recipe.quantised
                )
            assert {t.split == "control" for t in mine} == {recipe.is_control}
            assert {t.variant for t in mine if t.role != "updates"} == set(corpus.models[name].scores)
