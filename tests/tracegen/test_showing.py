import json
import math

import ml_dtypes
import numpy as np
import pytest

from tracegen import plotting
from tracegen.corpus import Corpus, CorpusError
from tracegen.corpus.describing import RUN_LENGTHS, describe, entropy_bits, float_fields, run_lengths
from tracegen.corpus.writing import CorpusWriter, Identity
from tracegen.showing import COLUMNS, Filters, as_json, look_at, select, show_lines


@pytest.fixture(scope="session")
def shown_corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    rng = np.random.default_rng(5)
    values = np.where(rng.random((40, 32)) < 0.7, 0, rng.normal(size=(40, 32))).astype(np.float32)
    facts = {"title": "a net", "higher_is_better": True, "origin": "noise " * 40, "licence": "CC0"}
    with (
        CorpusWriter(folder, name="shown", version="1", description="for tests") as corpus,
        corpus.model("net", metric="accuracy_percent", **facts) as net,
    ):
        for dtype in ("float32", "bfloat16", "float8_e4m3fn", "float8_e5m2"):
            array = values.astype(dtype if dtype == "float32" else getattr(ml_dtypes, dtype))
            net.add_trace(array, Identity(role="activations", layer="relu1", kind="relu", split="profile"))
        codes = np.where(values == 0, 7, 40).astype(np.int8)
        notes = {"scale": np.linspace(0, 1, 40), "zero_point": np.full(40, 7), "axis": 0}
        net.add_trace(codes, Identity(role="weights", layer="fc1", precision="int8-affine"), attributes=notes)
        packed = rng.integers(0, 256, (40, 16), dtype=np.uint8)
        net.add_trace(
            packed, Identity(role="weights", layer="fc1", precision="int4"), attributes={"zero_point": 8}
        )
        nans = np.full(9, np.nan, np.float16)
        net.add_trace(nans, Identity(role="errors", layer="fc1", phase="training"))
        net.add_trace(np.zeros(9, np.float16), Identity(role="errors", layer="fc2", phase="training"))
        divergence = {"logit_kl_bits": 0.0123, "flips_percent": 1.5}
        net.add_score(precision="int8-affine", value=97.0, divergence=divergence)
    return folder


def look(folder, name):
    with Corpus.open(folder) as corpus:
        return look_at(corpus, next(trace for trace in corpus.traces if trace.name == name))


def text_of(folder, name):
    return "\n".join(show_lines(look(folder, name)))


def test_entropy():
    assert entropy_bits(np.zeros(8, np.uint8)) == 0
    assert entropy_bits(np.arange(256, dtype=np.uint8)) == pytest.approx(8)
    assert entropy_bits(np.array([0, 0, 0, 1], np.uint16)) == pytest.approx(2 - 0.75 * math.log2(3))
    found = describe(np.arange(1024, dtype=np.uint16))
    assert found.word_entropy_bits == pytest.approx(10)
    assert describe(np.arange(8, dtype=np.float32)).word_entropy_bits is None


def test_run_lengths():
    flags = np.array([1, 1, 0, 1, 0, 0, 0], bool)
    assert run_lengths(flags, wanted=True).tolist() == [2, 1]
    assert run_lengths(flags, wanted=False).tolist() == [1, 3]
    words = np.concatenate([np.zeros(n + 1, np.int32) for n in (1, 2, 3, 8, 16, 40)])
    ends = np.cumsum([n + 1 for n in (1, 2, 3, 8, 16, 40)]) - 1
    words[ends] = 1
    found = describe(words)
    assert found.zero_runs.counts == (1, 1, 1, 1, 1, 1)
    assert (found.zero_runs.longest, found.zero_runs.mean) == (40, 70 / 6)
    assert found.nonzero_runs.counts == (6, 0, 0, 0, 0, 0)
    assert len(found.zero_runs.counts) == len(RUN_LENGTHS)


@pytest.mark.parametrize(
    ("dtype", "exponent_bits", "mantissa_bits", "subnormal"),
    [
        (np.float64, 11, 52, 2.0**-1074),
        (np.float32, 8, 23, 2.0**-149),
        (np.float16, 5, 10, 2.0**-24),
        (ml_dtypes.bfloat16, 8, 7, 2.0**-133),
        (ml_dtypes.float8_e4m3fn, 4, 3, 2.0**-9),
        (ml_dtypes.float8_e5m2, 5, 2, 2.0**-16),
    ],
)
def test_float_fields(dtype, exponent_bits, mantissa_bits, subnormal):
    found = float_fields(np.array([0, -0.0, 1, 1.5, -0.25, 2, subnormal, np.nan]).astype(dtype))
    assert (found.sign_bits, found.exponent_bits, found.mantissa_bits) == (1, exponent_bits, mantissa_bits)
    assert found.exponents == {-2: 1, 0: 2, 1: 1}
    assert (found.subnormal, found.nonfinite) == (1 / 8, 1 / 8)


