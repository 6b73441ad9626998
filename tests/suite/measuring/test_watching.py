"""What a run tells while it goes on, and what the doctor says before one."""

import json

import polars as pl

from suite import results
from suite.commands import doctor


def run(call, corpus, out, *options):
    return call("suite", "run", "--corpus", corpus, "--out", out, "--no-page", *options)


def test_json_lines_tell_every_phase_and_cell(call, corpus_folder, tmp_path):
    out = tmp_path / "out"
    options = ("--codecs", "zvc,faulty.raises", "--log-format", "json", "--cold")
    done = run(call, corpus_folder, out, *options)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    phases = [event["phase"] for event in events if event["event"] == "phase-begin"]
    assert phases == ["compile", "reference", "size", "time", "cold"]
    assert [event["phase"] for event in events if event["event"] == "phase-end"] == phases
    cells = [event for event in events if event["event"] == "cell" and event["kind"] == "size"]
    table = results.read(out)
    assert {(c["trace"], c["codec"], c["status"]) for c in cells} == set(
        table.select("trace", "codec", "status").iter_rows()
    )
    assert min(c["seconds"] for c in cells) > 0
    assert {c["reason"] for c in cells if c["codec"] == "faulty.raises"} == {
        "encode raised RuntimeError: no such luck"
    }
    size_end = next(e for e in events if e["event"] == "phase-end" and e["phase"] == "size")
    assert size_end["statuses"] == {"ok": 12, "failed": 6}
    assert len(size_end["slowest"]) == 5
    assert events[-1]["event"] == "run-end"
    assert events[-1]["how"] == "finished"

    timed = table.filter(pl.col("status") == "ok")
    for column in ("encode_s", "decode_s", "cold_encode_s", "cold_decode_s"):
        assert timed[column].list.len().min() >= 1
    report = (out / "times.md").read_text()
    assert "## Software, cold inputs" in report
    assert "peak memory MiB" in report
    facts = json.loads((out / "run.json").read_text())["phases"]
    for kind in ("time", "cold"):
        (conditions,) = facts[kind]["conditions"]
        assert conditions["before"].keys() == conditions["after"].keys() >= {"load_1min", "governor"}
    again = run(call, corpus_folder, out, "--codecs", "zvc", "--log-format", "json", "--cold")
    assert "phase-begin" not in again.stderr, "cold times are kept like any other record"


def test_text_ends_with_what_was_not_ok(call, corpus_folder, tmp_path):
    done = run(call, corpus_folder, tmp_path / "o", "--codecs", "faulty.raises", "--no-timing")
    assert "not ok in this start: 6 failed" in done.stderr


def test_the_doctor_names_versions_machine_and_verdict(call):
    done = call("suite", "doctor")
    assert done.returncode == 0, done.stderr
    for word in ("zstd", "numba", "caches of a core", "threads set here", "governor", "steal", "free disk"):
        assert word in done.stdout
    assert done.stdout.splitlines()[-1].startswith("verdict: ")


def test_the_verdict_names_every_doubt():
    assert doctor.Finding([], []).verdict() == "nothing found that would make times unreliable"
    verdict = doctor.Finding([], ["the host is busy", "the disk is full"]).verdict()
    assert verdict.endswith("UNRELIABLE: the host is busy; the disk is full")
