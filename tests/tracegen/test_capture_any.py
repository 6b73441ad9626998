import contextlib
import copy
import gc
import json
import signal
import struct
import subprocess
import sys
import time
import weakref
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from support import REPOSITORY, command, environment

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tracegen.corpus import Corpus, CorpusError  # noqa: E402
from tracegen.hooking import CAPTURED_ROLES, Selection, tapped  # noqa: E402
from tracegen.recording import Facts, Recorder, recording  # noqa: E402
from tracegen.usercode import UserCode, capture_run  # noqa: E402
from tracegen.weightfiles import capture_file, read_header  # noqa: E402
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

MODULE = """
import time
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.lstm = nn.LSTM(8, 8)
        self.head = nn.Linear(8, 10, bias=False)
        self.head.weight = self.embed.weight
        self.shape = Shape()
        self.many = Many()
    def forward(self, tokens, scale=1.0):
        values, _ = self.lstm(self.embed(tokens))
        self.shape(values)
        return self.many(self.head(values) * scale)

class Shape(nn.Module):
    def forward(self, values):
        return tuple(values.shape)

class Many(nn.Module):
    def forward(self, values):
        numbers = {"best": values.argmax(-1), "half": values.half(), "bf 16": values.bfloat16()}
        return {**numbers, "mask": values > 0, "sum": values.sum(), "none": None}

class Slow(nn.Sequential):
    def forward(self, values):
        print("passing", flush=True)
        time.sleep(60)

def odd(): return Odd()
def plain(): return nn.Sequential(nn.Linear(64, 64), nn.ReLU())
def large(): return nn.Sequential(nn.Linear(64, 4096))
def slow(): return Slow(nn.Linear(64, 64))
def nothing(): return 3
def tokens(): return [{"tokens": torch.arange(6).reshape(3, 2), "scale": 2.0}]
def floats(): return (torch.randn(4, 64) for _ in range(2))
def nans(): return [torch.full((4, 64), float("nan"))]
def wrong(): return [torch.randn(4, 63)]
def no_batches(): return []
def pairs(): return [(torch.randn(4, 64), None)]
def first(outputs, targets): return outputs[0]
def mean(outputs, targets): return outputs.mean()
"""


@pytest.fixture
def capturing(call, tmp_path):
    """`capturing("plain", "floats")` runs the command on functions of the module `own`."""
    (tmp_path / "own.py").write_text(MODULE)

    def capturing(model, data, *options):
        pair = ("--model", f"own:{model}", "--data", f"own:{data}")
        return call("tracegen", "capture", *pair, "--out", "mine", *options)

    return capturing


def check_error(result, *parts, code=1):
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    for part in parts:
        assert part in result.stderr.splitlines()[-1]


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


def traces_of(folder):
    with Corpus.open(folder) as corpus:
        assert {problem for _, problem in corpus.verify()} == {None}
        return {f"{trace.role}/{trace.layer}": corpus.read(trace) for trace in corpus.traces}


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


def test_odd_outputs_and_shared_weights(capturing, tmp_path):
    result = capturing("odd", "tokens")
    assert result.returncode == 0, result.stderr
    for note in (
        "layer shape skipped: its output is of type tuple, no tensor",
        "activations/many.mask skipped: bool",
        "activations/many.sum skipped: shape ()",
        "head.weight shares embed.weight",
    ):
        assert note in result.stderr
    traces = traces_of(tmp_path / "mine")
    assert {name for name in traces if name.startswith("activations")} == {
        *("activations/embed", "activations/head", "activations/lstm.0", "activations/lstm.1.0"),
        *("activations/lstm.1.1", "activations/many.best", "activations/many.half", "activations/many.bf_16"),
    }
    assert traces["activations/many.best"].dtype == np.int64
    assert "weights/head" not in traces


