"""What torch cannot show: the user's loop goes on, and a note for each layer says what is missing and why."""

import copy
import io
import pickle
import warnings

import pytest
from support import traces_of

torch = pytest.importorskip("torch")
from torch._subclasses import FakeTensorMode  # noqa: E402 - only where torch is

import tracegen  # noqa: E402
from tracegen.corpus import Corpus, CorpusError  # noqa: E402

nn = torch.nn


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.Tanh())


def functional(model, values):
    """The loss as a function of the parameters."""
    parameters = dict(model.named_parameters())

    def loss(parameters, values):
        return torch.func.functional_call(model, parameters, (values,)).square().sum()

    return parameters, loss, values


def of_parameters(transform):
    def run(model, values):
        parameters, loss, values = functional(model, values)
        return transform(loss)(parameters, values)

    return run


def per_sample(model, values):
    parameters, loss, values = functional(model, values)
    return torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, values)


TRANSFORMS = {
    "vmap": lambda model, values: torch.func.vmap(model)(values),
    "grad": of_parameters(torch.func.grad),
    "grad-of-inputs": lambda model, values: torch.func.grad(lambda x: model(x).sum())(values),
    "per-sample": per_sample,
    "vjp": lambda model, values: torch.func.vjp(model, values)[1](torch.ones(3, 4)),
    "jvp": lambda model, values: torch.func.jvp(model, (values,), (values,)),
    "jacrev": lambda model, values: torch.func.jacrev(model)(values),
    "jacfwd": lambda model, values: torch.func.jacfwd(model)(values),
    "hessian": of_parameters(torch.func.hessian),
}


def flat(results):
    return torch.utils._pytree.tree_leaves(results)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch.func itself scripts
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_function_transforms(tmp_path, transform):
    run, values = TRANSFORMS[transform], torch.randn(3, 4)
    expected = flat(run(network(), values))
    model = network()
    roles = ("weights", "activations", "gradients", "errors", "kv")
    with tracegen.capture(model, tmp_path / "mine", roles=roles, inputs=True) as recorder:
        found = [flat(run(model, values)) for _ in range(2)]
    assert all(torch.equal(a, b) for twice in found for a, b in zip(expected, twice, strict=True))
    assert {row.path for row in recorder.rows} == {"weights/0", "weights/0.bias"}
    for layer in "01":
        assert [
            note for note in recorder.notes if note.startswith(f"layer {layer} ") and "torch.func" in note
        ]
    for note in recorder.notes:
        assert not note.endswith("pass gave any")
    # A pass that can be read is the first, whatever ran before it.
    with tracegen.capture(model, tmp_path / "later", inputs=True) as recorder:
        run(model, values)
        out = model(values)
        out.sum().backward()
    traces = traces_of(tmp_path / "later")
    assert (traces["activations/1"] == out.detach().numpy()).all()
    assert (traces["activations/0.input"] == values.numpy()).all()
    assert {"errors/0", "errors/1", "gradients/0"} <= set(traces)


def test_a_backward_pass_of_many_at_once(tmp_path):
    model = network()
    values = torch.randn(3, 4, requires_grad=True)
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        out = model(values)
        torch.autograd.grad(out, values, torch.eye(12).view(12, 3, 4), is_grads_batched=True)
    assert {"activations/0", "activations/1"} <= {row.path for row in recorder.rows}
    for layer in "01":
        assert [
            note
            for note in recorder.notes
            if note.startswith(f"errors/{layer} skipped: torch cannot read it")
        ]


def test_fake_tensors(tmp_path):
    model = network()
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        with FakeTensorMode(allow_non_fake_inputs=True):
            assert model(torch.randn(3, 4)).shape == (3, 4)
        out = model(torch.ones(2, 4))
        out.sum().backward()
    traces = traces_of(tmp_path / "mine")
    assert (traces["activations/1"] == out.detach().numpy()).all()
    assert {"weights/0", "errors/0", "gradients/0"} <= set(traces)
    for layer in "01":
        assert [note for note in recorder.notes if note.startswith(f"layer {layer} ") and "fake" in note]


def test_a_model_of_fake_tensors_has_nothing_to_capture(tmp_path):
    with FakeTensorMode() as mode:
        model = network()

    def loop():
        with tracegen.capture(model, tmp_path / "mine"), mode:
            model(torch.randn(3, 4)).sum().backward()

    with pytest.raises(CorpusError, match=r"nothing was captured: .*weights/0 skipped: .*fake"):
        loop()
    assert not list((tmp_path / "mine").iterdir())


