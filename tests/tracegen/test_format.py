"""The corpus format as a stranger with h5py sees it, and what the reader refuses."""

import hashlib
import json
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import sample_traces

from tracegen.corpus import DTYPES, Corpus, CorpusError, corpus_digest
from tracegen.corpus.writing import CorpusWriter, Identity, cut_leading

MODEL = {"title": "t", "metric": "m", "higher_is_better": True, "origin": "o", "licence": "l"}


def write(folder, array, **identity):
    with (
        CorpusWriter(folder, name="c", version="1", description="d") as corpus,
        corpus.model("m", **MODEL) as model,
    ):
        attributes = identity.pop("attributes", None)
        return model.add_trace(
            array, Identity(**{"role": "weights", "layer": "w", **identity}), attributes=attributes
        )


def test_any_h5py_reads_the_files_and_finds_the_schema(corpus_folder):
    with h5py.File(corpus_folder / "net.h5") as file:
        assert dict(file.attrs) == {
            "schema": "squeezemark-traces",
            "schema_version": 2,
            "model": "net",
            "title": "a net",
            "metric": "accuracy",
            "higher_is_better": True,
            "origin": "seeded noise",
            "licence": "CC0",
        }
        assert file["/traces/float32-s0"].attrs["score"] == 98.5
        pruned = file["/traces/float32-s80/weights/fc1"]
        assert pruned.dtype == np.float32
        assert {**pruned.attrs} == {
            "role": "weights",
            "layer": "fc1",
            "dtype": "float32",
            "sparsity": 0.8,
            "pruning": "magnitude",
            "phase": "inference",
            "precision": "float32",
            "kind": "",
            "split": "test",
            "sha256": hashlib.sha256(pruned[()].astype("<f4").tobytes()).hexdigest(),
            "scale": 0.5,
        }
        assert pruned.compression in ("gzip", None)
        assert file["/traces/bfloat16-s0/gradients/fc1"].dtype == np.uint16


def test_checkpoints_link_what_is_a_trace_already(corpus_folder):
    with h5py.File(corpus_folder / "net.h5") as file:
        assert file["/checkpoints/s0/fc1.weight"] == file["/traces/float32-s0/weights/fc1"]
    tensors = Corpus.open(corpus_folder).checkpoint("net", "s0")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "fc1.weight": (64, 64),
        "fc1.bias": (64,),
    }
    with pytest.raises(CorpusError, match="no checkpoint 's50' of 'net'"):
        Corpus.open(corpus_folder).checkpoint("net", "s50")


def test_traces_come_back_in_their_shape_dtype_and_bits(corpus_folder):
    corpus = Corpus.open(corpus_folder)
    traces = {trace.name: trace for trace in corpus.traces}
    for array, identity in sample_traces():
        variant = f"{array.dtype.name}-s{100 * identity.get('sparsity', 0):g}"
        read = corpus.read(traces[f"net/{variant}/{identity['role']}/{identity['layer']}"])
        assert (read.shape, read.dtype) == (array.shape, array.dtype)
        assert read.tobytes() == array.tobytes()
    assert corpus.digest == corpus_digest(corpus.traces)


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_survives_with_its_strangest_bits(tmp_path, name):
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    words = np.arange(256, dtype=np.uint64) * 0x0101010101010101 + np.uint64(0x80)
    array = words.astype(f"u{dtype.itemsize}").view(dtype).reshape(16, 16)
    trace = write(tmp_path / "c", array)
    assert trace.dtype == name
    assert Corpus.open(tmp_path / "c").read(trace).tobytes() == array.tobytes()


def test_byte_order_and_layout_do_not_change_the_identity(tmp_path):
    array = np.arange(4096, dtype=np.float32).reshape(64, 64)
    digests = {
        write(tmp_path / str(number), variant).sha256
        for number, variant in enumerate(
            [array, array.astype(">f4"), np.asfortranarray(array), array[::-1][::-1]]
        )
    }
    assert digests == {hashlib.sha256(array.astype("<f4").tobytes()).hexdigest()}
    assert write(tmp_path / "scalar", np.float32(3).reshape(())).shape == ()


