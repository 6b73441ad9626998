import contextlib
import copy
import gc
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from support import REPOSITORY, environment, traces_of

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tracegen.corpus import Corpus, CorpusError  # noqa: E402
from tracegen.hooking import Selection, tapped  # noqa: E402
from tracegen.recording import Facts, Recorder, recording  # noqa: E402
from tracegen.writing import _Sink  # noqa: E402

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


def train(model, steps=3):
    """Train; return everything that a capture could have changed."""
    torch.manual_seed(1)
    optimiser = torch.optim.Adam(model.parameters())
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


def test_training_is_the_same_to_the_bit(tmp_path):
    plain, captured = network(), network()
    expected = train(plain)
    with tracegen.capture(captured, tmp_path / "mine", steps=3):
        found = train(captured)
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
            monkeypatch.setattr(_Sink, "write", interrupted)
            model(torch.randn(64, 64))

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert not hooks_of(model)
    assert not list((tmp_path / "mine").iterdir())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_importing_the_package_imports_no_torch():
    code = "import sys, tracegen, tracegen.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_recorder_alone_makes_names_unique(tmp_path):
    with recording(tmp_path / "mine", Facts("net"), dry_run=True) as recorder:
        model = nn.Sequential(nn.Sequential(nn.Identity()))
        with tapped(model, recorder, Selection(layers=("0", "0.0"), roles=("activations",))):
            model[0].register_forward_hook(lambda _module, _inputs, output: (output,), prepend=True)
            model(torch.ones(2, 2))
    assert [row.path for row in recorder.rows] == ["activations/0.0", "activations/0.0-2"]
    assert isinstance(recorder, Recorder)
