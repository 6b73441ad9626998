"""A report is measured again, and one altered cell is found."""

import shutil

import polars as pl
import pytest
from support import sample_traces, write_corpus

from suite import results
from suite.checking import verify
from suite.measuring.run import Run, Settings
from suite.plan import choose_subjects
from suite.reporting import render, reproduction
from suite.runfile import RunError
from tracegen.corpus import Corpus

CODECS = "zlib:level=6,lz4,zstd-dict:level=3:dict_bytes=4096"


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """The sample corpus and a profile trace to learn on, and a run over it."""
    lesson = (sample_traces()[0][0], {"role": "weights", "layer": "lesson", "split": "profile"})
    return Corpus.open(write_corpus(tmp_path_factory.mktemp("school"), traces=[*sample_traces(), lesson]))


@pytest.fixture(scope="module")
def measured(school, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    Run(Settings(out, timing=False), school, school.traces, choose_subjects(CODECS)).execute()
    render.write_tables(out)
    return out


@pytest.fixture
def report(measured, tmp_path):
    """As published: without the states."""
    copy = tmp_path / "report"
    shutil.copytree(measured, copy, ignore=shutil.ignore_patterns("states", "journal.jsonl"))
    return copy


def alter(report, column, value, codec="zlib:level=6"):
    table = results.read(report)
    trace = table["trace"][0]
    here = (pl.col("codec") == codec) & (pl.col("trace") == trace)
    results.write(
        table.with_columns(pl.when(here).then(value).otherwise(pl.col(column)).alias(column)), report
    )
    return trace


def test_a_report_is_measured_again_with_what_its_codecs_learned(school, report):
    verdict = verify.verify(report, school, verify.Request())
    assert (verdict.cells, verdict.checked, verdict.differences) == (28, 28, [])
    assert verdict.has_card
    assert not verdict.not_checkable


def test_one_altered_cell_is_found_and_named(school, report):
    trace = alter(report, "coded_bits", pl.col("coded_bits") - 8)
    render.write_tables(report)  # a forger renews the digest and the tables too
    found = verify.verify(report, school, verify.Request()).differences
    assert [(d.trace, d.codec, d.what) for d in found] == [(trace, "zlib:level=6", "coded_bits")]
    assert int(found[0].found) - int(found[0].recorded) == 8


def test_the_card_and_the_table_catch_what_a_sample_misses(school, report):
    alter(report, "coded_bits", pl.col("coded_bits") - 8000)
    found = verify.verify(report, school, verify.Request(sample=1)).differences
    assert {d.what for d in found} >= {"digest in card.json", "leaderboard.csv"}


def test_a_trace_with_another_role_than_the_corpus_says_is_named(school, report):
    trace = alter(report, "role", pl.lit("kv"))
    found = verify.verify(report, school, verify.Request(sample=1)).differences
    assert verify.Difference(trace, "–", "role", "kv", trace.split("/")[2]) in found


def test_other_versions_and_absent_codecs_are_named_and_do_not_differ(school, report):
    table = results.read(report)
    other = pl.when(pl.col("codec") == "zlib:level=6").then(pl.lit("0.1")).otherwise(pl.col("codec_version"))
    absent = pl.col("codec").replace({"lz4:acceleration=1": "nosuchcodec"})
    results.write(table.with_columns(other.alias("codec_version"), absent), report)
    (report / reproduction.CARD_FILE).unlink()
    (report / "leaderboard.csv").unlink()
    verdict = verify.verify(report, school, verify.Request())
    assert verdict.differences == []
    assert (verdict.checked, verdict.not_checkable, verdict.has_card) == (14, 14, False)
    reasons = dict(verdict.unchecked.keys())
    assert reasons["zlib:level=6"].endswith("recorded 0.1")
    assert "no codec 'nosuchcodec'" in reasons["nosuchcodec"]


def test_another_corpus_is_refused(report, corpus_folder):
    with pytest.raises(RunError, match="is over another corpus"):
        verify.verify(report, Corpus.open(corpus_folder), verify.Request())


def test_the_same_seed_draws_the_same_cells(report):
    table = results.read(report)
    drawn = [
        [(c["trace"], c["codec"]) for c in verify.choose(table, verify.Request(sample=5, seed=seed))]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 5


def test_the_command_says_what_differs_by_its_exit_code(call, school, report):
    options = ("suite", "verify", report, "--corpus", school.root, "--sample", "3")
    done = call(*options)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 cells measured again, 0 not checkable; all of these match" in done.stdout
    alter(report, "coded_bits", pl.col("coded_bits") + 8)
    done = call(*options)
    assert done.returncode == 3
    assert "digest in card.json: recorded" in done.stdout


def test_the_digest_is_of_sizes_and_of_nothing_else(report):
    table = results.read(report)
    times = table.with_columns(encode_s=pl.lit([1.0]), codec_cpu_s=pl.lit(9.0)).sample(
        fraction=1.0, shuffle=True, seed=1
    )
    assert reproduction.sizes_digest(times) == reproduction.read(report)["sizes_sha256"]
    lines = reproduction.sizes_text(table).splitlines()
    assert len(lines) == len(table)
    assert lines == sorted(lines)
    assert "journal" not in (report / reproduction.CARD_TEXT_FILE).read_text()
