"""Corpora made by a stranger: whatever their files claim, they are refused before anything is read."""

import contextlib
import json
import os
import re
import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest

from tracegen.corpus import Corpus, CorpusError, LockedError, _guarding, corpus_digest, trace_from_row

PATH = "/traces/float32-s0/weights/fc1"
WORDS = np.arange(4096, dtype=np.float32).reshape(64, 64)


def replaced(folder, **options):
    """The corpus with one dataset made anew by HDF5's own means."""
    with h5py.File(folder / "net.h5", "a") as file:
        attributes = dict(file[PATH].attrs)
        del file[PATH]
        if options:
            file.create_dataset(PATH, **options)
            file[PATH].attrs.update(attributes)


def a_claim_of_2_to_60(folder):
    replaced(folder, shape=(1 << 60,), dtype="f4", chunks=(1 << 16,))


def chunks_of_a_gigabyte(folder):
    replaced(folder, shape=(64, 64), dtype="f4", chunks=(64, 64))
    replaced(folder, shape=(1 << 14, 1 << 14), dtype="f4", chunks=(1 << 14, 1 << 14))


def millions_of_chunks(folder):
    replaced(folder, shape=(1 << 24,), dtype="f4", chunks=(1,))


def texts_without_bound(folder):
    replaced(folder, shape=(64, 64), dtype=h5py.string_dtype())


def lists_without_bound(folder):
    replaced(folder, shape=(64, 64), dtype=h5py.vlen_dtype(np.float32))


def compounds(folder):
    replaced(folder, shape=(64, 64), dtype=[("a", "f4")])


def references(folder):
    replaced(folder, shape=(64, 64), dtype=h5py.ref_dtype)


def a_filter_from_a_plug_in(folder):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((64, 64))
    properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    replaced(folder, shape=(64, 64), dtype="f4", dcpl=properties)


def data_in_another_file(folder):
    (folder.parent / "secret").write_bytes(WORDS.tobytes())
    replaced(folder, shape=(64, 64), dtype="f4", external=[(str(folder.parent / "secret"), 0, WORDS.nbytes)])


def stranger(folder):
    with h5py.File(folder.parent / "stranger.h5", "w") as file:
        file["x"] = WORDS
    return folder.parent / "stranger.h5"


def a_virtual_dataset(folder):
    source = stranger(folder)
    replaced(folder)
    layout = h5py.VirtualLayout((64, 64), "f4")
    layout[:] = h5py.VirtualSource(source, "x", (64, 64))
    with h5py.File(folder / "net.h5", "a") as file:
        file.create_virtual_dataset(PATH, layout)


def an_external_link(folder):
    source = stranger(folder)
    replaced(folder)
    with h5py.File(folder / "net.h5", "a") as file:
        file[PATH] = h5py.ExternalLink(str(source), "/x")


def a_soft_link(folder):
    replaced(folder)
    with h5py.File(folder / "net.h5", "a") as file:
        file["x"] = WORDS
        file[PATH] = h5py.SoftLink("/x")


def a_group_behind_an_external_link(folder):
    (folder / "net.h5").rename(folder.parent / "moved.h5")
    with h5py.File(folder / "net.h5", "w") as file:
        file["traces"] = h5py.ExternalLink(str(folder.parent / "moved.h5"), "/traces")


def a_symbolic_link_out_of_the_folder(folder):
    (folder / "net.h5").rename(folder.parent / "moved.h5")
    (folder / "net.h5").symlink_to(folder.parent / "moved.h5")


def a_group(folder):
    replaced(folder)
    with h5py.File(folder / "net.h5", "a") as file:
        file.create_group(PATH)


HOSTILE = {
    a_claim_of_2_to_60: r"claims 4611686018427387904 bytes",
    chunks_of_a_gigabyte: r"has chunks \(16384, 16384\)",
    millions_of_chunks: r"has 16777216 chunks",
    texts_without_bound: r"holds no plain numbers",
    lists_without_bound: r"holds no plain numbers",
    compounds: r"holds no plain numbers",
    references: r"holds no plain numbers",
    a_filter_from_a_plug_in: r"needs the filter 32015",
    data_in_another_file: r"has its data in other files",
    a_virtual_dataset: r"has its data in other files",
    an_external_link: r"is reached by a ExternalLink",
    a_soft_link: r"is reached by a SoftLink",
    a_group_behind_an_external_link: r"is reached by a ExternalLink",
    a_symbolic_link_out_of_the_folder: r"leads out of the corpus's folder",
    a_group: r"is no dataset",
}


