"""Two runs beside each other, and several made one."""

import json

import polars as pl
import pytest
from support import TRACES, cell

from suite import results
from suite.checking import compare, merge
from suite.measuring.run import Run, Settings
from suite.plan import NOT_INSTALLED
from suite.reporting import render
from suite.runfile import RunError
from tracegen.corpus import Corpus

HERE = {"cpu": "here", "usable_cores": 2, "system": "Linux", "python": "3.11"}
THERE = {**HERE, "cpu": "there"}


def write(folder, codecs, digest="1" * 64, machine=HERE, **fields):
    """A run in which each codec has the given coded bits on both traces."""
    folder.mkdir()
    cells = [
        cell(codec, trace, bits, **{"codec_version": "1", "trace_sha256": trace, **fields})
        for codec, bits in codecs.items()
        for trace in TRACES
    ]
    results.write(results.frame(cells), folder)
    corpus = {"name": "c", "version": "1", "digest": digest, "traces": len(TRACES)}
    plan = {"codecs": list(codecs), "select": None, "traces": len(TRACES), "timing": True}
    facts = {"corpus": corpus, "last_plan": plan, "phases": {}, "machine": machine, "versions": {}}
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


def test_a_size_that_changed_at_the_same_version_is_named(tmp_path):
    a, b = write(tmp_path / "a", {"raw": 8000, "zvc": 90}), write(tmp_path / "b", {"raw": 8000, "zvc": 91})
    found = compare.compare(a, b)
    assert found.cells == 4
    assert [(r["trace"], r["codec"], r["what"], r["a"], r["b"]) for r in found.sizes] == [
        (trace, "zvc", "coded_bits", 90, 91) for trace in TRACES
    ]
    assert compare.compare(a, a).sizes == []


def test_another_version_may_have_another_size_and_lone_codecs_are_counted(tmp_path):
    a = write(tmp_path / "a", {"raw": 8000, "zvc": 80})
    b = write(tmp_path / "b", {"raw": 8000, "zvc": 40, "rle": 5}, codec_version="2")
    found = compare.compare(a, b)
    assert (found.cells, found.sizes) == (0, [])
    assert [(r["codec"], r["a"], r["b"], r["b_ratio"]) for r in found.versions] == [
        ("raw", "1", "2", 0.55),
        ("zvc", "1", "2", 110.0),
    ]
    assert found.only == {"A": [], "B": [{"codec": "rle", "cells": 2}]}


@pytest.mark.parametrize(
    ("b_s", "percent", "changed"),
    [
        ([2.0, 2.1, 2.0], 10, "slower"),
        ([2.0, 2.1, 2.0], 150, None),
        ([0.5, 0.5, 0.6], 10, "faster"),
        ([0.9, 2.0, 1.1], 10, None),
        ([1.05, 1.05, 1.05], 10, None),
    ],
)
def test_times_differ_only_beyond_noise(tmp_path, b_s, percent, changed):
    a = write(tmp_path / "a", {"raw": 80}, encode_s=[1.0, 1.01, 0.99], decode_s=[1.0])
    b = write(tmp_path / "b", {"raw": 80}, encode_s=b_s, decode_s=[1.0])
    found = compare.compare(a, b, percent)
    assert [(r["codec"], r["direction"]) for r in found.times] == ([("raw", "encode")] if changed else [])
    assert bool(found.slower()) == (changed == "slower")


def test_the_interval_of_a_total_holds_it_and_grows_with_the_noise():
    rng = compare.np.random.default_rng(1)
    narrow, wide, single = (
        compare.total_s(pl.Series([repeats] * 20), rng)
        for repeats in ([1.0, 1.01, 0.99], [1.0, 1.5, 0.5], [2.0])
    )
    assert narrow[0] <= narrow[1] <= narrow[2]
    assert narrow[1] == pytest.approx(20)
    assert wide[2] - wide[0] > 5 * (narrow[2] - narrow[0]) > 0
    assert single == (40, 40, 40)


