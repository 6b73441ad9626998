"""torch.compile: hooks stand outside the compiler, whose graphs and results stay as they are."""

import shutil

import pytest

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tracegen.corpus import Corpus  # noqa: E402

nn = torch.nn
pytestmark = pytest.mark.filterwarnings("ignore")  # the compiler's, about itself
ROLES = ("weights", "activations", "gradients", "errors", "kv")
COMPILER = next(filter(shutil.which, ("c++", "g++", "clang++")), None)


class Runs:
    """A backend that counts how often what it compiled runs."""

    def __init__(self):
        self.count = 0

    def __call__(self, graph, inputs):
        def run(*arguments):
            self.count += 1
            return graph(*arguments)

        return run


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.scale = nn.Parameter(torch.full((8,), 0.5))
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 4))

    def forward(self, values):
        return self.layers(values * self.scale)


def compiled(model, how, **options):
    """The model compiled in one of the ways there are: what to capture, and what to call."""
    if how == "module":
        whole = torch.compile(model, **options)
        return whole, whole
    if how == "function":
        return model, torch.compile(lambda values: model(values), **options)
    if how == "in place":
        model.compile(**options)
        return model, model
    for piece in (0, 3):  # as large models are
        model.layers[piece] = torch.compile(model.layers[piece], **options)
    return model, model


def trained(call, model):
    torch.manual_seed(1)
    results = []
    for _ in range(2):
        out = call(torch.randn(3, 8))
        out.square().sum().backward()
        results.append(out.detach())
    return [*results, *(parameter.grad for parameter in model.parameters())]


def identities(folder):
    with Corpus.open(folder) as corpus:
        assert set(corpus.models) == {"model"}, "of the plain class"
        return {f"{trace.role}/{trace.layer}": (trace.sha256, trace.kind) for trace in corpus.traces}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "mine"
    model = Model()
    with tracegen.capture(model, folder, steps=2, inputs=True, roles=ROLES):
        results = trained(model, model)
    return identities(folder), results


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("fullgraph", [False, True], ids=["default", "fullgraph"])
@pytest.mark.parametrize("how", ["module", "function", "in place", "regional"])
def test_a_compiled_model_is_captured_as_if_it_were_not(tmp_path, expected, how, fullgraph, is_warm):
    backend = Runs()
    model, call = compiled(Model(), how, backend=backend, fullgraph=fullgraph)
    if is_warm:
        call(torch.zeros(3, 8))
        assert backend.count
    before = backend.count
    options = {"steps": 2, "inputs": True, "roles": ROLES}
    with tracegen.capture(model, tmp_path / "mine", **options) as recorder:
        found = trained(call, model)
    assert identities(tmp_path / "mine") == expected[0], "names, too, are those of the plain model"
    assert all(torch.equal(a, b) for a, b in zip(found, expected[1], strict=True))
    assert backend.count == before
    is_known = how != "function"
    assert is_known == any("ran uncompiled in the block" in note for note in recorder.notes)
    values = torch.randn(3, 8)
    assert torch.equal(call(values), Model()(values)), "the compiler is back, without our hooks"
    assert backend.count > before


@pytest.mark.skipif(COMPILER is None, reason="inductor needs a C++ compiler")
@pytest.mark.parametrize("fullgraph", [False, True], ids=["default", "fullgraph"])
def test_inductor(tmp_path, expected, fullgraph):
    reference = Model()
    plain = trained(torch.compile(reference, fullgraph=fullgraph), reference)
    model = Model()
    call = torch.compile(model, fullgraph=fullgraph)
    with tracegen.capture(model, tmp_path / "mine", steps=2, inputs=True, roles=ROLES):
        found = trained(call, model)
    assert identities(tmp_path / "mine") == expected[0]
    for a, b in zip(found, plain, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("fullgraph", [False, True], ids=["default", "fullgraph"])
def test_what_needs_no_layer_runs_compiled(tmp_path, expected, fullgraph):
    backend = Runs()
    model = Model()
    call = torch.compile(model, backend=backend, fullgraph=fullgraph)
    with tracegen.capture(model, tmp_path / "mine", steps=2, roles=("weights", "gradients")) as recorder:
        found = trained(call, model)
    assert backend.count == 2
    assert all(torch.equal(a, b) for a, b in zip(found, expected[1], strict=True))
    plain = {name: row for name, row in expected[0].items() if name.startswith(("weights", "gradients"))}
    assert identities(tmp_path / "mine") == plain
    assert not recorder.notes


@pytest.mark.parametrize("fullgraph", [False, True], ids=["default", "fullgraph"])
def test_a_loop_that_insists_on_compiling(tmp_path, fullgraph):
    """The compiler sees hooks that do nothing; that no layer was seen is said."""
    backend = Runs()
    model = Model()
    call = torch.compile(model, backend=backend, fullgraph=fullgraph)
    values = torch.randn(3, 8)
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        with torch.compiler.set_stance("default"):
            assert torch.equal(call(values), Model()(values))
        assert backend.count == 1
        recorded = set(recorder.rows)
    assert not recorded
    assert "no activations: no forward pass gave any" in recorder.notes
    with tracegen.capture(model, tmp_path / "again"):
        call(values)
    assert "activations/layers.1" in identities(tmp_path / "again")
