import contextlib
import copy
import gc
import signal
import subprocess
import sys
import types
import weakref
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from support import REPOSITORY, environment, traces_of

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tracegen.capturing.hooks import CAPTURED_ROLES, Selection, tapped  # noqa: E402
from tracegen.corpus import Corpus, CorpusError  # noqa: E402
from tracegen.corpus._sink import Sink  # noqa: E402
from tracegen.corpus.recording import Facts, Recorder, recording  # noqa: E402

nn = torch.nn
STATM = Path("/proc/self/statm")

# As a user writes it; docs/capturing.md shows it word for word.
SCRIPT = """\
import torch
import tracegen

model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
optimiser = torch.optim.Adam(model.parameters())
with tracegen.capture(model, "mine", model_name="mlp", steps=2, every=10):
    for _ in range(20):
        inputs, targets = torch.randn(32, 64), torch.randint(10, (32,))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimiser.step()
"""


def network():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(256, 10),
    )


def batch(number=0):
    generator = torch.Generator().manual_seed(number)
    return torch.randn(6, 1, 8, 8, generator=generator), torch.arange(6)


def train(model, steps=3, optimiser=None):
    """Train; return everything that a capture could have changed."""
    torch.manual_seed(1)
    optimiser = optimiser or torch.optim.Adam(model.parameters())
    seen = []
    for step in range(steps):
        inputs, targets = batch(step)
        optimiser.zero_grad()
        outputs = model(inputs)
        nn.functional.cross_entropy(outputs, targets).backward()
        optimiser.step()
        seen += [outputs.detach(), *(p.grad.clone() for p in model.parameters())]
    return [*seen, *model.state_dict().values(), torch.random.get_rng_state()]


def hooks_of(model):
    hooks = [h for m in model.modules() for h in (*m._forward_hooks.values(), *m._forward_pre_hooks.values())]
    return hooks + [h for p in model.parameters() for h in (p._backward_hooks or {}).values()]


def test_a_script_of_ten_lines_and_a_ranking(call, tmp_path):
    assert SCRIPT in (REPOSITORY / "docs" / "capturing.md").read_text(encoding="utf-8")
    (tmp_path / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment(), check=True)
    traces = traces_of(tmp_path / "mine")
    assert {name for name in traces if name.startswith("errors")} == {
        f"errors/{layer}.step{step}" for layer in "012" for step in (1, 11)
    }
    result = call("suite", "run", "--corpus", "mine", "--no-timing", "--codecs", "zstd:level=1,zvc")
    assert result.returncode == 0, result.stderr
    assert "zvc" in result.stdout
    assert "activations" in result.stdout
    assert "<html" in next((tmp_path / "runs").glob("*/index.html")).read_text(encoding="utf-8")


def test_training_is_the_same_to_the_bit(tmp_path):
    plain, captured = network(), network()
    expected = train(plain)
    optimiser = torch.optim.Adam(captured.parameters())
    roles = (*CAPTURED_ROLES, "updates", "kv")
    with tracegen.capture(
        captured, tmp_path / "mine", roles=roles, steps=3, inputs=True, optimiser=optimiser
    ):
        found = train(captured, optimiser=optimiser)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert not hooks_of(captured)


def test_traces_are_what_torch_computes(tmp_path):
    model = network().eval()
    reference = copy.deepcopy(model)
    inputs, targets = batch()
    with tracegen.capture(model, tmp_path / "mine"):
        nn.functional.cross_entropy(model(inputs), targets).backward()
    traces = traces_of(tmp_path / "mine")
    values = [inputs]
    for layer in reference:
        values.append(layer(values[-1].clone()))  # the ReLU works in place
        values[-1].retain_grad()
    nn.functional.cross_entropy(values[-1], targets).backward()
    for number, value in enumerate(values[1:]):
        np.testing.assert_array_equal(traces[f"activations/{number}"], value.detach().numpy())
        np.testing.assert_array_equal(traces[f"errors/{number}"], value.grad.numpy())
    for role, layer, tensor in (
        ("gradients", "0", reference[0].weight.grad),
        ("gradients", "5.bias", reference[5].bias.grad),
        ("weights", "5", reference[5].weight.detach()),
    ):
        np.testing.assert_array_equal(traces[f"{role}/{layer}"], tensor.numpy())


