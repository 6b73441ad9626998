import shutil

import numpy as np
import pytest
from support import REPOSITORY

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("PIL")

from tracegen.build import TIERS, build
from tracegen.corpus import Corpus, CorpusError
from tracegen.models import RECIPES
from tracegen.pruning import LEVELS


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
    cells = {(t.role, t.dtype, t.sparsity) for t in corpus.traces}
    assert cells == {
        (role, dtype, level)
        for role in ("weights", "activations", "gradients")
        for dtype in ("float32", "float16", "int8")
        for level in LEVELS
    }
    info = corpus.models["lenet300"]
    assert len(info.scores) == 15
    assert all(50 < score <= 100 for score in info.scores.values()), "it must have learned something"
    assert info.checkpoints == LEVELS
    assert notes.steps == sum(steps for _, steps in notes.stretches)
    assert len(notes.notes) == 15


def test_weights_are_as_sparse_as_their_level_says(tiny):
    corpus, _ = tiny
    for trace in corpus.traces:
        if trace.role == "weights" and trace.dtype == "float32":
            array = corpus.read(trace)
            assert np.count_nonzero(array == 0) == round(trace.sparsity * array.size)


def test_checkpoints_hold_the_traced_weights(tiny):
    corpus, _ = tiny
    for level in LEVELS:
        tensors = corpus.checkpoint("lenet300", level)
        trace = next(t for t in corpus.traces if t.name.endswith("weights/fc2") and t.sparsity == level)
        assert trace.dtype == "float16" or np.array_equal(tensors["fc2.weight"], corpus.read(trace))
        assert {"fc1.weight", "fc1.bias", "fc3.weight"} <= set(tensors)


def test_building_twice_gives_the_same_digest(tiny, tmp_path):
    assert build_tiny(tmp_path / "again", retrain=True)[0].digest == tiny[0].digest


def test_rebuilding_from_checkpoints_gives_the_same_digest_without_training(tiny, tmp_path):
    corpus, notes = build_tiny(tmp_path / "again", checkpoints=[tiny[0].root])
    assert corpus.digest == tiny[0].digest
    assert corpus.models == tiny[0].models
    assert [what for what, _ in notes.stretches] == ["lenet300: tracing"]


def test_the_card_is_made_from_the_corpus(tiny):
    card = (tiny[0].root / "README.md").read_text()
    for part in (tiny[0].digest, "lenet300", "CC BY 4.0", "60 steps", f"{len(tiny[0].traces)} traces"):
        assert part in card
    for score in tiny[0].models["lenet300"].scores.values():
        assert f"{score:.3f}" in card


def test_errors(tiny, tmp_path):
    with pytest.raises(CorpusError, match=r"no model 'lenet30'; did you mean 'lenet300'"):
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
    assert TIERS["standard"].models == ("lenet300", "lenet5", "resnet20", "dncnn", "lstm")
    assert TIERS["full"].models == tuple(RECIPES)
    for recipe in RECIPES.values():
        assert [TIERS["full"].schedule(recipe, level) for level in (0, 1)] == [recipe.dense, recipe.finetune]


def test_the_committed_corpus_is_whole():
    root = REPOSITORY / "traces"
    if not (root / "manifest.json").exists():
        pytest.skip("no committed corpus beside the tests")
    with Corpus.open(root) as corpus:
        assert [t.name for t, problem in corpus.verify() if problem] == []
        assert all(16 << 10 <= t.raw_bytes <= 1 << 20 for t in corpus.traces)
        cells = {(t.model, t.role, t.dtype, t.sparsity) for t in corpus.traces}
        assert len(cells) == 5 * 3 * 3 * len(LEVELS)
        assert tuple(corpus.models) == TIERS["standard"].models
        for info in corpus.models.values():
            assert len(info.scores) == 3 * len(LEVELS)
            assert info.checkpoints == LEVELS
