"""Whole runs through the command line, as a user makes them."""

import json
import resource
import signal
import subprocess
import time

import polars as pl
import pytest
from support import command, environment, write_corpus

from suite import results
from suite.journal import JOURNAL_FILE

pytestmark = pytest.mark.timeout(600)
FAST = "raw,zstd:level=1,zvc,hw/bdi:line_bytes=64,hw/zvc:line_bytes=64"


def run(call, corpus, out, *options):
    return call("suite", "run", "--corpus", corpus, "--out", out, "--no-page", *options)


def journal(folder):
    return [json.loads(line) for line in (folder / JOURNAL_FILE).read_text().splitlines()]


def sizes(folder):
    return [(r["trace"], r["codec"]) for r in journal(folder) if r["record"] == "size"]


def test_two_runs_give_the_same_boards_and_a_second_start_measures_nothing(call, corpus_folder, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    first = run(call, corpus_folder, a, "--codecs", FAST)
    assert first.returncode == 0, first.stderr
    assert "zstd:level=1" in first.stdout
    assert str(a) in first.stdout
    table = results.read(a)
    assert len(table) == 6 * 5
    assert set(table["status"]) == {"ok"}
    software = table.filter(pl.col("kind") == "software")
    assert software["encode_s"].list.len().min() >= 1
    assert software["decode_s"].list.len().min() >= 1
    assert set(table.filter(pl.col("kind") == "hardware")["encode_s"].list.len()) == {0}
    facts = json.loads((a / "run.json").read_text())
    assert 0 < facts["phases"]["size"]["codec_share_of_cores"] <= 1

    second = run(call, corpus_folder, b, "--codecs", FAST, "--jobs", "1", "--no-timing")
    assert second.returncode == 0, second.stderr
    for suffix in ("md", "csv", "tex", "html"):
        name = f"leaderboard.{suffix}"
        assert (a / name).read_bytes() == (b / name).read_bytes()
    assert not (b / "times.md").exists()

    before = journal(a)
    again = run(call, corpus_folder, a, "--codecs", FAST)
    assert again.returncode == 0, again.stderr
    assert journal(a) == before
    assert json.loads((a / "run.json").read_text())["phases"] == facts["phases"]
    assert call("suite", "report", a, "--no-page").stdout == again.stdout


def test_a_run_grows_by_codecs_and_can_start_afresh(call, corpus_folder, tmp_path):
    out = tmp_path / "out"
    run(call, corpus_folder, out, "--codecs", "zstd:level=1", "--no-timing")
    run(call, corpus_folder, out, "--codecs", "zvc", "--no-timing")
    assert set(results.read(out)["codec"]) == {"raw", "zstd:level=1", "zvc:block_bytes=64"}
    assert len(sizes(out)) == len(set(sizes(out))) == 18
    run(call, corpus_folder, out, "--codecs", "zvc", "--no-timing", "--no-resume")
    assert set(results.read(out)["codec"]) == {"raw", "zvc:block_bytes=64"}
    assert len(sizes(tmp_path / "out.1")) == 18


def test_every_fault_of_a_codec_costs_its_own_row(call, corpus_folder, tmp_path):
    reasons = {
        "faulty.overwrites": "encode overwrote its input",
        "faulty.raises": "encode raised RuntimeError: no such luck",
        "faulty.undecodable": "decode raised RuntimeError: cannot decode",
        "faulty.wrong": "decoded bytes differ from the trace's, first at byte 5",
        "faulty.short": "decode raised DecodeError: faulty.short decoded 16383 bytes, expected 16384",
        "faulty.hangs": "no result within 3 s; its process was killed",
        "faulty.dies": "its process died (SIGSEGV)",
    }
    out = tmp_path / "out"
    options = ("--codecs", ",".join([*reasons, "zvc"]), "--select", "role=weights", "--timeout", "3")
    done = run(call, corpus_folder, out, *options)
    assert done.returncode == 0, done.stderr
    rows = results.read(out).to_dicts()
    found = {row["codec"]: (row["status"], row["reason"]) for row in rows if row["sparsity"] == 0}
    assert {codec: found[codec] for codec in reasons} == {
        c: ("failed", reason) for c, reason in reasons.items()
    }
    assert found["zvc:block_bytes=64"] == ("ok", "")
    for codec in reasons:
        assert f"failed: {codec} on 2 traces" in done.stdout


def test_a_codec_that_does_not_take_a_dtype_is_skipped_with_the_reason(call, corpus_folder, tmp_path):
    out = tmp_path / "out"
    done = run(call, corpus_folder, out, "--codecs", "faulty.picky", "--no-timing")
    assert done.returncode == 0, done.stderr
    rows = results.read(out).filter(pl.col("codec") == "faulty.picky")
    assert sorted(rows["status"]) == ["ok"] * 2 + ["skipped"] * 4
    assert "float32 only, not int8" in "".join(rows["reason"])


def test_only_broken_codecs_leave_nothing_to_trust(call, corpus_folder, tmp_path):
    done = run(call, corpus_folder, tmp_path / "o", "--codecs", "faulty.wrong", "--no-timing")
    assert done.returncode == 0, "raw was verified"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])  # SIGKILL: tests/torture