def test_layers_roles_and_size(tmp_path):
    model = network()
    options = {"layers": ["0", "5*"], "roles": ("activations", "weights"), "max_bytes": 1024, "sparsity": 0.5}
    facts = {"model_name": "ours", "name": "lab", "origin": "the lab", "licence": "CC0-1.0"}
    with tracegen.capture(model, tmp_path / "mine", **options, **facts):
        model(batch()[0][:1])
    with Corpus.open(tmp_path / "mine") as corpus:
        found = {f"{t.role}/{t.layer}": (t.shape, t.attributes.get("full_rows")) for t in corpus.traces}
        assert {t.sparsity for t in corpus.traces} == {0.5}
        info = corpus.models["ours"]
        assert (corpus.name, info.origin, info.licence) == ("lab", "the lab", "CC0-1.0")
    assert found == {
        "activations/0": ((1, 4, 8, 8), None),
        "activations/5": ((1, 10), None),
        "weights/0": ((4, 1, 3, 3), None),
        "weights/0.bias": ((4,), None),
        "weights/5": ((1, 256), 10),
        "weights/5.bias": ((10,), None),
    }


@pytest.mark.parametrize(
    "dtype", ["float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "uint16"]
)
def test_dtypes_keep_their_bits(tmp_path, dtype):
    model = nn.Sequential(nn.Identity())
    values = torch.arange(-8, 8).reshape(4, 4).to(getattr(torch, dtype))
    with tracegen.capture(model, tmp_path / "mine"):
        model(values)
    array = traces_of(tmp_path / "mine")["activations/0"]
    assert array.dtype == np.dtype(getattr(ml_dtypes, dtype, dtype))
    assert array.tobytes() == bytes(values.view(torch.uint8).numpy())


def test_a_model_of_one_layer_and_views(tmp_path):
    model = nn.Linear(4, 3)
    with tracegen.capture(model, tmp_path / "mine", roles=("weights", "activations")):
        expected = model(torch.randn(4, 8).t()[:, :4])
    traces = traces_of(tmp_path / "mine")
    assert set(traces) == {"activations/model", "weights/weight", "weights/bias"}
    np.testing.assert_array_equal(traces["activations/model"], expected.detach().numpy())


def test_hooks_go_and_nothing_is_published_after_an_error(tmp_path):
    model = network()
    outputs = []

    def loop():
        with tracegen.capture(model, tmp_path / "mine"):
            outputs.append(model(batch()[0]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert not hooks_of(model)
    assert not list((tmp_path / "mine").iterdir())
    outputs[0].sum().backward()  # the graph outlives the block, its hooks do not
    with pytest.raises(CorpusError, match=r"no role 'weigths'.*'weights'"):
        tracegen.capture(model, tmp_path / "mine", roles=("weigths",)).__enter__()
    with pytest.raises(CorpusError, match=r"no layer matches '8\*'; legal are 0, 1, 2, 3, 4, 5"):
        tracegen.capture(model, tmp_path / "mine", layers="8*").__enter__()
    with pytest.raises(CorpusError, match=r"steps 0"):
        tracegen.capture(model, tmp_path / "mine", steps=0).__enter__()


def test_an_error_that_the_loop_swallows_still_publishes_nothing(tmp_path):
    model = nn.Sequential(nn.Identity())

    def loop():
        with tracegen.capture(model, tmp_path / "mine"):
            for _ in range(2):
                with contextlib.suppress(CorpusError):
                    model(torch.full((2, 2), torch.inf))

    with pytest.raises(CorpusError, match="activations/0: 4 of 4"):
        loop()
    assert not hooks_of(model)
    assert not list((tmp_path / "mine").iterdir())
    with tracegen.capture(model, tmp_path / "mine", allow_nonfinite=True):
        model(torch.full((2, 2), torch.inf))
    assert np.isinf(traces_of(tmp_path / "mine")["activations/0"]).all()


def test_no_captured_tensor_is_kept(tmp_path):
    model = network()
    alive = []
    model[0].register_forward_hook(lambda _module, _inputs, output: alive.append(weakref.ref(output)))
    with tracegen.capture(model, tmp_path / "mine", steps=4):
        for step in range(4):
            nn.functional.cross_entropy(model(batch(step)[0]), batch()[1]).backward()
        gc.collect()
        assert [ref() for ref in alive] == [None] * 4


@pytest.mark.skipif(not STATM.exists(), reason="how much memory there is in use is read from Linux")
def test_many_traces_take_no_more_memory_than_one(tmp_path):
    def resident_bytes():
        return int(STATM.read_text().split()[1]) * 4096

    model = nn.Sequential(*(nn.Identity() for _ in range(4)))
    values = torch.ones(256, 1024)
    with tracegen.capture(model, tmp_path / "mine", steps=20):
        model(values)
        before = resident_bytes()
        for _ in range(19):
            model(values)
        assert resident_bytes() - before < 16 << 20, "76 traces of 1 MiB passed"


def test_ctrl_c_while_hdf5_writes_is_not_lost(tmp_path, monkeypatch):
    def interrupted(sink, data):
        signal.raise_signal(signal.SIGINT)
        return len(data)

    model = nn.Sequential(nn.Identity())

    def loop():
        with tracegen.capture(model, tmp_path / "mine"):
            monkeypatch.setattr(Sink, "write", interrupted)
            model(torch.randn(64, 64))

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert not hooks_of(model)
    assert not list((tmp_path / "mine").iterdir())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_importing_the_package_imports_no_torch():
    code = "import sys, tracegen, tracegen.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def kinds_of(folder):
    with Corpus.open(folder) as corpus:
        return {f"{trace.role}/{trace.layer}": trace.kind for trace in corpus.traces}


def test_kinds(tmp_path):
    layers = [nn.Embedding(4, 4), nn.LayerNorm(4), nn.Linear(4, 4), nn.GELU(), nn.ReLU6(), nn.Softmax(-1)]
    model = nn.Sequential(*layers, nn.Conv1d(3, 3, 1), nn.LSTM(4, 4))
    with tracegen.capture(model, tmp_path / "mine", inputs=True):
        model(torch.zeros(2, 3, dtype=torch.int64))[0].sum().backward()
    kinds = kinds_of(tmp_path / "mine")
    expected = ["embedding", "norm", "linear", "gelu", "relu6", "softmax", "conv"]
    for role in ("activations", "errors"):
        assert [kinds[f"{role}/{number}"] for number in range(7)] == expected
        assert kinds[f"{role}/7.0"] == "recurrent"
    assert (kinds["weights/1.bias"], kinds["gradients/2"]) == ("norm", "linear")
    assert {kind for name, kind in kinds.items() if "input" in name} == {"input"}


class Scaled(nn.Module):
    def forward(self, values, other, scale):
        return values.mul_(scale) + other


def test_inputs_are_what_the_layer_was_given(tmp_path):
    model = nn.ModuleDict({"first": nn.ReLU(inplace=True), "second": Scaled()})
    values = torch.arange(-4.0, 4.0).reshape(2, 4)
    before = values.numpy().copy()
    with tracegen.capture(model, tmp_path / "mine", roles=("activations",), inputs=True, steps=2):
        for _ in range(3):
            out = model["first"](values.clone())
            model["second"](out.clone(), out, scale=torch.full((1,), 2.0))
    traces = traces_of(tmp_path / "mine")
    assert sorted(name for name in traces if name.endswith("step2")) == [
        *("activations/first.input.step2", "activations/first.step2", "activations/second.input.0.step2"),
        *("activations/second.input.1.step2", "activations/second.input.scale.step2"),
        "activations/second.step2",
    ]
    np.testing.assert_array_equal(traces["activations/first.input.step1"], before)
    np.testing.assert_array_equal(traces["activations/second.input.0.step2"], before.clip(0))
    assert not hooks_of(model)
    with pytest.raises(CorpusError, match="inputs are activations"):
        tracegen.capture(model, tmp_path / "other", roles=("weights",), inputs=True).__enter__()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_state_and_the_steps_of_an_optimiser(tmp_path, dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)).to(getattr(torch, dtype))
    optimiser = torch.optim.Adam(model.parameters())
    seen = []
    options = {"layers": "2", "optimiser": optimiser, "steps": 2, "every": 2, "max_bytes": 16}
    with tracegen.capture(model, tmp_path / "mine", **options):
        for _ in range(4):
            before = model[2].weight.detach().clone()
            optimiser.zero_grad()
            model(torch.ones(3, 4, dtype=getattr(torch, dtype))).sum().backward()
            optimiser.step()
            state = optimiser.state[model[2].weight]
            seen.append(
                (model[2].weight.detach() - before, state["exp_avg"].clone(), state["exp_avg_sq"].clone())
            )
    traces = {name: array for name, array in traces_of(tmp_path / "mine").items() if "updates" in name}
    names = [f"updates/2{bias}" for bias in ("", ".bias")]
    kinds = ("step", "first-moment", "second-moment")
    assert set(traces) == {
        *(f"{name}.{kind}.step{step}" for name in names for kind in kinds for step in (1, 3)),
        *(f"{name}.{kind}" for name in names for kind in kinds[1:]),
    }
    rows = 16 // (8 * before.element_size())
    for suffix, step in ((".step1", 0), (".step3", 2), ("", 3)):
        for kind, tensor in zip(kinds, seen[step], strict=True):
            if suffix or kind != "step":
                array = traces[f"updates/2.{kind}{suffix}"]
                assert array.dtype == np.dtype(getattr(ml_dtypes, dtype, dtype))
                np.testing.assert_array_equal(
                    array.astype(np.float32), tensor[: max(1, rows)].float().numpy()
                )
    with Corpus.open(tmp_path / "mine") as corpus:
        found = {t.layer: t for t in corpus.traces if t.role == "updates"}
    assert {t.phase for t in found.values()} == {"training"}
    assert found["2.step.step1"].kind == "step"
    assert found["2.step.step1"].attributes["full_rows"] == 4
    assert not optimiser._optimizer_step_pre_hooks
    assert not optimiser._optimizer_step_post_hooks


def test_updates_of_momentum_alone_and_bad_optimisers(tmp_path):
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    optimiser = torch.optim.SGD(model.parameters(), momentum=0.9)
    with tracegen.capture(model, tmp_path / "mine", optimiser=optimiser, roles=("updates",)):
        for _ in range(2):
            model(torch.ones(1, 2)).sum().backward()
            optimiser.step()
    assert kinds_of(tmp_path / "mine") == {"updates/0.step": "step", "updates/0.momentum": "momentum"}
    for wrong in ({}, {"optimiser": model}):
        with pytest.raises(CorpusError, match="'updates' needs optimiser="):
            tracegen.capture(model, tmp_path / "other", roles=("updates",), **wrong).__enter__()
    with tracegen.capture(model, tmp_path / "other", optimiser=optimiser) as recorder:
        model(torch.ones(1, 2)).sum().backward()
        optimiser.state.clear()
    assert "no updates: no optimiser's step gave any" in recorder.notes
    assert not optimiser.state, "looking for state makes none"


def caches(pairs):
    """Make the same cache as transformers does in its three ways, and as the output of a model of each."""
    layers = [types.SimpleNamespace(keys=keys, values=values) for keys, values in pairs]
    lists = types.SimpleNamespace(key_cache=[k for k, _ in pairs], value_cache=[v for _, v in pairs])
    return {
        "layers": types.SimpleNamespace(layers=[*layers, types.SimpleNamespace(keys=None, values=None)]),
        "lists": lists,
        "mapping": {"logits": torch.ones(1), "past_key_values": tuple(pairs)},
        "attribute": types.SimpleNamespace(past_key_values=lists),
    }


@pytest.mark.parametrize("form", ["layers", "lists", "mapping", "attribute"])
def test_keys_and_values(tmp_path, form):
    pairs = [(torch.full((1, 2, 3), float(n)), torch.full((1, 2, 3), n + 0.5)) for n in range(2)]

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Identity()

        def forward(self, values):
            self.layer(values)
            return caches(pairs)[form]

    model = Model()
    with tracegen.capture(model, tmp_path / "mine", roles=("kv",), steps=2, every=2):
        for _ in range(3):
            model(torch.ones(2, 2))
    traces = traces_of(tmp_path / "mine")
    names = {
        f"{layer}.{kind}.step{step}" for layer in (0, 1) for kind in ("keys", "values") for step in (1, 3)
    }
    assert set(traces) == {f"kv/{name}" for name in names}
    np.testing.assert_array_equal(traces["kv/1.values.step3"], pairs[1][1].numpy())
    assert kinds_of(tmp_path / "mine")["kv/0.keys.step1"] == "keys"
    assert not hooks_of(model)


def test_a_recorder_alone_makes_names_unique(tmp_path):
    with recording(tmp_path / "mine", Facts("net"), dry_run=True) as recorder:
        model = nn.Sequential(nn.Sequential(nn.Identity()))
        with tapped(model, recorder, Selection(layers=("0", "0.0"), roles=("activations",))):
            model[0].register_forward_hook(lambda _module, _inputs, output: (output,), prepend=True)
            model(torch.ones(2, 2))
    assert [row.path for row in recorder.rows] == ["activations/0.0", "activations/0.0-2"]
    assert isinstance(recorder, Recorder)
