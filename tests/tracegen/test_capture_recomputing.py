"""Activation checkpointing: a corpus is the same with and without, for recomputing is no pass of its own."""

import gc
import weakref

import pytest
from support import traces_of

torch = pytest.importorskip("torch")
from torch.utils.checkpoint import (  # noqa: E402 - only where torch is
    CheckpointPolicy,
    checkpoint,
    checkpoint_sequential,
    create_selective_checkpoint_contexts,
)

import tracegen  # noqa: E402
from tracegen.corpus import Corpus  # noqa: E402

nn = torch.nn
# What torch says of a checkpoint in the first run of another.
pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")


def recomputed(reentrant, function, values, **options):
    """The checkpointed function of the values; None: without a checkpoint."""
    if reentrant is None:
        return function(values)
    return checkpoint(function, values, use_reentrant=reentrant, **options)


class Block(nn.Module):
    """Two checkpoints, perhaps one in another, with dropout and a norm that counts its batches."""

    def __init__(self, outer, inner=None):
        super().__init__()
        self.modes = outer, inner
        self.first = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Dropout(0.5))
        self.norm = nn.LayerNorm(4)
        self.second = nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, values):
        outer, inner = self.modes
        values = recomputed(outer, lambda x: self.norm(recomputed(inner, self.first, x)), values)
        return recomputed(outer, lambda x: recomputed(inner, lambda y: self.second(y) + y, x), values)


class Shared(nn.Module):
    """One layer in two checkpoints, once in the first and twice in the second; each use is a pass."""

    def __init__(self, mode):
        super().__init__()
        self.mode = mode
        self.layer = nn.Linear(4, 4, bias=False)
        self.act = nn.Tanh()

    def forward(self, values):
        values = recomputed(self.mode, lambda x: self.act(self.layer(x)), values)
        return recomputed(self.mode, lambda x: self.act(self.layer(self.act(self.layer(x)))), values)