def test_an_interrupted_run_goes_on_with_nothing_lost_or_measured_twice(corpus_folder, tmp_path, how):
    out = tmp_path / "out"
    options = ("--codecs", "faulty.slow,zvc", "--no-page")
    arguments = command("suite", "run", "--corpus", corpus_folder, "--out", out, *options)
    options = {"cwd": tmp_path, "env": environment(), "text": True}
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **options
    )
    deadline = time.monotonic() + 120
    while not (out / JOURNAL_FILE).exists() or len((out / JOURNAL_FILE).read_bytes().splitlines()) < 9:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    stdout, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr + stdout
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert "the same command goes on from there" in stderr
    kept = sizes(out)
    assert len(kept) < 18, "it was to be interrupted in the middle"

    done = subprocess.run(arguments, capture_output=True, timeout=240, check=False, **options)
    assert done.returncode == 0, done.stderr
    assert sizes(out)[: len(kept)] == kept
    assert len(sizes(out)) == len(set(sizes(out))) == 18
    assert len(results.read(out)) == 18


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--corpus", "nowhere"), "no corpus at nowhere: there is no such folder"),
        (("--corpus", "."), "no corpus at .: it holds no manifest.json"),
        (("--codecs", "zst"), "no codec 'zst'; did you mean 'zstd'?"),
        (("--codecs", "zstd:level=99"), "99"),
        (("--select", "rolle=x"), "did you mean 'role'?"),
        (("--jobs", "0"), "0"),
        (("--timeout", "-1"), "-1"),
    ],
)
def test_a_users_mistake_is_one_line(call, corpus_folder, tmp_path, arguments, message):
    if "--corpus" not in arguments:
        arguments = (*arguments, "--corpus", corpus_folder)
    done = call("suite", "run", "--out", tmp_path / "o", *arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_another_corpus_or_of_a_user_is_never_written_to(call, corpus_folder, tmp_path):
    run(call, corpus_folder, tmp_path / "o", "--codecs", "raw", "--no-timing")
    other = write_corpus(tmp_path / "other", name="other")
    (other / "manifest.json").write_text(
        (other / "manifest.json")
        .read_text()
        .replace("net/float32-s0/weights/fc1", "net/float32-s0/weights/fc2")
    )
    done = run(call, other, tmp_path / "o", "--codecs", "raw")
    assert done.returncode == 1
    assert (
        "does not add up" in done.stderr or "another corpus" in done.stderr or "do not add up" in done.stderr
    )
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = run(call, corpus_folder, mine, "--codecs", "raw")
    assert done.returncode == 1
    assert "is not empty and holds no run" in done.stderr
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def damage_flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_remove(path):
    path.unlink()


@pytest.mark.parametrize("damage", [damage_truncate, damage_remove])
def test_a_damaged_corpus_fails_its_rows_and_the_run_until_it_is_mended(call, own_corpus, tmp_path, damage):
    path = own_corpus / "net.h5"
    whole = path.read_bytes()
    damage(path)
    done = run(call, own_corpus, tmp_path / "o", "--codecs", "zvc", "--no-timing")
    assert done.returncode == 3
    assert "cannot be trusted" in done.stderr
    assert "Traceback" not in done.stderr
    assert set(results.read(tmp_path / "o")["status"]) == {"failed"}
    path.write_bytes(whole)
    done = run(call, own_corpus, tmp_path / "o", "--codecs", "zvc", "--no-timing")
    assert done.returncode == 0, done.stderr
    assert set(results.read(tmp_path / "o")["status"]) == {"ok"}


def test_a_flipped_bit_in_a_trace_is_found_by_its_digest(call, own_corpus, tmp_path):
    import h5py

    with h5py.File(own_corpus / "net.h5", "a") as file:
        file["/traces/float32-s80/weights/fc1"][0, 0] = 1.0
    done = run(call, own_corpus, tmp_path / "o", "--codecs", "zvc", "--no-timing")
    assert done.returncode == 3
    assert "1 damaged traces" in done.stderr
    statuses = results.read(tmp_path / "o").group_by("status").len().sort("status").rows()
    assert statuses == [("failed", 2), ("ok", 10)]


def test_a_trace_that_another_program_writes_is_locked_and_not_damaged(call, own_corpus, tmp_path):
    import h5py

    with h5py.File(own_corpus / "net.h5", "r+", libver=("v110", "v110")) as file:
        file.flush()
        done = run(call, own_corpus, tmp_path / "o", "--codecs", "zvc", "--no-timing")
    assert done.returncode == 3
    assert "locked traces" in done.stderr
    assert "damaged" not in done.stderr
    done = run(call, own_corpus, tmp_path / "o", "--codecs", "zvc", "--no-timing")
    assert done.returncode == 0, done.stderr


def test_a_full_disk_is_one_line_and_keeps_what_was_written(corpus_folder, tmp_path):
    out = tmp_path / "out"
    options = ("--no-timing", "--codecs", "zlib", "--no-page")
    arguments = command("suite", "run", "--corpus", corpus_folder, "--out", out, *options)
    options = {"cwd": tmp_path, "env": environment(), "capture_output": True, "text": True, "check": False}

    def limit():  # files may grow to 3 KB, as on a disk that fills up
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = subprocess.run(arguments, preexec_fn=limit, **options)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    kept = (out / JOURNAL_FILE).read_text().rpartition("\n")[0].splitlines()
    done = subprocess.run(arguments, **options)
    assert done.returncode == 0, done.stderr
    assert (out / JOURNAL_FILE).read_text().splitlines()[: len(kept)] == kept
    assert len(sizes(out)) == len(set(sizes(out))) == 12


def test_lists_and_help_answer_without_numba_or_torch(call):
    done = call("suite", "list", "codecs")
    assert done.returncode == 0, done.stderr
    assert "zstd" in done.stdout
    done = call("suite", "list", "hwmodels")
    assert "hw/bdi:line_bytes=64" in done.stdout
    assert "2 p / 1 p" in done.stdout
    done = call("suite", "list", "hwmodels", "hw/zvc")
    assert "modelled" in done.stdout
    done = call("suite", "list", "hwmodels", "hw/zvd")
    assert done.returncode == 1
    assert done.stderr == "error: no hardware model 'hw/zvd'; did you mean 'hw/zvc'?\n"
    script = "import sys, suite.cli; sys.exit(bool({'numba', 'torch', 'polars', 'h5py'} & set(sys.modules)))"
    assert subprocess.run([command()[0], "-c", script], check=False).returncode == 0
