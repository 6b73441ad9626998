import re

import ml_dtypes
import numpy as np
import pytest

from tracegen.corpus import Corpus, variant_name
from tracegen.corpus.datacard import Variant, make_card, parse_variant, write_card
from tracegen.corpus.writing import CorpusWriter, Identity

HOW = {"net": "by hand."}
FACTS = {"title": "a net", "higher_is_better": True, "origin": "noise", "licence": "CC0"}


@pytest.fixture(scope="session")
def rich_corpus(tmp_path_factory):
    """Two models and a control, with methods, divergences, packed weights and training points."""
    folder = tmp_path_factory.mktemp("rich")
    values = np.random.default_rng(3).normal(size=(32, 16)).astype(np.float32)
    with CorpusWriter(folder, name="rich", version="2", description="for tests") as corpus:
        with corpus.model("net", metric="accuracy_percent", **FACTS) as net:
            net.add_trace(
                values, Identity(role="weights", layer="fc1", split="profile"), attributes={"full_rows": 64}
            )
            bits = np.packbits(values > 0).reshape(32, 2)
            net.add_trace(bits, Identity(role="weights", layer="fc1", precision="binary"))
            relu = np.maximum(values, 0).astype(ml_dtypes.bfloat16)
            net.add_trace(
                relu,
                Identity(role="activations", layer="relu1", kind="relu", precision="bfloat16-stochastic"),
            )
            for phase in ("training-start", "training-end"):
                net.add_trace(values, Identity(role="updates", layer="fc1", phase=phase, kind="first-moment"))
            codes = (values * 40).astype(np.int8)
            quantised = {"precision": "int8-affine", "sparsity": 0.8, "pruning": "block4x4"}
            net.add_trace(
                codes, Identity(role="weights", layer="fc1", **quantised), attributes={"zero_point": 3}
            )
            net.add_score(precision="float32", value=98.0)
            net.add_score(
                precision="binary", value=90.0, divergence={"logit_kl_bits": 0.5, "flips_percent": 9}
            )
            net.add_score(precision="float32", sparsity=0.5, value=96.1)
            net.add_score(value=95.9, **quantised)
            net.add_checkpoint("s0", {"fc1.weight": values})
        with corpus.model("text", metric="bits_per_byte", **{**FACTS, "higher_is_better": False}) as text:
            text.add_trace(values, Identity(role="kv", layer="keys"))
            text.add_score(precision="float32", value=2.0)
            text.add_score(precision="int8", value=2.03)
            text.add_score(precision="float16", value=2.05)
        with corpus.model("raw", metric="accuracy_percent", **FACTS) as raw:
            raw.add_trace(values + 1, Identity(role="weights", layer="fc1", split="control"))
            raw.add_score(precision="float32", value=10.0)
            raw.add_score(precision="int8", value=1.0)
    return folder


def section(card, heading):
    return card.split(f"\n{heading}")[1].split("\n## ")[0]


def cells(text):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:2] == "| "
    ]


def test_contents(rich_corpus):
    with Corpus.open(rich_corpus) as corpus:
        card = make_card(corpus, HOW)
    rows = {row[0]: row[1:] for row in cells(section(card, "## What is in it"))}
    assert rows["net"] == ["3 / 0.00", "1 / 0.00", "2 / 0.00", "", "6 / 0.01", "1", "5", ""]
    assert rows["raw"][-3:] == ["", "", "1"]
    for label in (
        "bfloat16-stochastic",
        "block4x4 80 %",
        "training-start",
        "first-moment",
        "dense",
        "(not said)",
    ):
        assert label in rows
    assert corpus.digest in card
    for label in ("kv", "updates", "int8-affine", "binary", "block4x4", "control", "training-end"):
        assert f"- **{label}**: " in card
    for label in ("gradients", "int4", "2of4"):
        assert f"- **{label}**: " not in card
    assert "`full_rows`" in card
    assert "- Training: by hand." in card
    assert "- Training: unknown." in card


def test_scores_and_divergences(rich_corpus):
    with Corpus.open(rich_corpus) as corpus:
        net = section(make_card(corpus, HOW), "### net: a net").split("###")[0]
    assert cells(net) == [
        ["pruned", "float32", "int8-affine", "binary"],
        ["dense", "98.000", "", "90.000"],
        ["50 %", "96.100", "", ""],
        ["block4x4 80 %", "", "95.900", ""],
        ["pruned", "binary"],
        ["dense", "0.5000"],
        ["pruned", "binary"],
        ["dense", "9.00"],
    ]


def test_where_accuracy_is_lost(rich_corpus):
    with Corpus.open(rich_corpus) as corpus:
        lost = section(make_card(corpus, HOW), "## Where accuracy is lost")
    assert cells(lost)[1:] == [
        ["net", "dense", "binary 8.0"],
        ["net", "block4x4 80 %", "int8-affine 2.1"],
        ["text", "dense", "float16 2.5 %"],
    ]
    assert "3 of 5" in lost
    assert "more than 2 points of accuracy, or more than 2 %" in lost
    assert "Not compared: raw" in lost


def test_biases_are_those_of_the_corpus(rich_corpus, corpus_folder):
    with Corpus.open(rich_corpus) as corpus:
        biases = section(make_card(corpus, HOW), "## Known biases")
    assert "hold 512 values (2 without" in biases
    assert "except ternary and binary" in biases
    assert "cut along their leading axis" in biases
    with Corpus.open(corpus_folder) as corpus:
        assert "cut along" not in section(make_card(corpus, {}), "## Known biases")


def test_a_corpus_of_version_1(rich_corpus, corpus_folder, tmp_path):
    manifest = (corpus_folder / "manifest.json").read_text()
    manifest = re.sub(r', "(precision|kind|split)": "[^"]*"', "", manifest)
    manifest = re.sub(r'\n\s+"divergences": \{\},', "", manifest).replace('"s0"\n', "0.0\n")
    (tmp_path / "manifest.json").write_text(manifest.replace('"schema_version": 2', '"schema_version": 1'))
    (tmp_path / "net.h5").write_bytes((corpus_folder / "net.h5").read_bytes())
    with Corpus.open(tmp_path) as corpus:
        assert corpus.schema_version == 1
        path = write_card(corpus, {})
    assert cells(section(path.read_text(), "### net"))[1] == ["dense", "98.500"]


@pytest.mark.parametrize(
    ("precision", "pruning", "sparsity"),
    [
        ("float32", "none", 0.0),
        ("int8-tensor-affine", "magnitude", 0.95),
        ("bfloat16-stochastic", "magnitude-oneshot", 0.9),
        ("int4", "2of4", 0.5),
        ("float8_e4m3fn", "block16x16", 0.825),
    ],
)
def test_variants_are_taken_apart(precision, pruning, sparsity):
    assert parse_variant(variant_name(precision, sparsity, pruning)) == Variant(precision, pruning, sparsity)
