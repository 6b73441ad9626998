import json
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from support import command, environment

from tracegen.cli import LISTED
from tracegen.corpus import Corpus

WITHOUT_TORCH = """
import runpy, sys
for name in ("torch", "sklearn", "PIL"):
    sys.modules[name] = None
sys.argv = ["tracegen", *sys.argv[1:]]
runpy.run_module("tracegen", run_name="__main__")
"""


def check_error(result, *parts, code=1):
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    for part in parts:
        assert part in result.stderr.splitlines()[-1]


def test_list(call, corpus_folder):
    result = call("tracegen", "list", "--corpus", corpus_folder)
    assert result.returncode == 0, result.stderr
    assert "net/float32-s80/weights/fc1" in result.stdout
    assert "16x8x8x4" in result.stdout
    assert "6 of 6 traces" in result.stdout


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--role", "weights"), 2),
        (("--dtype", "bf16"), 1),
        (("--dtype", "float32", "--sparsity", "0.8"), 1),
        (("--layer", "relu*"), 2),
        (("--model", "net"), 6),
        (("--role", "kv"), 0),
        (("--precision", "bfloat16"), 1),
        (("--pruning", "magnitude"), 1),
        (("--phase", "training", "--split", "test"), 1),
    ],
)
def test_list_filters(call, corpus_folder, options, count):
    result = call("tracegen", "list", "--corpus", corpus_folder, "--json", *options)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == count
    assert all(set(row) == set(LISTED) for row in rows)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("list", "--role", "weigths"), ("'weigths'", "did you mean 'weights'")),
        (("list", "--model", "nett"), ("'nett'", "did you mean 'net'")),
        (("list", "--dtype", "fp31"), ("'fp31'", "did you mean 'fp32'")),
        (("list", "--pruning", "magnitud"), ("'magnitud'", "did you mean 'magnitude'")),
        (("list", "--kind", "relu"), ("'relu'", "no trace here says its kind")),
        (("show", "net/float32-s0/weights/fc2"), ("did you mean 'net/float32-s0/weights/fc1'",)),
        (("show", "?"), ("'?'", "list")),
    ],
)
def test_unknown_names(call, corpus_folder, arguments, parts):
    check_error(call("tracegen", *arguments, "--corpus", corpus_folder), *parts)


def test_usage_errors_are_one_line(call):
    check_error(call("tracegen", "lits"), "'lits'", "list", code=2)
    check_error(call("tracegen", "list", "--sparsity", "2"), "2.0", "0<=x<=1", code=2)
    check_error(call("tracegen", "build", "--tier", "large", "--out", "x"), "'standard', 'full'", code=2)
    check_error(call("tracegen", "list"), "no corpus at traces")


def test_show(call, corpus_folder):
    result = call("tracegen", "show", "net/float32-s80/weights/fc1", "--corpus", corpus_folder)
    assert result.returncode == 0, result.stderr
    with Corpus.open(corpus_folder) as corpus:
        trace = next(t for t in corpus.traces if t.name == "net/float32-s80/weights/fc1")
        array = corpus.read(trace)
    zeros = np.count_nonzero(array == 0) / array.size
    for part in (
        "64x64 = 4,096 values",
        "16,384",
        trace.sha256,
        f"{zeros:.2%} of the values",
        f"{array.min():.6g} to {array.max():.6g}",
        "target 80%",
        "seeded noise",
        "█",
    ):
        assert part in result.stdout
    dense = call("tracegen", "show", "net/float32-s0/weights/fc1", "--corpus", corpus_folder)
    assert "98.5000 accuracy" in dense.stdout


def test_show_for_machines_and_as_a_picture(call, corpus_folder, tmp_path):
    name = "net/float32-s80/weights/fc1"
    result = call("tracegen", "show", name, "--corpus", corpus_folder, "--json", "--plot", "trace.svg")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["name"] == name
    assert name in (tmp_path / "trace.svg").read_text(encoding="utf-8")
    wrong = call("tracegen", "show", name, "--corpus", corpus_folder, "--plot", "trace.gif")
    check_error(wrong, "'.gif'", ".svg, .png, .html")


def test_verify(call, own_corpus):
    result = call("tracegen", "verify", own_corpus)
    assert result.returncode == 0
    assert "all 6 traces" in result.stdout


def test_verify_finds_a_flipped_bit(call, own_corpus):
    with h5py.File(own_corpus / "net.h5", "r+") as h5:
        dataset = h5["/traces/float32-s80/weights/fc1"]
        values = dataset[()]
        values.view(np.uint32)[3, 4] ^= 1
        dataset[...] = values
    result = call("tracegen", "verify", own_corpus)
    check_error(result, "1 of 6 traces", "wrong")
    assert "net/float32-s80/weights/fc1" in result.stderr


def test_verify_finds_a_flipped_bit_on_disk(call, own_corpus):
    with h5py.File(own_corpus / "net.h5") as h5:
        dataset = h5["/traces/float32-s0/weights/fc1"].id
        offset = dataset.get_chunk_info(0).byte_offset + dataset.get_chunk_info(0).size // 2
    content = bytearray((own_corpus / "net.h5").read_bytes())
    content[offset] ^= 4
    (own_corpus / "net.h5").write_bytes(content)
    check_error(call("tracegen", "verify", own_corpus), "1 of 6 traces")


@pytest.mark.parametrize("damage", ["truncated", "missing", "manifest"])
def test_verify_finds_damage(call, own_corpus, damage):
    path = own_corpus / "net.h5"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "missing":
        path.unlink()
    else:
        manifest = own_corpus / "manifest.json"
        text = manifest.read_text()
        manifest.write_text(text.replace('"sparsity": 0.8', '"sparsity": 0.7', 1))
    check_error(call("tracegen", "verify", own_corpus))


def test_everything_but_build_runs_without_torch(corpus_folder, tmp_path):
    np.save(tmp_path / "w.npy", np.ones((4, 4), np.float32))
    row = {"file": "w.npy", "model": "net", "role": "weights", "layer": "fc1", "dtype": "fp32"}
    (tmp_path / "index.json").write_text(json.dumps([row]))

    def call(*arguments):
        words = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
        return subprocess.run(
            words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )

    for arguments in (
        ("--help",),
        ("list", "--corpus", corpus_folder),
        ("show", "net/float32-s0/weights/fc1", "--corpus", corpus_folder),
        ("verify", corpus_folder),
        ("import", "--index", "index.json", "--out", "mine"),
    ):
        result = call(*arguments)
        assert result.returncode == 0, result.stderr
    check_error(call("build", "--out", "x"), "torch", "pip install 'squeezemark[trace]'")
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits and signals as POSIX has them")
def test_a_full_disk_publishes_nothing(tmp_path):
    import resource

    array = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    np.save(tmp_path / "w.npy", array)
    row = {"file": "w.npy", "model": "net", "role": "weights", "layer": "fc1", "dtype": "fp32"}
    (tmp_path / "index.json").write_text(json.dumps([row]))
    result = subprocess.run(
        command("tracegen", "import", "--index", "index.json", "--out", "mine"),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    check_error(result, "cannot write", "nothing was published")
    assert not list(tmp_path.glob("mine/*"))


@pytest.mark.skipif(sys.platform == "win32", reason="limits and signals as POSIX has them")
def test_ctrl_c_publishes_nothing(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    process = subprocess.Popen(
        command("tracegen", "build", "--model", "resnet20", "--retrain", "--out", "mine"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "mine" / ".partial").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == "Error: interrupted; nothing was published\n"
    assert not list(tmp_path.glob("mine/*"))