class Segments(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.mode = mode
        self.layers = nn.Sequential(*(layer for _ in range(3) for layer in (nn.Linear(4, 4), nn.Tanh())))

    def forward(self, values):
        if self.mode is None:
            return self.layers(values)
        return checkpoint_sequential(self.layers, 3, values, use_reentrant=self.mode)


def batch(number):
    generator = torch.Generator().manual_seed(number)
    return torch.randn(3, 4, generator=generator).requires_grad_()


def corpus_of(folder, make, mode, *, micro=1, loops=4, **options):
    """A few steps of training, each of `micro` forward passes and then one backward pass, captured."""
    torch.manual_seed(0)
    model = make(mode) if not isinstance(mode, tuple) else make(*mode)
    torch.manual_seed(1)
    grads = []
    with tracegen.capture(model, folder, **options) as recorder:
        for step in range(loops):
            model.zero_grad()
            torch.stack(
                [model(batch(step * micro + n)).square().sum() for n in range(micro)]
            ).sum().backward()
            grads += [parameter.grad.clone() for parameter in model.parameters()]
    with Corpus.open(folder) as corpus:
        identity = {f"{t.role}/{t.layer}": (t.sha256, t.phase, t.kind, t.shape) for t in corpus.traces}
    return identity, grads, recorder.notes


@pytest.mark.parametrize("options", [{}, {"steps": 2, "every": 2, "inputs": True}], ids=["default", "steps"])
@pytest.mark.parametrize(
    ("make", "mode"),
    [
        *((Block, (mode, None)) for mode in (True, False)),
        *((Block, (outer, inner)) for outer in (True, False) for inner in (True, False)),
        *((Segments, mode) for mode in (True, False)),
    ],
)
def test_a_corpus_with_checkpoints_is_that_without(tmp_path, make, mode, options):
    without = (None, None) if make is Block else None
    expected = corpus_of(tmp_path / "without", make, without, **options)
    found = corpus_of(tmp_path / "with", make, mode, **options)
    assert found[0] == expected[0]
    assert all(torch.equal(a, b) for a, b in zip(found[1], expected[1], strict=True))
    assert found[2] == expected[2] == []


@pytest.mark.parametrize("micro", [1, 2])
@pytest.mark.parametrize("mode", [True, False])
def test_each_use_of_a_shared_layer_keeps_its_own_error(tmp_path, mode, micro):
    """Checkpoints are recomputed in the backward order, the layers of each in the forward order."""
    options = {"steps": 4, "every": 2, "micro": micro, "roles": ("activations", "errors")}
    expected, _, _ = corpus_of(tmp_path / "without", Shared, None, **options)
    found, _, _ = corpus_of(tmp_path / "with", Shared, mode, **options)
    assert found == expected
    assert {f"errors/layer.step{step}" for step in (1, 3, 5, 7)} <= set(found)


@pytest.mark.parametrize("roles", [("gradients",), ("activations", "gradients")])
def test_gradients_that_come_in_parts_are_one_pass(tmp_path, roles):
    """A reentrant checkpoint passes its own part backward: torch adds the parts in `.grad` alone."""
    options = {"steps": 2, "every": 2, "roles": roles}
    expected, _, notes = corpus_of(tmp_path / "without", Shared, None, **options)
    found, _, parts = corpus_of(tmp_path / "with", Shared, True, **options)
    assert not notes
    assert set(found) == set(expected)
    assert parts == [
        f"gradients/layer.step{step} is a part: each of the layer's checkpoints gives its own, "
        "of which the first is captured"
        for step in (1, 3)
    ]
    torch.manual_seed(0)
    model = Shared(None)
    middle = model.act(model.layer(batch(0)))
    use = model.act(model.layer(model.act(model.layer(middle.detach()))))
    (part,) = torch.autograd.grad(use.square().sum(), model.layer.weight)
    assert (traces_of(tmp_path / "with")["gradients/layer.step1"] == part.numpy()).all()


def test_a_checkpoint_that_saves_what_it_is_told_to(tmp_path):
    """Reading what passes by is no operation of the user's: it would be saved and be missing later."""

    def contexts():
        return create_selective_checkpoint_contexts(lambda *_, **__: CheckpointPolicy.MUST_SAVE)

    class Model(nn.Module):
        def __init__(self, policy):
            super().__init__()
            self.policy = policy
            self.layers = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Sigmoid())

        def forward(self, values):
            options = {"context_fn": contexts} if self.policy else {}
            return recomputed(False if self.policy else None, self.layers, values, **options)

    options = {"steps": 2, "every": 2, "inputs": True}
    expected = corpus_of(tmp_path / "without", Model, False, **options)
    found = corpus_of(tmp_path / "with", Model, True, **options)
    assert found[0] == expected[0]
    assert all(torch.equal(a, b) for a, b in zip(found[1], expected[1], strict=True))


def test_validation_between_counts_and_waits_for_nothing(tmp_path):
    model = Block(True, None)
    with tracegen.capture(model, tmp_path / "mine", steps=2) as recorder:
        with torch.no_grad():
            model.eval()(batch(0))
        model.train()(batch(1)).sum().backward()
    rows = {row.path for row in recorder.rows}
    assert {"activations/norm.step1", "activations/norm.step2", "errors/norm.step2"} <= rows
    assert "errors/norm.step1" not in rows
    with Corpus.open(tmp_path / "mine") as corpus:
        phases = {t.layer: t.phase for t in corpus.traces if t.role == "activations"}
    assert (phases["norm.step1"], phases["norm.step2"]) == ("inference", "training")


def test_no_context_of_a_checkpoint_is_kept(tmp_path):
    model = Block(True, True)
    kept = []
    with tracegen.capture(model, tmp_path / "mine", steps=4):
        for step in range(3):
            out = model(batch(step))
            kept.append(weakref.ref(out.grad_fn))
            if step:
                out.sum().backward()
            del out
        gc.collect()
        assert [ref() for ref in kept] == [None] * 3


class Doubled(torch.autograd.Function):
    """A function of the user's that calls a layer and never again: not a checkpoint."""

    @staticmethod
    def forward(ctx, values, layer):
        return layer(values) * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2, None


def test_a_function_that_recomputes_nothing(tmp_path):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Tanh()
            self.head = nn.Linear(4, 2)

        def forward(self, values):
            return self.head(Doubled.apply(values, self.layer))

    model = Model()
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        for step in range(2):
            model(batch(step)).sum().backward()
    assert {row.path for row in recorder.rows} >= {"activations/layer", "activations/head", "errors/head"}
    assert "errors/layer" not in {row.path for row in recorder.rows}
