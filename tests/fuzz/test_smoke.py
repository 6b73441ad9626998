"""A few seconds of the fuzz tier, and that it sees what it is there for."""

import subprocess
import sys

import pytest
from support import REPOSITORY, environment


def fuzz(tmp_path, *options):
    command = [sys.executable, REPOSITORY / "tests/fuzz/run.py", "--findings", "found", *options]
    return subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=280, check=False
    )


def test_no_codec_does_worse_than_refuse_a_damaged_frame(tmp_path):
    done = fuzz(tmp_path, "--frames", "20000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 findings" in done.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [("dies-decoding", "SIGSEGV"), ("hungry", "MemoryError")],
)
def test_what_goes_wrong_is_caught_and_its_frame_saved(tmp_path, name, reason):
    options = ("--frames", "4000", "--jobs", "1", "--timeout", "3", "--codec", f"faulty.{name}")
    done = fuzz(tmp_path, *options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert reason in done.stdout
    frames = list((tmp_path / "found").iterdir())
    assert any(frame.read_bytes().endswith(b"\xff") for frame in frames)
