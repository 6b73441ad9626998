"""A codec's new version is measured anew, that codec alone; another machine's times are never ours."""

import dataclasses
import json

import pytest

from suite import machine, plan, results
from suite.measuring import code_digests
from suite.measuring import run as running
from tensorcodecs import sources
from tracegen.corpus import Corpus

SPECS = ("raw", "zvc")


@pytest.fixture
def start(corpus_folder, tmp_path):
    """`start(subjects)` runs in the same folder each time; returns the records that it added."""
    out = tmp_path / "out"

    def start(subjects, **settings):
        path = out / "journal.jsonl"
        before = path.read_text().splitlines() if path.exists() else []
        corpus = Corpus.open(corpus_folder)
        options = running.Settings(out, **settings)
        running.Run(options, corpus, corpus.traces, subjects).execute()
        lines = path.read_text().splitlines()
        assert lines[: len(before)] == before
        return [json.loads(line) for line in lines[len(before) :]], results.read(out)

    return start


def test_a_new_version_of_a_codec_is_measured_anew_and_that_codec_alone(start):
    raw, zvc = map(plan.make_subject, SPECS)
    start([raw, zvc], timing=True)
    newer = dataclasses.replace(zvc, version=f"{zvc.version}-next")
    added, table = start([raw, newer], timing=True)
    assert {(r["record"], r["codec"], r["codec_version"]) for r in added} == {
        (kind, newer.spec, newer.version) for kind in ("size", "time")
    }
    assert len(added) == 2 * 6
    assert set(table["codec_version"]) == {raw.version, newer.version}
    assert len(table) == 12
    assert start([raw, newer], timing=True)[0] == []


def test_sizes_of_a_new_version_never_stand_beside_times_of_the_old_one(start):
    raw, zvc = map(plan.make_subject, SPECS)
    start([raw, zvc], timing=True)
    newer = dataclasses.replace(zvc, version="next")
    _, table = start([raw, newer], timing=False)
    lengths = {row["codec"]: len(row["encode_s"]) for row in table.iter_rows(named=True)}
    assert lengths[newer.spec] == 0
    assert lengths["raw"] > 0


def test_another_machines_times_are_not_shown_and_are_measured_again(start, monkeypatch):
    subjects = [plan.make_subject(spec) for spec in SPECS]
    first, _ = start(subjects, timing=True)
    assert len({r["machine"] for r in first if r["record"] == "time"}) == 1
    facts = machine.describe()
    monkeypatch.setattr(machine, "describe", lambda: {**facts, "cpu": "another one"})
    added, table = start(subjects, timing=False)
    assert added == [], "sizes are everybody's"
    assert table["encode_s"].list.len().max() == 0
    added, table = start(subjects, timing=True)
    assert {r["record"] for r in added} == {"time"}
    assert len(added) == 12
    assert table["encode_s"].list.len().min() > 0
    monkeypatch.setattr(machine, "describe", lambda: facts)
    assert start(subjects, timing=False)[1]["encode_s"].list.len().max() == 0, "the last machine's are kept"


def test_a_codec_whose_code_changed_is_timed_anew_and_that_codec_alone(start, monkeypatch):
    subjects = [plan.make_subject(spec) for spec in SPECS]
    start(subjects, timing=True)
    read = sources.content
    newer = lambda name: read(name) + b"#" * (name == "tensorcodecs.sparse.zvc")  # noqa: E731
    monkeypatch.setattr(sources, "content", newer)
    _, table = start(subjects, timing=False)
    timed = {row["codec"] for row in table.iter_rows(named=True) if row["encode_s"]}
    assert timed == {"raw"}, "times of other code are not shown"
    added, table = start(subjects, timing=True)
    assert {(r["record"], r["codec"]) for r in added} == {("time", subjects[1].spec)}
    assert len(added) == 6
    assert table["encode_s"].list.len().min() > 0
    assert start(subjects[:1], timing=True)[0] == []


def test_a_codec_runs_what_it_imports_and_what_the_codecs_in_it_import(monkeypatch):
    specs = ("raw", "zvc", "zstd", "shuffle|zvc", 'blocks:block_bytes=64:codec="zvc"', "numcodecs.zlib")
    subjects = [plan.make_subject(spec) for spec in specs]
    before = code_digests.digests(subjects)
    assert len(set(before.values())) == len(specs)

    def changed(module):
        read = sources.content
        with monkeypatch.context() as patch:
            patch.setattr(sources, "content", lambda name: read(name) + b"#" * (name == module))
            after = code_digests.digests(subjects)
        return {
            subject.spec.partition(":")[0]
            for subject in subjects
            if after[subject.spec] != before[subject.spec]
        }

    zvcs = {"zvc", "shuffle|zvc", "blocks"}
    assert changed("tensorcodecs.sparse.zvc") == zvcs
    assert changed("tensorcodecs.kernels.zeros") == zvcs
    assert changed("tensorcodecs.general._zstd_contexts") == {"zstd"}
    assert changed("tensorcodecs.base") == {"raw", "zstd", *zvcs}
    assert changed("tensorcodecs.registry") == set(), "a codec more makes none slower"
    assert changed("numcodecs.zlib") == {"numcodecs.zlib"}