def test_exit_codes(call, tmp_path):
    times = {"encode_s": [1.0], "decode_s": [1.0]}
    a = write(tmp_path / "a", {"raw": 80}, **times)
    size = write(tmp_path / "size", {"raw": 81}, **times)
    slow = write(tmp_path / "slow", {"raw": 80}, encode_s=[3.0], decode_s=[1.0])
    other = write(tmp_path / "other", {"raw": 80}, machine=THERE, **times)
    cases = {(size,): 3, (size, "times"): 0, (slow,): 0, (slow, "any"): 4, (other,): 0, (other, "times"): 1}
    for (b, *fail_on), code in cases.items():
        done = call("suite", "compare", a, b, *(["--fail-on", *fail_on] if fail_on else []))
        assert done.returncode == code, (b, fail_on, done.stdout, done.stderr)
    assert "times cannot be compared: A was measured on here" in done.stderr
    assert "size differs: a  raw  coded_bits: A 80, B 81" in call("suite", "compare", a, size).stdout


def test_runs_of_different_codecs_become_one_that_can_be_reported(tmp_path):
    times = {"encode_s": [1.0], "decode_s": [1.0]}
    a = write(tmp_path / "a", {"raw": 8000, "zvc": 90}, **times)
    b = write(tmp_path / "b", {"raw": 8000, "rle": 91}, machine=THERE, **times)
    table = merge.merge([a, b], tmp_path / "out")
    assert len(table) == 6
    by_codec = {row["codec"]: row for row in table.to_dicts()}
    assert by_codec["raw"]["encode_s"] == by_codec["zvc"]["encode_s"] == [1.0]
    assert by_codec["rle"]["encode_s"] == []
    assert by_codec["rle"]["reason"] == "not timed: its times are of another machine, there"
    report = render.write_tables(tmp_path / "out")
    assert [row["codec"] for row in report.board.rows] == ["zvc", "rle", "raw"]
    assert {row["codec"] for row in report.speeds} == {"raw", "zvc"}
    facts = json.loads((tmp_path / "out/run.json").read_text())
    assert facts["last_plan"]["codecs"] == ["raw", "zvc", "rle"]
    assert [entry["times_kept"] for entry in facts["merged_from"]] == [True, False]


def test_a_run_that_had_the_package_speaks_for_one_that_had_not(tmp_path):
    a = write(tmp_path / "a", {"zipnn": None}, status="skipped", codec_version=NOT_INSTALLED)
    b = write(tmp_path / "b", {"zipnn": 90})
    assert set(merge.merge([a, b], tmp_path / "out")["status"]) == {"ok"}


def test_a_measured_cell_speaks_for_one_that_timed_out(tmp_path):
    a, b = write(tmp_path / "a", {"zvc": None}), write(tmp_path / "b", {"zvc": 90})
    assert set(merge.merge([a, b], tmp_path / "out")["coded_bits"]) == {90}


@pytest.mark.parametrize(
    ("fields", "bits", "message"),
    [
        ({"digest": "2" * 64}, 90, "are over different corpora"),
        ({}, 91, "2 cells contradict each other in .*; first a by zvc: coded bits 90, 91"),
        ({"codec_version": "2"}, 90, "zvc is version 1 in .*a and 2 in .*b"),
    ],
)
def test_what_cannot_be_one_run_is_refused(tmp_path, fields, bits, message):
    a, b = write(tmp_path / "a", {"zvc": 90}), write(tmp_path / "b", {"zvc": bits}, **fields)
    with pytest.raises(RunError, match=message):
        merge.merge([a, b], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_neither_a_full_folder_nor_one_run_is_merged(tmp_path):
    a, b = write(tmp_path / "a", {"zvc": 90}), write(tmp_path / "b", {"zvc": 90})
    with pytest.raises(RunError, match="is not empty"):
        merge.merge([a, b], b)
    with pytest.raises(RunError, match="takes two or more"):
        merge.merge([a], tmp_path / "out")


def test_a_run_does_not_overwrite_merged_ones(tmp_path, corpus_folder):
    a, b = write(tmp_path / "a", {"zvc": 90}), write(tmp_path / "b", {"rle": 90})
    merge.merge([a, b], tmp_path / "out")
    corpus = Corpus.open(corpus_folder)
    with pytest.raises(RunError, match="holds merged runs"):
        Run(Settings(tmp_path / "out"), corpus, corpus.traces, []).execute()
