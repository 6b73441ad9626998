import json
import signal
import struct
import subprocess
import sys
import time

import ml_dtypes
import numpy as np
import pytest
from support import command, environment, traces_of

torch = pytest.importorskip("torch")

from tracegen.capturing.formats.safetensors import read_header  # noqa: E402
from tracegen.capturing.hooks import CAPTURED_ROLES, Selection  # noqa: E402
from tracegen.capturing.usercode import UserCode, capture_run  # noqa: E402
from tracegen.capturing.weightfiles import Kept, capture_weights  # noqa: E402
from tracegen.corpus import CorpusError  # noqa: E402 - only where torch is
from tracegen.corpus.recording import Facts  # noqa: E402

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
def never(): open("called", "w")
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


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--roles", "", "no role '' to capture; legal are weights"),
        ("--steps", "0", "steps 0 is no whole number of at least 1"),
        ("--every", "-1", "every -1 is no whole number"),
        ("--max-bytes", "0", "max_bytes 0 is no whole number"),
        ("--sparsity", "nan", "sparsity nan is no number in [0, 1]"),
        ("--licence", "CC0\r", "licence 'CC0\\r' holds U+000D"),
        ("--origin", "\x1b[2J", "origin '\\x1b[2J' holds U+001B"),
        ("--name", "", "name '' is no legal name: it may hold letters"),
        ("--model-name", "", "model_name '' is no legal name: it may hold letters"),
        ("--model-name", "m" * 250, "has 250 characters"),
    ],
)
def test_options_are_refused_before_the_model_is_made(capturing, tmp_path, option, value, message):
    check_error(capturing("never", "floats", option, value), message)
    assert not (tmp_path / "called").exists()
    assert not (tmp_path / "mine").exists()


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
        (("plain", "floats"), ("updates",), r"'updates' needs an optimiser, .* tracegen\.capture"),
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
    check_error(call(*arguments, "net.onnx"), "'.onnx'", ".safetensors, .pt, .pth, .bin")
    check_error(call(*arguments, "gone.safetensors"), "no such file")
    check_error(call("tracegen", "capture", "--out", "mine"), "--model", "--weights", code=2)
    assert not list(tmp_path.glob("mine/*"))


@pytest.fixture
def of_weights(tmp_path):
    """`of_weights(path)` records a checkpoint and returns its notes and its traces."""

    def of_weights(path, *layers):
        kept = Kept(layers or ("*",))
        options = {"kept": kept, "facts": Facts, "dry_run": False, "report": Silent()}
        notes = capture_weights(path, tmp_path / "mine", **options).notes
        return notes, traces_of(tmp_path / "mine")

    return of_weights


@pytest.fixture
def hub_folder(tmp_path):
    """`hub_folder(shards, index)` makes a folder of safetensors; {file: names}, each tensor is WEIGHTS."""

    def hub_folder(shards, index=None):
        folder = tmp_path / "my net"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        for file, names in shards.items():
            (folder / file).write_bytes(safetensors(dict.fromkeys(names, ROW), WEIGHTS.tobytes()))
        if index is not None:
            text = index if isinstance(index, str) else json.dumps({"weight_map": index})
            (folder / "model.safetensors.index.json").write_text(text)
        return folder

    return hub_folder


def test_a_folder_with_one_file_is_named_by_the_folder(call, hub_folder, tmp_path):
    folder = hub_folder({"model.safetensors": ["tok.weight", "head.weight"]})
    (folder / "pytorch_model.bin").write_bytes(b"not read where there are safetensors")
    result = call("tracegen", "capture", "--weights", "my net", "--out", "mine")
    assert result.returncode == 0, result.stderr
    assert "head.weight shares tok.weight" in result.stderr
    assert set(traces_of(tmp_path / "mine")) == {"weights/tok"}
    assert (tmp_path / "mine" / "my_net.h5").is_file()


ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def test_a_folder_with_shards(of_weights, hub_folder):
    folder = hub_folder({ONE: ["a.weight"], TWO: ["b.weight"]}, {"a.weight": ONE, "b.weight": TWO})
    notes, traces = of_weights(folder)
    assert notes == []
    assert set(traces) == {"weights/a", "weights/b"}
    np.testing.assert_array_equal(traces["weights/b"], WEIGHTS.reshape(3, 4))


def test_a_shard_without_a_chosen_tensor_is_not_opened(of_weights, hub_folder):
    folder = hub_folder({ONE: ["a.weight"], TWO: ["b.weight"]}, {"a.weight": ONE, "b.weight": TWO})
    (folder / TWO).write_bytes(b"damaged")
    assert set(of_weights(folder, "a*")[1]) == {"weights/a"}


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"a": ONE, "b": "gone.safetensors"}, r"my net lacks gone\.safetensors, which model\.safe.* names"),
        ({"a": "g1.safetensors", "b": "g2.safetensors"}, r"lacks g1\.safetensors and 1 more"),
        ({"a": ONE, "b": ONE}, rf"{ONE} lacks the tensor 'b', which the index says is there"),
        ({"a": "../net.safetensors"}, r"shard '\.\./net\.safetensors' is no \.safetensors file's name"),
        ({"a": "/net.safetensors"}, "is no .safetensors file's name in the same folder"),
        ({"a": "..\\\\net.safetensors"}, "is no .safetensors file's name in the same folder"),
        ({"a": "C:net.safetensors"}, "is no .safetensors file's name in the same folder"),
        ({"a": "net.bin"}, "shard 'net.bin' is no .safetensors file's name"),
        ({"a": 3}, "shard '3' is no"),
        ({}, "names no tensor"),
        ("{", "is no index of shards: JSONDecodeError"),
        ("[]", "is no index of shards: TypeError"),
        ('{"weight_map": []}', "is no index of shards: AttributeError"),
        ("{}", "is no index of shards: KeyError 'weight_map'"),
        ("[" * 100_000, "is no index of shards: RecursionError"),
    ],
)
def test_bad_indexes(of_weights, hub_folder, tmp_path, index, message):
    (tmp_path / "net.safetensors").write_bytes(safetensors({"a": ROW}, WEIGHTS.tobytes()))
    with pytest.raises(CorpusError, match=message) as caught:
        of_weights(hub_folder({ONE: ["a"]}, index))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("mine/*"))