@pytest.mark.parametrize(
    ("array", "identity", "message"),
    [
        (np.zeros(0, np.int8), {}, "is empty"),
        (np.zeros(3, np.int8), {"role": "wieghts"}, "role 'wieghts' is not one of weights, activations"),
        (np.zeros(3, np.int8), {"sparsity": 80}, r"sparsity 80 of weights/w is not in \[0, 1\]"),
        (np.zeros(3, np.int8), {"layer": "a/b"}, "layer 'a/b' is no legal name: it may hold"),
        (np.zeros(3, np.int8), {"dtype": "bf16"}, "does not fit an array of int8"),
        (np.zeros(3, np.complex64), {}, "dtype 'complex64' is not one of"),
        (np.zeros(3, np.int8), {"attributes": {"x": object()}}, "is not a number"),
    ],
)
def test_what_cannot_be_a_trace_is_refused_and_leaves_nothing(tmp_path, array, identity, message):
    with pytest.raises(CorpusError, match=message):
        write(tmp_path / "c", array, **identity)
    assert list((tmp_path / "c").iterdir()) == []


def test_a_corpus_is_never_written_over(own_corpus):
    with pytest.raises(CorpusError, match="holds a corpus already"):
        write(own_corpus, np.ones(3))


def test_cutting_keeps_rows_whole():
    array = np.zeros((10, 4, 4), np.float32)
    assert cut_leading(array, 200).shape == (3, 4, 4)
    assert cut_leading(array, 1).shape == (1, 4, 4)
    assert cut_leading(array, 1 << 20).shape == array.shape


def damaged(folder, change):
    path = Path(folder) / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(schema_version=3), "schema squeezemark-traces 3, but this version reads"),
        (lambda data: data.pop("traces"), "is damaged: KeyError 'traces'"),
        (lambda data: data["traces"][0].update(sha256="0" * 64), "do not add up"),
        (lambda data: data["traces"][0].update(model="../../etc"), "is no legal name"),
        (lambda data: data["traces"][0].update(surprise=1), "is damaged: TypeError"),
    ],
)
def test_a_damaged_manifest_is_refused(own_corpus, change, message):
    with pytest.raises(CorpusError, match=message):
        Corpus.open(damaged(own_corpus, change))


def test_a_header_that_lies_about_the_size_is_found_before_reading(own_corpus):
    with h5py.File(own_corpus / "net.h5", "a") as file:
        del file["/traces/int64-s0/updates/counter"]
        file.create_dataset("/traces/int64-s0/updates/counter", (1 << 40,), np.int64, chunks=(1 << 16,))
    corpus = Corpus.open(own_corpus)
    trace = next(trace for trace in corpus.traces if trace.dtype == "int64")
    with pytest.raises(CorpusError, match=r"counter claims 8796093022208 bytes"):
        corpus.read(trace)


def write_two(folder, *, fail, key):
    facts = {"title": "a net", "metric": "none", "higher_is_better": True, "origin": "", "licence": "CC0"}
    writer = CorpusWriter(folder, name="two", version="1", description="", resume_key=key)
    with writer:
        for name in ("first", "second"):
            if any(info.name == name for info in writer.models):
                continue
            with writer.model(name, **facts) as model:
                model.add_trace(np.arange(5000, dtype=np.float32), Identity(role="weights", layer=name))
                model.add_score(precision="float32", value=1.0, divergence={"flips_percent": 2.0})
                if fail and name == "second":
                    raise KeyboardInterrupt
    return [info.name for info in writer.models]