def test_dry_run_and_a_folder_that_holds_a_corpus(call, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(safetensors({"fc.weight": ROW}, WEIGHTS.tobytes()))
    arguments = ("tracegen", "capture", "--weights", "net.safetensors", "--out", "mine")
    result = call(*arguments, "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "weights/fc  float32  3x4  48 bytes" in result.stdout
    assert "1 traces, 0.0 MiB raw; a dry run, nothing was written" in result.stdout
    assert not (tmp_path / "mine").exists()
    assert call(*arguments).returncode == 0
    before = (tmp_path / "mine" / "manifest.json").read_bytes()
    for options in ((), ("--dry-run",)):
        check_error(call(*arguments, *options), "holds a corpus already", "--out")
    assert (tmp_path / "mine" / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("plain", "wrong"), ("the model, batch 1, raised RuntimeError: mat1 and mat2",)),
        (("plain", "nans"), ("activations/0: 256 of 256 values are NaN", "--allow-nonfinite")),
    ],
)
def test_bad_input(capturing, tmp_path, arguments, parts):
    check_error(capturing(*arguments), *parts)
    assert not list(tmp_path.glob("mine/*"))


class Silent:
    def start(self, what, steps):
        pass

    def step(self):
        pass

    def note(self, text):
        pass


@pytest.fixture
def running(tmp_path, monkeypatch):
    """`running(("plain", "floats"), roles)` is the command in this process."""
    (tmp_path / "own.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)

    def running(code, *roles, dry_run=False):
        return capture_run(
            UserCode(*(spec if ":" in spec else f"own:{spec}" for spec in code)),
            tmp_path / "mine",
            selection=Selection(roles=roles, steps=3),
            facts=Facts,
            dry_run=dry_run,
            report=Silent(),
        )

    return running


def test_a_dry_run_says_what_a_run_writes(running, tmp_path):
    code = ("plain", "pairs", "mean")
    dry = running(code, *CAPTURED_ROLES, dry_run=True)
    assert not (tmp_path / "mine").exists()
    recorder = running(code, *CAPTURED_ROLES)
    assert dry.rows == recorder.rows
    assert recorder.notes == ["own:pairs gave 1 of 3 batches"]
    assert set(traces_of(tmp_path / "mine")) == {row.path for row in dry.rows}
    assert {row.path.split("/")[0] for row in dry.rows} == set(CAPTURED_ROLES)


@pytest.mark.parametrize(
    ("code", "roles", "message"),
    [
        (("plain", "flaots"), (), "no function 'flaots' in own; did you mean 'floats'"),
        (("plain", "no_batches"), (), "own:no_batches gave no batch"),
        (("nothing", "floats"), (), "own:nothing returned int, no torch.nn.Module"),
        (("plain", "nothing"), (), "own:nothing raised TypeError: 'int' object is not iterable"),
        (("plain", "floats"), ("errors",), "role 'errors' needs a backward pass: give --loss"),
        (("plain", "floats", "nothing"), (), "batch 1 is no .inputs, targets., which --loss needs: Tensor"),
        (("plain", "pairs", "first"), (), "the loss of batch 1 is no scalar tensor with a gradient"),
        (("plain", "pairs", "nothing"), (), "the loss, batch 1, raised TypeError"),
        (("gone.module:make", "floats"), (), "importing gone.module raised ModuleNotFoundError"),
        (("broken:make", "floats"), (), "importing broken raised SyntaxError"),
        (("leaving:make", "floats"), (), "importing leaving ended the program with 3"),
        ((":make", "floats"), (), "--model ':make' must be package.module:function"),
    ],
)
def test_bad_code_of_the_user(running, tmp_path, code, roles, message):
    (tmp_path / "broken.py").write_text("def make(:")
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)")
    with pytest.raises(CorpusError, match=message):
        running(code, *roles or ("weights",))
    assert not list(tmp_path.glob("mine/*"))


