"""Folders whose names are not UTF-8: every command works in them, and nothing that was measured is lost."""

import os

import pytest

from suite import results

NAME = os.fsdecode(b"r\xff")


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """Python's own choice for output differs by locale: here it takes nothing but UTF-8."""
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("names")
    try:
        (place / NAME).mkdir()
    except OSError:  # some file systems know nothing but UTF-8
        pytest.skip("this file system takes no such names")
    (place / NAME).rmdir()
    return place


def test_runs_and_reports_live_in_folders_of_any_name(call, corpus_folder, place):
    runs = [place / NAME, place / f"{NAME}2"]
    for out, codec in zip(runs, ("zvc", "rle"), strict=True):
        options = ("--codecs", codec, "--no-timing", "--select", "role=weights")
        done = call("suite", "run", "--corpus", corpus_folder, "--out", out, *options)
        assert done.returncode == 0, done.stderr
        assert set(results.read(out)["status"]) == {"ok"}
        assert (out / "index.html").exists()
    readme = place / "README.md"
    readme.write_text("<!-- board -->\n<!-- /board -->")
    for arguments in (
        (
            "suite",
            "run",
            "--corpus",
            corpus_folder,
            "--out",
            runs[0],
            "--codecs",
            "zvc",
            "--no-timing",
            "--no-page",
        ),
        ("suite", "report", runs[0], "--no-page"),
        ("suite", "verify", runs[0], "--corpus", corpus_folder),
        ("suite", "compare", *runs),
        ("suite", "merge", *runs, "--out", place / f"{NAME}3"),
        ("suite", "verify", place / f"{NAME}3", "--corpus", corpus_folder),
        ("suite", "publish", runs[0], "--reports", place / f"{NAME}4", "--readme", readme),
        ("suite", "doctor", "--out", runs[0]),
    ):
        done = call(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        assert "Traceback" not in done.stderr


def test_corpora_live_in_folders_of_any_name(call, place):
    import json

    import numpy as np

    (place / f"{NAME}i").mkdir()
    np.save(place / f"{NAME}i" / "a.npy", np.arange(64, dtype=np.float32))
    row = {"file": "a.npy", "model": "m", "role": "weights", "layer": "l", "dtype": "float32"}
    index, corpus = place / f"{NAME}i" / f"{NAME}.json", place / f"{NAME}c"
    index.write_text(json.dumps([row]))
    for arguments in (
        ("tracegen", "import", "--index", index, "--out", corpus),
        ("tracegen", "verify", corpus),
        ("tracegen", "list", "--corpus", corpus),
        ("tracegen", "show", "m/float32-s0/weights/l", "--corpus", corpus),
        (
            "suite",
            "run",
            "--corpus",
            corpus,
            "--out",
            place / f"{NAME}o",
            "--codecs",
            "zvc",
            "--no-timing",
            "--no-page",
        ),
    ):
        done = call(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