def test_a_resumable_writer_goes_on_after_the_models_that_were_finished(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_two(tmp_path / "cut", fail=True, key="two")
    with pytest.raises(CorpusError, match="holds no manifest"):
        Corpus.open(tmp_path / "cut")
    kept = tmp_path / "cut" / ".partial" / "first.h5"
    before = kept.stat().st_mtime_ns, kept.read_bytes()
    assert write_two(tmp_path / "cut", fail=False, key="two") == ["first", "second"]
    after = tmp_path / "cut" / "first.h5"
    assert (after.stat().st_mtime_ns, after.read_bytes()) == before, "it was not written again"
    write_two(tmp_path / "whole", fail=False, key="two")
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("cut", "whole")]
    assert manifests[0] == manifests[1]
    assert not (tmp_path / "cut" / ".partial").exists()
    with Corpus.open(tmp_path / "cut") as corpus:
        assert {problem for _, problem in corpus.verify()} == {None}


def test_other_writers_keep_nothing_and_take_nothing_over(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_two(tmp_path / "c", fail=True, key="")
    assert list((tmp_path / "c").iterdir()) == []
    with pytest.raises(KeyboardInterrupt):
        write_two(tmp_path / "c", fail=True, key="two")
    other = CorpusWriter(tmp_path / "c", name="two", version="1", description="", resume_key="other")
    with pytest.raises(CorpusError, match="no trace was written"), other:
        assert other.models == []


TEXTS = st.text(st.characters(codec=None), max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.fixed_dictionaries(dict.fromkeys(("origin", "licence", "title", "description"), TEXTS)),
    name=st.one_of(st.just("n"), TEXTS, st.integers(190, 260).map("n".__mul__)),
    version=st.one_of(st.just("1"), TEXTS),
    attribute=TEXTS,
)
@example(texts={"origin": "team \U0001f469\u200d\U0001f4bb"}, name="n", version="1", attribute="")
@example(texts={"licence": "MIT\r\n"}, name="n", version="1", attribute="")
@example(texts={"title": "soft\u00adhyphen"}, name="n", version="1", attribute="")
@example(texts={}, name="n" * 200, version="1", attribute="")
@example(texts={}, name="n", version="1", attribute="\ud800")
def test_whatever_the_writer_takes_the_reader_reads(tmp_path_factory, texts, name, version, attribute):
    folder = tmp_path_factory.mktemp("texts") / "corpus"
    texts = {"origin": "o", "licence": "l", "title": "t", "description": "d", **texts}
    header = {"name": name, "version": version, "description": texts.pop("description")}
    array = np.zeros(2, np.float32)
    try:
        with (
            CorpusWriter(folder, **header) as corpus,
            corpus.model("m", metric="m", higher_is_better=True, **texts) as model,
        ):
            model.add_trace(array, Identity("weights", "w"), attributes={"note": attribute})
    except CorpusError:
        assert not list(folder.glob("*.json")), "a refused corpus can be made again in the same folder"
        return
    with Corpus.open(folder) as corpus:
        assert (corpus.name, corpus.version, corpus.description) == tuple(header.values())
        assert {key: getattr(corpus.models["m"], key) for key in texts} == texts
        assert [wrong for _, wrong in corpus.verify()] == [None]
        assert corpus.attributes(corpus.traces[0])["note"] == attribute


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("origin", "left\u202eright", "origin .* holds U\\+202E RIGHT-TO-LEFT OVERRIDE: control characters"),
        ("licence", "MIT\r\n", "licence .* holds U\\+000D"),
        ("title", "a\u00adb", "title .* U\\+00AD SOFT HYPHEN"),
        ("metric", "\ud800", "metric .* U\\+D800"),
        ("origin", None, "origin None is no string"),
    ],
)
def test_a_text_that_readers_refuse_is_refused_before_anything_is_written(tmp_path, option, text, message):
    with (
        pytest.raises(CorpusError, match=message),
        CorpusWriter(tmp_path / "c", name="c", version="1", description="d") as corpus,
        corpus.model("m", **MODEL | {option: text}),
    ):
        pytest.fail("the model is open")