def test_a_folder_without_weights(of_weights, hub_folder):
    folder = hub_folder({})
    message = r"my net holds none of model\.safetensors\[\.index\.json\], pytorch_model\.bin\[\.index\.json\]"
    with pytest.raises(CorpusError, match=rf"{message}$"):
        of_weights(folder)
    (folder / "adapter.safetensors").write_bytes(b"")
    with pytest.raises(CorpusError, match=rf"{message}; give a file in it, such as adapter\.safetensors$"):
        of_weights(folder)


@pytest.mark.parametrize("sharded", [False, True])
def test_a_folder_of_bin_files(of_weights, tmp_path, sharded):
    weight = torch.randn(4, 4)
    files = {"pytorch_model.bin": {"a.weight": weight, "b.weight": weight}}
    if sharded:
        index = {"a.weight": "pytorch_model-1.bin", "b.weight": "pytorch_model-2.bin"}
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}))
        files = {file: {name: weight} for name, file in index.items()}
    for file, tensors in files.items():
        torch.save(tensors, tmp_path / file)
    notes, traces = of_weights(tmp_path)
    assert notes == ([] if sharded else ["b.weight shares a.weight"])
    assert set(traces) == {"weights/a", *(["weights/b"] if sharded else [])}
    np.testing.assert_array_equal(traces["weights/a"], weight.numpy())


def test_weights_by_name_through_the_command(call, tmp_path):
    """Run the command on a repository of a stand-in for the hub's library, there and not there."""
    errors = ("GatedRepoError", "HFValidationError", "LocalEntryNotFoundError", "RepositoryNotFoundError")
    package = tmp_path / "huggingface_hub"
    package.mkdir()
    (package / "errors.py").write_text("".join(f"class {name}(Exception): pass\n" for name in errors))
    (package / "__init__.py").write_text(
        "from .errors import RepositoryNotFoundError\n"
        "def snapshot_download(name, allow_patterns):\n"
        "    if name == 'some/net': return 'cache'\n"
        "    raise RepositoryNotFoundError('no')\n"
    )
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "model.safetensors").write_bytes(safetensors({"fc": ROW}, WEIGHTS.tobytes()))
    arguments = ("tracegen", "capture", "--out", "mine", "--weights")
    check_error(call(*arguments, "hf:other/net"), "hf:other/net: there is no such repository")
    assert call(*arguments, "hf:some/net").returncode == 0
    assert (tmp_path / "mine" / "net.h5").is_file()


def test_inputs_through_the_command(capturing, tmp_path):
    result = capturing("plain", "floats", "--inputs", "--roles", "activations,kv")
    assert result.returncode == 0, result.stderr
    assert "no kv: no forward pass gave any" in result.stderr
    names = {f"activations/{layer}{what}" for layer in (0, 1) for what in ("", ".input")}
    assert set(traces_of(tmp_path / "mine")) == names


class Unpicklable:
    def __reduce__(self):
        return (print, ("run",))


def test_pt_files(tmp_path):
    weight = torch.randn(4, 4)
    torch.save({"model": {"a.weight": weight, "b.weight": weight}, "step": 3}, tmp_path / "net.pt")
    options = {"facts": Facts, "dry_run": False, "report": Silent()}
    recorder = capture_weights(tmp_path / "net.pt", tmp_path / "mine", kept=Kept(("model.*",)), **options)
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
    options = {"kept": Kept(), "facts": Facts, "dry_run": False, "report": Silent()}
    with pytest.raises(CorpusError, match=r"bad\.pt holds no"):
        capture_weights(path, tmp_path / "mine", **options)
    assert "run" not in capsys.readouterr().out
    assert not list(tmp_path.glob("mine/*"))


@pytest.mark.parametrize("suffix", ["pt", "bin", "safetensors"])
def test_a_pointer_of_git_lfs_is_told_as_one(of_weights, tmp_path, suffix):
    (tmp_path / f"net.{suffix}").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n"
    )
    with pytest.raises(CorpusError, match=r"net\.\w+ is a Git LFS pointer .*git lfs pull"):
        of_weights(tmp_path / f"net.{suffix}")


@pytest.mark.parametrize(
    ("saved", "named"),
    [
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        ({"w": torch.ones(3), "step": np.float32(3)}, r"numpy\.\w+\.multiarray\.scalar"),
    ],
)
def test_what_is_no_tensor_is_named_with_the_way_out(of_weights, tmp_path, saved, named):
    torch.save(saved, tmp_path / "net.pt")
    with pytest.raises(CorpusError, match=f"it holds a {named}, .* save model.state_dict"):
        of_weights(tmp_path / "net.pt")


@pytest.mark.parametrize("name", ["nowhere", "nowhere.pt"])
def test_a_path_that_does_not_exist_is_told_as_such(of_weights, tmp_path, name):
    with pytest.raises(CorpusError, match="there is no such file or folder"):
        of_weights(tmp_path / name)
