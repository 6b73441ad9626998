"""Which modules are layers: told by the model's structure, never by what its parameters hold."""

import pytest
from support import traces_of

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tracegen.corpus import Corpus, CorpusError  # noqa: E402

nn = torch.nn


class Patches(nn.Module):
    """An embedding with a class token, as vision transformers have it."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.proj = nn.Linear(4, 8)

    def forward(self, values):
        return torch.cat([self.token.expand(len(values), -1, -1), self.proj(values)], 1)


class Gate(nn.Module):
    """A branch behind a gate, which starts closed."""

    def __init__(self, parameter):
        super().__init__()
        self.alpha = parameter
        self.inner = nn.Linear(4, 4)

    def forward(self, values):
        return values + self.inner(values)


class Mixer(nn.Module):
    """A state-space layer in small: its own decay and skip, around a convolution."""

    def __init__(self):
        super().__init__()
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, 5.0)).repeat(4, 1))
        self.D = nn.Parameter(torch.ones(4))
        self.conv1d = nn.Conv1d(4, 4, 3, padding=1, groups=4)

    def forward(self, values):
        values = self.conv1d(values.mT).mT
        return torch.cumsum(values * torch.exp(-torch.exp(self.A_log)).mean(-1), 1) + values * self.D


class Experts(nn.Module):
    """A router with weights of its own over experts, of which it calls only some."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 4))
        self.experts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, values):
        logits = values @ self.weight.T
        return self.experts[0](values), logits


class Prompts(nn.Module):
    """Parameters in a list, which has no forward pass, and no other children."""

    def __init__(self):
        super().__init__()
        self.prompts = nn.ParameterList([torch.zeros(2, 4), torch.ones(1, 4)])
        self.more = nn.ModuleList()

    def forward(self, values):
        return torch.cat([*self.prompts, values])


def captured(folder, model, *inputs, **options):
    options.setdefault("roles", ("weights", "activations"))
    with tracegen.capture(model, folder, **options) as recorder:
        model(*inputs)
    return {row.path for row in recorder.rows}


@pytest.mark.parametrize(
    ("make", "shape", "weights", "activations"),
    [
        (Patches, (2, 3, 4), ("token", "proj", "proj.bias"), ("model", "proj")),
        (Mixer, (2, 3, 4), ("A_log", "D", "conv1d", "conv1d.bias"), ("model", "conv1d")),
        (
            Experts,
            (3, 4),
            ("weight", *(f"experts.{n}{bias}" for n in "01" for bias in ("", ".bias"))),
            ("model.0", "model.1", "experts.0"),
        ),
        (Prompts, (3, 4), ("prompts.0", "prompts.1"), ("model",)),
    ],
)
def test_own_parameters_and_children(tmp_path, make, shape, weights, activations):
    rows = captured(tmp_path / "mine", make(), torch.randn(shape))
    assert rows == {
        *(f"weights/{name}" for name in weights),
        *(f"activations/{name}" for name in activations),
    }


def test_attention_with_one_matrix_for_three(tmp_path):
    attention = nn.MultiheadAttention(8, 2)
    rows = captured(tmp_path / "mine", attention, *(torch.randn(3, 1, 8),) * 3)
    assert {"activations/model.0", "activations/model.1"} <= rows
    assert {"weights/in_proj_weight", "weights/in_proj_bias", "weights/out_proj"} <= rows


@pytest.mark.parametrize("start", [0.0, 1.0, -0.0, float("nan")])
def test_a_gate_is_a_layer_whatever_its_value(tmp_path, start):
    model = nn.Sequential(Gate(nn.Parameter(torch.full((1,), start))))
    rows = captured(tmp_path / "mine", model, torch.randn(2, 4), allow_nonfinite=True)
    assert rows == {
        *("activations/0", "activations/0.inner"),
        *("weights/0.alpha", "weights/0.inner", "weights/0.inner.bias"),
    }


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        (nn.Parameter(torch.empty(1, device="meta")), "meta"),
        (nn.Parameter(torch.empty(3, device="meta")), "meta"),
        (nn.UninitializedParameter(), "not initialised"),
        (nn.Parameter(torch.empty(0)), "no values"),
        (nn.Parameter(torch.zeros(())), "no axis"),
    ],
    ids=["meta-1", "meta-3", "lazy", "empty", "scalar"],
)
def test_a_layer_is_one_whose_parameter_has_no_values(tmp_path, parameter, reason):
    model = nn.Sequential(Gate(parameter))
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        model(torch.randn(2, 4)).sum().backward()
    rows = {row.path for row in recorder.rows}
    assert {"activations/0", "errors/0", "activations/0.inner", "gradients/0.inner"} <= rows
    assert [note for note in recorder.notes if note.startswith("weights/0.alpha") and reason in note]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "norm", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
def test_a_parametrised_layer_is_one_layer(tmp_path, norm, bias):
    """What a parametrisation computes is a weight, no activation; what it stands on are weights."""
    model = nn.Sequential(norm(nn.Linear(4, 3, bias=bias)), nn.ReLU())
    originals = {name for name, _ in model.named_parameters()} - {"0.bias"}
    with tracegen.capture(model, tmp_path / "mine") as recorder:
        model(torch.randn(2, 4)).sum().backward()
    rows = {row.path for row in recorder.rows}
    assert originals
    assert rows == {
        *(f"{role}/{layer}" for role in ("activations", "errors") for layer in "01"),
        *(f"{role}/{name}" for role in ("weights", "gradients") for name in originals),
        *(f"{role}/0.bias" for role in ("weights", "gradients") if bias),
    }
    with Corpus.open(tmp_path / "mine") as corpus:
        assert {t.kind for t in corpus.traces if t.layer != "1"} == {"linear"}
    only = captured(tmp_path / "only", model, torch.randn(2, 4), layers="0", roles=("weights",))
    assert only == {row for row in rows if row.startswith("weights")}


def test_weight_norm_by_hooks(tmp_path):
    with pytest.deprecated_call():
        model = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 3)))
    rows = captured(tmp_path / "mine", model, torch.randn(2, 4))
    assert rows == {"activations/0", "weights/0.bias", "weights/0.weight_g", "weights/0.weight_v"}


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.model = nn.Linear(4, 4)

    def forward(self, values):
        return self.model(values) * self.scale


@pytest.mark.parametrize("layers", ["*", ["model", "model-itself"], ["", "model"]])
def test_the_whole_model_and_a_child_of_its_name_stand_apart(tmp_path, layers):
    model = Wrapped()
    with tracegen.capture(model, tmp_path / "mine", layers=layers, steps=2) as recorder:
        for number in (1, 2):
            model(torch.full((number, 4), 1.0)).sum().backward()
    traces = traces_of(tmp_path / "mine")
    for role in ("activations", "errors"):
        for name in ("model", "model-itself"):
            for step in (1, 2):
                assert traces[f"{role}/{name}.step{step}"].shape == (step, 4)
    assert (traces["errors/model-itself.step1"] == 1).all()
    assert not recorder.notes


def test_the_root_by_its_name(tmp_path):
    rows = captured(tmp_path / "mine", Patches(), torch.randn(2, 3, 4), layers="model")
    assert rows == {"activations/model", "weights/token"}
    with pytest.raises(CorpusError, match="no layer matches 'pro'; did you mean 'proj'"):
        tracegen.capture(Patches(), tmp_path / "other", layers="pro").__enter__()