def test_meta_sparse_and_nested_tensors(tmp_path):
    class Odd(nn.Module):
        def __init__(self, make):
            super().__init__()
            self.make = make

        def forward(self, values):
            return self.make(values)

    model = nn.ModuleDict(
        {
            "meta": Odd(lambda x: x.to("meta")),
            "sparse": Odd(lambda x: x.to_sparse()),
            "nested": Odd(lambda x: torch.nested.nested_tensor([x, x[:1]])),
            "jagged": Odd(lambda x: torch.nested.nested_tensor([x, x[:1]], layout=torch.jagged)),
            "bool": Odd(lambda x: x > 0),
            "plain": Odd(lambda x: -x),
        }
    )
    with warnings.catch_warnings(), tracegen.capture(model, tmp_path / "mine") as recorder:
        warnings.simplefilter("ignore")  # nested tensors are called a prototype
        for layer in model.values():
            layer(torch.ones(2, 4, requires_grad=True))
    assert {row.path for row in recorder.rows} == {"activations/plain"}
    reasons = {"meta": "meta", "sparse": "sparse", "nested": "nested", "jagged": "nested", "bool": "bool"}
    for layer, reason in reasons.items():
        assert [n for n in recorder.notes if n.startswith(f"activations/{layer} skipped") and reason in n]


