"""What tests share: a small corpus, result rows, and the command line as a user calls it."""

import os
import sys
from pathlib import Path

import ml_dtypes
import numpy as np

from tracegen.corpus import Corpus
from tracegen.corpus.writing import CorpusWriter, Identity

REPOSITORY = Path(__file__).parents[1]
PLUGINS = Path(__file__).parent / "suite" / "plugins"


def sample_traces():
    """(array, identity) of a corpus's traces: three roles, five dtypes, dense and pruned, 4 to 16 KiB."""
    rng = np.random.default_rng(7)
    weights = rng.normal(0, 0.02, (64, 64)).astype(np.float32)
    pruned = np.where(rng.random(weights.shape) < 0.8, np.float32(0), weights)
    relu = np.maximum(rng.normal(0, 1, (16, 8, 8, 4)), 0).astype(np.float16)
    return [
        (weights, {"role": "weights", "layer": "fc1"}),
        (pruned, {"role": "weights", "layer": "fc1", "sparsity": 0.8}),
        (weights.astype(ml_dtypes.bfloat16), {"role": "gradients", "layer": "fc1", "phase": "training"}),
        (relu, {"role": "activations", "layer": "relu1"}),
        ((relu * 30).astype(np.int8), {"role": "activations", "layer": "relu1"}),
        (np.arange(512, dtype=np.int64) * 1000 + (1 << 40), {"role": "updates", "layer": "counter"}),
    ]


def write_corpus(folder, name="sample", traces=None):
    with (
        CorpusWriter(folder, name=name, version="1.0", description="for tests") as corpus,
        corpus.model(
            "net",
            title="a net",
            metric="accuracy",
            higher_is_better=True,
            origin="seeded noise",
            licence="CC0",
        ) as model,
    ):
        for array, identity in traces or sample_traces():
            model.add_trace(array, Identity(**identity), attributes={"scale": 0.5})
        model.add_score(precision="float32", value=98.5)
        model.add_checkpoint(
            "s0", {"fc1.weight": sample_traces()[0][0], "fc1.bias": np.zeros(64, np.float32)}
        )
    return folder


def traces_of(folder):
    with Corpus.open(folder) as corpus:
        assert {problem for _, problem in corpus.verify()} == {None}
        return {f"{trace.role}/{trace.layer}": corpus.read(trace) for trace in corpus.traces}


def command(*arguments):
    return [sys.executable, "-m", *map(str, arguments)]


def environment():
    path = os.pathsep.join(filter(None, (str(PLUGINS), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "120"}


def trace_fields(role, precision, sparsity=0.0, **fields):
    pruning = "magnitude" if sparsity else "none"
    identity = {"model": "net", "role": role, "layer": "fc1", "dtype": precision, "precision": precision}
    identity |= {"sparsity": sparsity, "pruning": pruning, "phase": "inference", "tensor_kind": ""}
    return identity | {"split": "test", "raw_bits": 8000, "values": 250} | fields


TRACES = {
    "a": trace_fields("weights", "float32"),
    "b": trace_fields("activations", "int8", 0.9, raw_bits=800, values=100),
}


def cell(codec, trace, coded_bits, **fields):
    ok = coded_bits is not None
    return {
        "trace": trace,
        "codec": codec,
        "kind": "software",
        "lossless": True,
        "status": "ok" if ok else "failed",
        "reason": "" if ok else "out of luck",
        "bit_exact": ok or None,
        "coded_bits": coded_bits,
        "reference_bits": 1000.0,
        "encode_s": [],
        "decode_s": [],
        **TRACES.get(trace, {}),
        **fields,
    }