def first_trace(corpus):
    return next(trace for trace in corpus.traces if trace.path == PATH)


@pytest.mark.parametrize(("make", "message"), HOSTILE.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_a_hostile_dataset_is_refused_before_it_is_read(own_corpus, make, message):
    make(own_corpus)
    with Corpus.open(own_corpus) as corpus:
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for read in (corpus.read, corpus.attributes):
            with pytest.raises(CorpusError, match=message):
                read(first_trace(corpus))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 << 10
        problems = [problem for trace, problem in corpus.verify() if trace.path == PATH]
        assert re.search(message, problems[0])


@pytest.mark.parametrize(
    "make", [data_in_another_file, a_virtual_dataset, an_external_link, a_soft_link], ids=lambda m: m.__name__
)
def test_without_the_guard_the_same_file_would_be_read(own_corpus, monkeypatch, make):
    make(own_corpus)
    monkeypatch.setattr(_guarding, "wrong_dataset", lambda _: "")
    monkeypatch.setattr(_guarding, "wrong_link", lambda *_: "")
    with Corpus.open(own_corpus) as corpus:
        assert np.array_equal(corpus.read(first_trace(corpus), check=False), WORDS)


def attributes_without_number(attributes):
    for number in range(_guarding.MAX_ATTRIBUTES + 1):
        attributes[f"a{number}"] = number


def an_attribute_without_bound(attributes):
    attributes["scale"] = np.zeros(_guarding.MAX_ATTRIBUTE_BYTES // 8 + 1)


def an_attribute_of_pairs(attributes):
    attributes["scale"] = np.array([(1,)], dtype=[("a", "f4")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (attributes_without_number, "attributes; 1024 are allowed"),
        (an_attribute_without_bound, "attribute b?'scale' of more than 67108864 bytes"),
        (an_attribute_of_pairs, "attribute b?'scale' of a type that is not read"),
    ],
)
def test_absurd_attributes_are_refused(own_corpus, make, message):
    with h5py.File(own_corpus / "net.h5", "a", libver="latest") as file:
        make(file[PATH].attrs)
    with Corpus.open(own_corpus) as corpus, pytest.raises(CorpusError, match=message):
        corpus.attributes(first_trace(corpus))


def test_an_attribute_that_is_an_array_is_a_difference_and_no_crash(own_corpus):
    with h5py.File(own_corpus / "net.h5", "a") as file:
        file[PATH].attrs["sparsity"] = np.zeros(3)
    with Corpus.open(own_corpus) as corpus:
        problems = [problem for trace, problem in corpus.verify() if trace.path == PATH]
    assert problems == ["attribute sparsity differs from the manifest's"]


def test_a_checkpoint_is_no_way_around(own_corpus):
    with h5py.File(own_corpus / "net.h5", "a") as file:
        file["/checkpoints/s0/more"] = h5py.ExternalLink(str(stranger(own_corpus)), "/x")
    with Corpus.open(own_corpus) as corpus, pytest.raises(CorpusError, match="ExternalLink"):
        corpus.checkpoint("net", "s0")


def rewritten(folder, change):
    """The manifest after `change`, its digest made to fit, as an attacker would."""
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    with contextlib.suppress(CorpusError, TypeError, KeyError):
        data["digest"] = corpus_digest(tuple(trace_from_row(row, 2) for row in data["traces"]))
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "../net", "model '../net' of .* is no legal name"),
        ("model", "/etc/net", "no legal name"),
        ("model", "other", "is not of model 'other'"),
        ("name", "net/../../x", "has no legal name"),
        ("name", "net/../weights/fc1", "is not of model"),
        ("name", "net/float32-s0/weights/\x1b[2J", "control characters|has no legal name"),
        ("layer", "[red]x", "no legal name"),
        ("role", "<b>", "no legal name"),
        ("shape", [1 << 60], "claims 2305843009213693952 bytes"),
        ("shape", [1 << 40, 1 << 40], "claims"),
        ("shape", [-1, 64], "is none"),
        ("shape", [64.0, 64], "is none"),
        ("shape", [True] * 40, "is none"),
        ("shape", "xx", "is none"),
        ("dtype", "object", "object"),
        ("dtype", 7, "no legal name"),
        ("sha256", "zz", "is no digest"),
        ("sparsity", float("nan"), "is not in"),
        ("sparsity", "0", "is not in"),
    ],
)
def test_a_hostile_row_of_the_manifest_is_refused(own_corpus, key, value, message):
    rewritten(own_corpus, lambda data: data["traces"][0].update({key: value}))
    with pytest.raises(CorpusError, match=message):
        Corpus.open(own_corpus)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "../../home", "no legal name"),
        ("version", "1/../../x", "no legal name"),
        ("description", "\x1b]0;owned\x07", "control characters"),
        ("description", "right\u202eleft", "control characters"),
        ("digest", 7, "do not add up"),
    ],
)
def test_a_hostile_head_of_the_manifest_is_refused(own_corpus, key, value, message):
    path = own_corpus / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(CorpusError, match=message):
        Corpus.open(own_corpus)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": 1' + "0" * 5000 + "}", "[]", "null", "\xff"])
