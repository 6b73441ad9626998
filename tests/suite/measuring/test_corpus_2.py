"""A whole run over a corpus that has all that version 2 can say."""

import csv
import re

import ml_dtypes
import numpy as np
import polars as pl
import pytest

from suite import results
from tracegen.corpus import Corpus
from tracegen.corpus.writing import CorpusWriter, Identity

pytestmark = pytest.mark.timeout(600)
CORE = (np.float32, np.float16, ml_dtypes.bfloat16, np.int8)
FACTS = {"metric": "accuracy", "higher_is_better": True, "origin": "seeded noise", "licence": "CC0"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus-2")
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 20, (32, 32))
    pruned = np.where(rng.random(weights.shape) < 0.9, 0, weights)
    relu = np.maximum(weights, 0).astype(np.float32)
    with CorpusWriter(folder, name="small", version="2", description="for tests") as writer:
        with writer.model("net", title="a net", **FACTS) as net:
            for dtype in CORE:
                net.add_trace(weights.astype(dtype), Identity(role="weights", layer="fc1"))
                net.add_trace(pruned.astype(dtype), Identity(role="weights", layer="fc1", sparsity=0.9))
            blocks = {"role": "weights", "layer": "fc1", "sparsity": 0.8, "pruning": "block4x4"}
            net.add_trace(pruned.astype(np.float32), Identity(**blocks))
            packed = rng.integers(0, 256, 512, dtype=np.uint8)
            net.add_trace(packed, Identity(role="weights", layer="fc1", precision="int4"))
            net.add_trace(weights.astype(np.float32), Identity(role="weights", layer="fc0", split="profile"))
            site = {"role": "activations", "layer": "relu1", "kind": "relu"}
            net.add_trace(relu, Identity(**site))
            net.add_trace(relu[::-1], Identity(**site, phase="training-end"))
            net.add_trace(np.abs(relu), Identity(role="activations", layer="soft1", kind="softmax"))
        with writer.model("chaos", title="untrained", **FACTS) as chaos:
            noise = rng.normal(0, 1, (32, 32)).astype(np.float32)
            chaos.add_trace(noise, Identity(role="weights", layer="fc1", split="control"))
    return folder


@pytest.fixture
def folder(call, corpus, tmp_path):
    out = tmp_path / "out"
    options = ("--codecs", "zvc,hw/zvc", "--no-timing", "--no-page")
    done = call("suite", "run", "--corpus", corpus, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    assert "lossless codecs over 13 test traces" in done.stdout
    return out


def test_the_report_answers_by_split_precision_pruning_phase_kind_and_model(folder):
    text = (folder / "leaderboard.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == [
        *("Overall", "By role", "By precision", "Same tensors, other precision"),
        *("By pruning", "Same tensors, other pruning", "By phase", "Same tensors, training or inference"),
        *("By kind of activation", "By model", "By split", "Hardware models", "Line sizes and layouts"),
        *("Gates, cycles, energy", "At other technology nodes", "Energy on each memory"),
        *("Break-even ratio", "Bandwidth of one channel"),
    ]
    assert "15 of 15 traces of corpus 'small' 2" in text
    assert "Ranked on the 13 test traces alone" in text
    assert text.count("15 / 15") == 3
    assert "chaos (control)" in text
    for suffix in ("html", "tex"):
        assert "Same tensors, other precision" in (folder / f"leaderboard.{suffix}").read_text(
            encoding="utf-8"
        )


def test_the_ratios_are_those_of_the_records(folder, corpus):
    table = results.read(folder).filter(pl.col("codec") == "zvc:block_bytes=64")
    with (folder / "leaderboard.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["codec"] == "zvc:block_bytes=64")

    def total(*conditions):
        cells = table.filter(*conditions)
        return f"{cells['raw_bits'].sum() / cells['coded_bits'].sum():.6g}"

    test = pl.col("split") == "test"
    assert row["total_ratio"] == total(test)
    assert row["split=profile"] == total(pl.col("split") == "profile")
    assert row["model=chaos"] == total(pl.col("model") == "chaos")
    assert row["precision=int4"] == total(pl.col("precision") == "int4")
    assert row["precision=float32"] == total(test, pl.col("precision") == "float32")
    assert row["tensor_kind=softmax"] == total(pl.col("tensor_kind") == "softmax")
    both = (pl.col("role") == "weights", pl.col("pruning").is_in(["none", "magnitude"]), test)
    assert row["paired precision=float32"] == total(*both, pl.col("precision") == "float32")
    in_core = pl.col("precision") != "int4"
    assert row["paired pruning=s90"] == total(*both, in_core, pl.col("sparsity") == 0.9)
    assert row["paired pruning=s0"] == total(*both, in_core, pl.col("sparsity") == 0)
    in_training = pl.col("phase") == "training-end"
    assert row["paired phase=training-end"] == total(in_training)
    assert row["paired phase=inference"] == total(pl.col("layer") == "relu1", ~in_training)
    by_name = {t.name: t for t in Corpus.open(corpus).traces}
    for cell in table.iter_rows(named=True):
        trace = by_name[cell["trace"]]
        assert cell["tensor_kind"] == trace.kind
        for name in ("precision", "pruning", "phase", "split"):
            assert cell[name] == getattr(trace, name)


def test_a_run_over_profile_traces_ranks_on_these_and_says_so(call, corpus, tmp_path):
    options = ("--codecs", "zvc", "--no-timing", "--no-page", "--select", "split=profile")
    done = call("suite", "run", "--corpus", corpus, "--out", tmp_path / "o", *options)
    assert done.returncode == 0, done.stderr
    assert "over 1 profile traces" in done.stdout
    text = (tmp_path / "o" / "leaderboard.md").read_text(encoding="utf-8")
    assert "No test trace was measured: ranked on the 1 profile traces." in text