class Stubborn(torch.Tensor):
    """A tensor that will not be copied."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") == "cpu":
            raise RuntimeError("never\nat all")
        return super().__torch_function__(function, types, args, kwargs or {})


def test_whatever_torch_says_against_reading_is_noted(tmp_path):
    model = network()
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        model(torch.randn(3, 4).as_subclass(Stubborn)).sum().backward()
    assert {"weights/0", "gradients/0"} <= {row.path for row in recorder.rows}
    assert "activations/0 skipped: torch cannot read it: never" in recorder.notes


def test_a_stream_that_is_captured_as_a_graph_is_not_read(tmp_path, monkeypatch):
    model = network()
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        with monkeypatch.context() as patch:
            patch.setattr(torch.cuda, "is_initialized", lambda: True)
            patch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
            model(torch.zeros(3, 4))
        assert not recorder.rows
        model(torch.ones(3, 4))
    assert {"activations/0", "activations/1"} <= {row.path for row in recorder.rows}
    assert [note for note in recorder.notes if note.startswith("layer 1 ") and "CUDA graph" in note]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("form", ["script", "trace"])
def test_scripted_and_traced_models(tmp_path, form):
    def compiled(module):
        return torch.jit.script(module) if form == "script" else torch.jit.trace(module, torch.zeros(3, 4))

    whole = compiled(network())
    with tracegen.capture(whole, tmp_path / "whole", inputs=True) as recorder:
        whole(torch.ones(3, 4)).sum().backward()
    rows = {row.path for row in recorder.rows}
    assert rows == {f"{role}/{name}" for role in ("weights", "gradients") for name in ("0", "0.bias")}
    for layer in "01":
        assert [note for note in recorder.notes if note.startswith(f"layer {layer} ") and "torch.jit" in note]
    with Corpus.open(tmp_path / "whole") as corpus:
        assert {trace.kind for trace in corpus.traces} == {"linear"}

    part = nn.Sequential(compiled(nn.Linear(4, 4)), nn.ReLU())
    with tracegen.capture(part, tmp_path / "part") as recorder:
        part(torch.ones(3, 4)).sum().backward()
    rows = {row.path for row in recorder.rows}
    assert {"activations/1", "errors/1", "weights/0", "gradients/0"} <= rows
    assert ("activations/0" in rows) == (form == "trace"), "a traced module takes hooks"
    if form == "script":
        assert [note for note in recorder.notes if note.startswith("layer 0 ") and "torch.jit" in note]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "trace",
    [
        lambda model: torch.jit.trace(model, torch.zeros(3, 4), check_trace=False),
        torch.fx.symbolic_trace,
        lambda model: torch.export.export(model, (torch.zeros(3, 4),)).module(),
        lambda model: torch.fx.experimental.proxy_tensor.make_fx(model)(torch.zeros(3, 4)),
    ],
    ids=["jit", "fx", "export", "make_fx"],
)
def test_tracing_inside_the_block_is_no_pass(tmp_path, trace):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))
            self.layers = network()

        def forward(self, values):
            return self.layers(values) * self.scale

    model = nn.Sequential(Own())
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        traced = trace(model)
        assert not recorder.rows
        out = model(torch.ones(3, 4))
        assert torch.equal(traced(torch.ones(3, 4)), out)
    assert (traces_of(tmp_path / "mine")["activations/0"] == out.detach().numpy()).all()


@pytest.mark.filterwarnings("ignore")  # all of torch.ao is deprecated
@pytest.mark.skipif(
    torch.backends.quantized.engine == "none", reason="this torch has no engine for quantised layers"
)
def test_dynamically_quantised_layers(tmp_path):
    plain = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LSTM(4, 4))
    model = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear, nn.LSTM})
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        out, _ = model(torch.randn(2, 3, 4))
    assert {row.path for row in recorder.rows} == {
        *("activations/0", "activations/1", "activations/2.0", "activations/2.1.0", "activations/2.1.1"),
    }
    assert (traces_of(tmp_path / "mine")["activations/2.0"] == out.numpy()).all()
    for layer in "02":
        assert [n for n in recorder.notes if n.startswith(f"weights of layer {layer} ") and "packed" in n]
    assert not [note for note in recorder.notes if "_packed_params" in note or "never called" in note]


def test_lazy_layers_are_captured_once_they_are_there(tmp_path):
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyConv1d(2, 1))
    roles = ("weights", "gradients")
    for number, options in enumerate(({}, {"roles": roles})):
        lazy = copy.deepcopy(model)
        with tracegen.capture(lazy, tmp_path / str(number), **options) as recorder:
            for _ in range(2):
                lazy(torch.randn(2, 3, 5)).sum().backward()
        rows = {row.path for row in recorder.rows}
        for role in options.get("roles", (*roles, "activations", "errors")):
            assert {f"{role}/0", f"{role}/2"} <= rows
        assert recorder.notes == []
        with Corpus.open(tmp_path / str(number)) as corpus:
            assert {t.kind for t in corpus.traces} - {"relu"} == {"linear", "conv"}
    with tracegen.capture(model, tmp_path / "never") as recorder:
        model[1](torch.ones(2))
    assert {row.path for row in recorder.rows} == {"activations/1"}
    assert [n for n in recorder.notes if n.startswith("weights/0 skipped") and "not initialised" in n]


def test_layers_that_are_never_called_are_named(tmp_path):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2)
            self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(20))

        def forward(self, values):
            return self.experts[3](self.attention(values, values, values)[0])

    model = Model()
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        model(torch.randn(3, 1, 8)).sum().backward()
    (note,) = recorder.notes
    assert note.startswith("never called, so without outputs: attention.out_proj, experts.0, experts.1, ")
    assert note.endswith(" and 8 more")
    with tracegen.capture(model, tmp_path / "weights", roles=("weights",)) as recorder:
        pass
    assert recorder.notes == []
    with tracegen.capture(model, tmp_path / "list", layers=["experts", "experts.3"]) as recorder:
        model(torch.randn(3, 1, 8)).sum().backward()
    assert recorder.notes == ["layer experts skipped: a ModuleList has no forward pass"]
    with tracegen.capture(model, tmp_path / "none") as recorder:
        pass
    assert "no activations: no forward pass gave any" in recorder.notes
    assert not [note for note in recorder.notes if "never called" in note]


def test_a_model_without_parameters_says_so(tmp_path):
    model = nn.Sequential(nn.ReLU())
    with tracegen.capture(model, tmp_path / "mine", roles=["weights", "activations"]) as recorder:
        model(torch.ones(3, 4))
    assert recorder.notes == ["no weights: the layers have no parameters"]


def test_a_copy_of_the_model_is_not_captured(tmp_path):
    """As a loop makes them for a moving average, a sweep or a checkpoint of the whole module."""
    model = network()
    with tracegen.capture(model, tmp_path / "mine", inputs=True, steps=2) as recorder:
        model(torch.ones(3, 4))
        ema = torch.optim.swa_utils.AveragedModel(model)
        pickled = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
        buffer = io.BytesIO()
        torch.save(model, buffer)
        buffer.seek(0)
        saved = torch.load(buffer, weights_only=False)
        for other in (ema, pickled, saved):
            ema.update_parameters(model)
            assert torch.equal(other(torch.ones(3, 4)), model(torch.ones(3, 4)))
    names = {f"activations/{n}{what}.step{step}" for n in "01" for what in ("", ".input") for step in (1, 2)}
    assert {row.path for row in recorder.rows if row.path.startswith("activations")} == names