def test_a_manifest_that_is_none_is_one_line(own_corpus, text):
    (own_corpus / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(CorpusError, match=r"manifest.json"):
        Corpus.open(own_corpus)


def test_a_manifest_is_not_read_beyond_its_limit(own_corpus, monkeypatch):
    monkeypatch.setattr(_guarding, "MAX_MANIFEST_BYTES", 100)
    with pytest.raises(CorpusError, match="is larger than 100 bytes"):
        Corpus.open(own_corpus)


def test_a_trace_twice_is_refused(own_corpus):
    rewritten(own_corpus, lambda data: data["traces"].append(data["traces"][0]))
    with pytest.raises(CorpusError, match="a trace twice"):
        Corpus.open(own_corpus)


def in_a_process(code):
    """Start a process that runs `code` and says so; it holds what it holds until it is killed."""
    script = f"import fcntl, os, time, h5py\n{code}\nprint('held', flush=True)\ntime.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_a_file_that_another_program_locks_is_read(own_corpus):
    file = str(own_corpus / "net.h5")
    holder = in_a_process(f"f = open({file!r}, 'r+b'); fcntl.flock(f, fcntl.LOCK_EX)")
    try:
        with Corpus.open(own_corpus) as corpus:
            assert [wrong for _, wrong in corpus.verify() if wrong] == []
    finally:
        holder.kill()
        holder.communicate()


def test_a_file_that_another_program_writes_is_told_as_locked_and_not_as_damaged(own_corpus):
    file = str(own_corpus / "net.h5")
    holder = in_a_process(
        f"f = h5py.File({file!r}, 'r+', libver=('v110', 'v110')); f.attrs['x'] = 1; f.flush()"
    )
    try:
        with (
            Corpus.open(own_corpus) as corpus,
            pytest.raises(LockedError, match=r"net\.h5 is locked: another program writes to it") as caught,
        ):
            corpus.read(corpus.traces[0])
        assert "truncated" not in str(caught.value)
    finally:
        holder.kill()
        holder.communicate()


def test_a_file_that_this_process_has_open_is_read(own_corpus):
    with h5py.File(own_corpus / "net.h5") as _, Corpus.open(own_corpus) as corpus:
        corpus.read(corpus.traces[0])


@pytest.mark.parametrize(
    ("folder", "store"),
    [
        ("models--a--b/snapshots/0123", "models--a--b/blobs"),
        ("models--a--b/snapshots/0123/deeper", "models--a--b/blobs"),
        ("repository/traces", "repository/.git/annex/objects/Xx/Yy"),
    ],
)
def test_links_into_a_user_s_own_store_are_followed(own_corpus, tmp_path, folder, store):
    """As huggingface_hub and git-annex make them, manifest and all."""
    folder, store = tmp_path / folder, tmp_path / store
    folder.mkdir(parents=True)
    store.mkdir(parents=True)
    for path in own_corpus.iterdir():
        blob = path.rename(store / f"{len(path.name)}c0ffee")
        (folder / path.name).symlink_to(os.path.relpath(blob, folder))
    with Corpus.open(folder) as corpus:
        assert [wrong for _, wrong in corpus.verify() if wrong] == []


def test_any_other_link_is_told_as_a_link(own_corpus, tmp_path):
    (own_corpus / "net.h5").rename(tmp_path / "elsewhere.h5")
    (own_corpus / "net.h5").symlink_to("../elsewhere.h5")
    with (
        Corpus.open(own_corpus) as corpus,
        pytest.raises(
            CorpusError, match=r"net\.h5 is a symbolic link that leads out .* put a copy of it there"
        ),
    ):
        corpus.read(corpus.traces[0])


def test_a_pointer_of_git_lfs_is_told_as_one(own_corpus):
    (own_corpus / "net.h5").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n")
    with (
        Corpus.open(own_corpus) as corpus,
        pytest.raises(CorpusError, match=r"Git LFS pointer .*git lfs pull"),
    ):
        corpus.read(corpus.traces[0])
