import csv
import html.parser
import json
import re

import pytest
from support import TRACES, cell

from suite import results
from suite.reporting import render
from suite.runfile import RunError


@pytest.fixture
def folder(tmp_path):
    """A run's folder as the records alone make it, with names that are special in every file format."""
    cells = [cell("shuffle|zstd:level=3", t, 100) for t in TRACES]
    cells += [cell("<script>&_", t, 200, encode_s=[1e-3], decode_s=[1e-3]) for t in TRACES]
    cells += [cell("raw", t, 8000, encode_s=[1e-4], decode_s=[1e-4]) for t in TRACES]
    cells += [cell("bad", t, None) for t in TRACES]
    results.write(results.frame(cells), tmp_path)
    facts = {
        "corpus": {"name": "c", "version": "1", "digest": "0" * 64, "traces": 2},
        "phases": {},
        "machine": {"cpu": "a CPU", "usable_cores": 2, "system": "an OS", "python": "3.11"},
    }
    (tmp_path / "run.json").write_text(json.dumps(facts))
    render.write_tables(tmp_path)
    return tmp_path


def read(folder, name):
    return (folder / name).read_text(encoding="utf-8")


def test_rendering_again_gives_the_same_bytes(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    render.write_tables(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {
        f"{stem}.{suffix}" for stem in ("leaderboard", "times") for suffix in ("md", "csv", "tex", "html")
    } <= set(before)


def test_sizes_know_no_times_and_no_machine(folder):
    for suffix in ("md", "csv", "tex", "html"):
        text = read(folder, f"leaderboard.{suffix}")
        assert "MB/s" not in text
        assert "a CPU" not in text
    assert "a CPU" in read(folder, "times.md")


def test_markdown_tables_have_as_many_cells_in_every_row(folder):
    tables = re.split(r"\n\n", read(folder, "leaderboard.md"))
    tables = [table.splitlines() for table in tables if table.startswith("|")]
    assert len(tables) == 5
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_html_escapes_every_name_and_is_whole(folder):
    text = read(folder, "leaderboard.html")
    assert "<script>" not in text
    assert "&lt;script&gt;&amp;_" in text
    assert "http" not in text, "one file, no network"
    open_tags = []

    class Checker(html.parser.HTMLParser):
        def handle_starttag(self, tag, _):
            if tag != "meta":
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Checker().feed(text)
    assert not open_tags


def test_latex_escapes_what_is_special(folder):
    text = read(folder, "leaderboard.tex")
    assert r"\&\_" in text
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") == 5
    assert text.isascii()


def test_csv_has_every_row_and_full_columns(folder):
    with (folder / "leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["codec"] for row in rows] == ["shuffle|zstd:level=3", "<script>&_", "raw"]
    assert rows[0]["total_ratio"] == "44"
    assert rows[0]["role=weights"] == "80"


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"no run at .*run.json"):
        render.write_tables(tmp_path)


def test_damaged_records_are_refused(folder):
    (folder / "results.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(ValueError, match=r"results.parquet is damaged"):
        render.write_tables(folder)
    (folder / "run.json").write_text("{}")
    with pytest.raises(RunError, match=r"run.json is damaged"):
        render.write_tables(folder)