def test_minus_zero_is_a_zero_but_no_zero_word():
    found = describe(np.array([0, -0.0, 1, 1], np.float32))
    assert (found.zeros, found.zero_words) == (0.5, 0.25)


@pytest.mark.parametrize(
    "name",
    [
        "net/float32-s0/activations/relu1",
        "net/float8_e4m3fn-s0/activations/relu1",
        "net/int4-s0/weights/fc1",
        "net/float16-s0/errors/fc1",
        "net/float16-s0/errors/fc2",
    ],
)
def test_lines_fit_the_terminal(shown_corpus, name):
    lines = text_of(shown_corpus, name).splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert lines[0] == name


def test_what_is_shown(shown_corpus):
    text = text_of(shown_corpus, "net/bfloat16-s0/activations/relu1")
    for part in (
        "relu1 (activations, relu)",
        "bfloat16, stored as bfloat16",
        "split       profile",
        "per 16-bit value",
        "1 sign, 8 exponent, 7 mantissa bits",
        "Exponents of the normal values",
        "non-zero",
    ):
        assert part in text
    affine = text_of(shown_corpus, "net/int8-affine-s0/weights/fc1")
    assert "0.00% of the values; 7" in affine
    assert "at the zero point" in affine
    assert "KL divergence 0.0123 bits, 1.5 % of predictions flip" in affine
    packed = text_of(shown_corpus, "net/int4-s0/weights/fc1")
    assert "Packed bytes" in packed
    assert "Values\n" not in packed
    assert "Exponents" not in packed
    assert "no finite value" in text_of(shown_corpus, "net/float16-s0/errors/fc1")


def test_json(shown_corpus):
    shown = look(shown_corpus, "net/int8-affine-s0/weights/fc1")
    row = json.loads(json.dumps(as_json(shown)))
    assert row["precision"] == "int8-affine"
    assert row["divergence"] == {"logit_kl_bits": 0.0123, "flips_percent": 1.5}
    assert len(row["attributes"]["scale"]) == 40
    assert row["statistics"]["values"] == 1280
    assert row["statistics"]["pruned"] == pytest.approx(0.7, abs=0.05)
    counted = row["statistics"]["range"]
    assert sum(counted["counts"]) == 1280
    assert (counted["edges"][0], counted["edges"][-1]) == (7, 40)


def test_filters(shown_corpus):
    with Corpus.open(shown_corpus) as corpus:
        assert len(select(corpus, Filters(precision="int4"))) == 1
        assert len(select(corpus, Filters(kind="relu", split="profile"))) == 4
        assert len(select(corpus, Filters(phase="training", pruning="none"))) == 2
        with pytest.raises(CorpusError, match="no precision 'int5'; did you mean 'int4'"):
            select(corpus, Filters(precision="int5"))
        with pytest.raises(CorpusError, match="no phase 'trainig'; did you mean 'training'"):
            select(corpus, Filters(phase="trainig"))


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("net/float32-s0/activations/relu1", 3),
        ("net/int4-s0/weights/fc1", 2),
        ("net/float16-s0/errors/fc1", 1),  # nothing but NaNs
        ("net/float16-s0/errors/fc2", 2),  # nothing but zeros
    ],
)
def test_chart(shown_corpus, name, panels):
    chart = plotting.make_chart(look(shown_corpus, name)).to_dict()
    assert len(chart["hconcat"]) == panels
    assert chart["title"]["text"] == name


@pytest.mark.parametrize(
    ("suffix", "start"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".html", b"<!DOCTYPE html>")]
)
def test_pictures(shown_corpus, tmp_path, suffix, start):
    path = tmp_path / f"picture{suffix}"
    for _ in range(2):  # the second replaces the first
        plotting.save_plot(look(shown_corpus, "net/float32-s0/activations/relu1"), path)
    content = path.read_bytes()
    assert content.lstrip().startswith(start)
    assert b"<script src=" not in content  # no network


def test_what_cannot_be_plotted(tmp_path):
    for name in ("picture.pdf", "picture"):
        with pytest.raises(CorpusError, match=r"legal are \.svg, \.png, \.html"):
            plotting.check_plot(tmp_path / name)