@pytest.mark.skipif(sys.platform == "win32", reason="limits and signals as POSIX has them")
def test_a_full_disk_publishes_nothing(capturing, tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        result = capturing("large", "floats", "--roles", "activations")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    check_error(result, "cannot write", "nothing was published")
    assert not list(tmp_path.glob("mine/*"))


@pytest.mark.skipif(sys.platform == "win32", reason="limits and signals as POSIX has them")
def test_ctrl_c_publishes_nothing(capturing, tmp_path):
    arguments = ("--model", "own:slow", "--data", "own:floats", "--out", "mine")
    process = subprocess.Popen(
        command("tracegen", "capture", *arguments),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "passing\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == "Error: interrupted; nothing was published\n"
    assert not list(tmp_path.glob("mine/*"))


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


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


WEIGHTS = np.arange(12, dtype=np.float32)
ROW = {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}


def test_safetensors(call, tmp_path):
    header = {
        "__metadata__": {"format": "pt"},
        "fc.weight": ROW,
        "fc.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [48, 52]},
        "mask": {"dtype": "BOOL", "shape": [4], "data_offsets": [52, 56]},
    }
    (tmp_path / "net.safetensors").write_bytes(
        safetensors(header, WEIGHTS.tobytes() + b"\x80\x3f" * 2 + bytes(4))
    )
    arguments = ("capture", "--weights", "net.safetensors", "--out", "mine", "--max-bytes", "32")
    result = call("tracegen", *arguments)
    assert result.returncode == 0, result.stderr
    assert "weights/mask skipped: BOOL" in result.stderr
    traces = traces_of(tmp_path / "mine")
    np.testing.assert_array_equal(traces["weights/fc"], WEIGHTS.reshape(3, 4)[:2])
    np.testing.assert_array_equal(traces["weights/fc.bias"], np.ones(2, ml_dtypes.bfloat16))


BAD_FILES = {
    "empty": b"",
    "no JSON": safetensors(b"{"),
    "no object": safetensors([1]),
    "deep": safetensors(b"[" * 100_000),
    "header past the end": struct.pack("<Q", 1 << 62) + b"{}",
    "no tensors": safetensors({}),
    "truncated": safetensors({"w": ROW}, bytes(47)),
    "shape of another size": safetensors({"w": {**ROW, "shape": [1 << 40, 4]}}, bytes(48)),
    "negative shape": safetensors({"w": {**ROW, "shape": [-3, -4]}}, bytes(48)),
    "shape of strings": safetensors({"w": {**ROW, "shape": ["3", 4]}}, bytes(48)),
    "offsets missing": safetensors({"w": {"dtype": "F32", "shape": [1]}}, bytes(48)),
    "offsets backwards": safetensors({"w": {**ROW, "data_offsets": [48, 0]}}, bytes(48)),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_damaged_safetensors(tmp_path, case):
    path = tmp_path / "net.safetensors"
    path.write_bytes(BAD_FILES[case])
    with path.open("rb") as file, pytest.raises(CorpusError, match=r"net\.safetensors"):
        read_header(file, path)


def test_bad_weights_through_the_command(call, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(BAD_FILES["truncated"])
    arguments = ("tracegen", "capture", "--out", "mine", "--weights")
    check_error(call(*arguments, "net.safetensors"), "net.safetensors", "damaged", "47 bytes")
    (tmp_path / "whole.safetensors").write_bytes(safetensors({"fc": ROW}, WEIGHTS.tobytes()))
    result = call(*arguments, "whole.safetensors", "--layers", "o*")
    check_error(result, "no layer matches 'o*'; legal are fc")
    check_error(call(*arguments, "net.onnx"), "'.onnx'", ".safetensors, .pt, .pth")
    check_error(call(*arguments, "gone.safetensors"), "no such file")
    check_error(call("tracegen", "capture", "--out", "mine"), "--model", "--weights", code=2)
    assert not list(tmp_path.glob("mine/*"))


class Unpicklable:
    def __reduce__(self):
        return (print, ("run",))


def test_pt_files(tmp_path):
    weight = torch.randn(4, 4)
    torch.save({"model": {"a.weight": weight, "b.weight": weight}, "step": 3}, tmp_path / "net.pt")
    options = {"facts": Facts, "dry_run": False, "report": Silent()}
    recorder = capture_file(tmp_path / "net.pt", tmp_path / "mine", layers=("model.*",), **options)
    assert recorder.notes == ["model.b.weight shares model.a.weight"]
    np.testing.assert_array_equal(traces_of(tmp_path / "mine")["weights/model.a"], weight.numpy())


@pytest.mark.parametrize("damage", ["pickle", "noise", "truncated", "no tensor"])
def test_bad_pt_files(tmp_path, capsys, damage):
    path = tmp_path / "bad.pt"
    torch.save({"pickle": Unpicklable(), "no tensor": {"step": 3}}.get(damage, torch.ones(999)), path)
    if damage == "noise":
        path.write_bytes(b"noise")
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    options = {"layers": ("*",), "facts": Facts, "dry_run": False, "report": Silent()}
    with pytest.raises(CorpusError, match=r"bad\.pt holds no"):
        capture_file(path, tmp_path / "mine", **options)
    assert "run" not in capsys.readouterr().out
    assert not list(tmp_path.glob("mine/*"))


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
