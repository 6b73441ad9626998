"""A run's folder made by a stranger: nothing in it acts, runs or takes memory without bound."""

import io
import json
import re
import subprocess
import sys

import polars as pl
import pytest
from rich.console import Console
from support import TRACES, cell, environment

from suite import results, runfile, safetext
from suite.reporting import render, terminal
from suite.runfile import RunError

FACTS = {
    "corpus": {"name": "c", "version": "1", "digest": "0" * 64, "traces": 2},
    "phases": {},
    "machine": {"cpu": "a CPU", "usable_cores": 2, "system": "an OS", "python": "3.11"},
}
NAMES = (
    "[red]x[/red]",
    "\x1b[2J\x1b]0;owned\x07",
    "a\nb\r\\input{/etc/passwd}",
    "<script>alert(1)</script>",
    "a|b`c`[d](javascript:e)",
    "\u202etxt.exe",
    "$\\write18{id}$%&_#^~{}",
)


def write(folder, names=NAMES, facts=FACTS):
    cells = [
        cell(name, t, 100 + n, encode_s=[1e-3], decode_s=[1e-3])
        for n, name in enumerate(names)
        for t in TRACES
    ]
    cells += [cell("raw", t, 8000, encode_s=[1e-4], decode_s=[1e-4]) for t in TRACES]
    cells += [cell("bad", t, None, reason=f"why {names[0]} {names[1]} {names[2]}") for t in TRACES]
    results.write(results.frame(cells), folder)
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("suffix", ["md", "tex", "html", "csv"])
@pytest.mark.parametrize("stem", ["leaderboard", "times"])
def test_names_are_shown_and_do_not_act(tmp_path, stem, suffix):
    facts = FACTS | {"machine": FACTS["machine"] | {"cpu": NAMES[1] + NAMES[2] + NAMES[3]}}
    render.write_tables(write(tmp_path, facts=facts))
    text = (tmp_path / f"{stem}.{suffix}").read_text(encoding="utf-8")
    if suffix != "csv":
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    if suffix == "html":
        assert "<script" not in text
    if suffix == "md":
        assert not re.search(r"(?<!\\)(<script|\[d\]|`)", text)
    if suffix == "tex":
        active = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        assert not re.search(r"\\(input|write)", active)


def test_a_terminal_shows_markup_and_escapes_as_they_are(tmp_path, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(terminal, "_console", lambda: Console(file=out, force_terminal=True, width=200))
    terminal.show_board(render.write_tables(write(tmp_path)), tmp_path, 15)
    terminal.show_table(f"t {NAMES[0]} {NAMES[1]}", ["a"], [[NAMES[1]]])
    text = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())  # rich's own colours
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("[red]x[/red]") >= 3
    assert "\\x1b[2J" in text


def test_an_error_is_one_line_without_control_characters(call, tmp_path):
    done = call("suite", "report", tmp_path / "no\x1b[2Jway\nhere")
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_visible_names_what_is_hidden_and_keeps_the_rest():
    assert safetext.visible("Σ × é 漢 \x1b\n\u202e\ud800") == "Σ × é 漢 \\x1b\\n\\u202e\\ud800"


def changed(**parts):
    return json.loads(json.dumps(FACTS)) | parts


@pytest.mark.parametrize(
    "facts",
    [
        [],
        changed(corpus=FACTS["corpus"] | {"name": "../../x"}),
        changed(corpus=FACTS["corpus"] | {"version": "1/../x"}),
        changed(corpus=FACTS["corpus"] | {"digest": "\x1b[2J"}),
        changed(corpus=FACTS["corpus"] | {"traces": "many"}),
        changed(machine=[]),
        changed(machine={"cpu": {"a": 1}}),
        changed(phases=7),
        changed(hardware={"hw/bdi": {"gates": {"value": "x", "origin": "o", "source": "s"}}}),
        changed(hardware={"hw/bdi": {"gates": {"value": 1, "origin": "o"}}}),
        changed(last_plan={"codecs": [1]}),
    ],
)
def test_a_run_file_of_other_types_is_refused(tmp_path, facts):
    (tmp_path / "run.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match=r"run.json is damaged"):
        runfile.read_run_file(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, " " * ((16 << 20) + 1)])
def test_a_run_file_without_bound_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=r"run.json is damaged"):
        runfile.read_run_file(tmp_path)


def rewrite(folder, change):
    path = folder / results.RESULTS_FILE
    pl.read_parquet(path).pipe(change).write_parquet(path)


def test_columns_of_other_types_are_refused(tmp_path):
    rewrite(write(tmp_path), lambda t: t.with_columns(raw_bits=pl.col("raw_bits").cast(pl.String)))
    with pytest.raises(ValueError, match=r"column 'raw_bits' is String, not Int64"):
        results.read(tmp_path)


def test_results_of_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "MAX_ROWS", 5)
    with pytest.raises(ValueError, match=r"rows; 5 are read"):
        results.read(write(tmp_path))


def test_a_small_file_that_needs_gigabytes_is_refused(tmp_path, monkeypatch):
    zeros = pl.DataFrame({"encode_s": [pl.zeros(1 << 26, pl.Float64, eager=True)]})
    rewrite(write(tmp_path), lambda t: t.head(1).drop("encode_s").hstack(zeros))
    assert (tmp_path / results.RESULTS_FILE).stat().st_size < 1 << 20
    monkeypatch.setattr(results, "PROBE_BYTES", 1 << 30)
    with pytest.raises(ValueError, match=r"cannot be read in 1024 MiB"):
        results.probe(tmp_path)


def test_a_probe_says_what_reading_says(tmp_path):
    results.probe(write(tmp_path))
    (tmp_path / results.RESULTS_FILE).write_bytes(b"PAR1 but not really")
    with pytest.raises(ValueError, match=r"results.parquet is damaged"):
        results.probe(tmp_path)


def test_a_report_imports_nothing_that_a_folder_names(tmp_path):
    """Codecs come from entry points and from what the user names: a spec in a stranger's file is a text."""
    write(tmp_path, names=("faulty.dies", "evil.module:Codec", "os|system"))
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    script = f"""
import sys
from pathlib import Path
from suite.reporting import render
render.write_tables(Path({str(tmp_path)!r}))
raise SystemExit(bool({{"evil", "faulty_codecs"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment(), check=False)
    assert done.returncode == 0
