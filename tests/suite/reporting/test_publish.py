import json

import pytest
from support import TRACES, cell

from suite import results
from suite.reporting import publish, site
from suite.runfile import RunError

README = f"head\n{publish.BEGIN}\n{publish.END}\n"
README += "![b](reports/c-1/x.svg) [reports/c-1](reports/c-1/y.md) runs/c-1f\n"


def make_run(folder, coded_bits, version="1"):
    folder.mkdir()
    cells = [cell(codec, t, bits) for t in TRACES for codec, bits in (("raw", 8000), ("zvc", coded_bits))]
    results.write(results.frame(cells), folder)
    facts = {
        "corpus": {"name": "c", "version": version, "digest": version * 64, "traces": 2},
        "last_plan": {"codecs": ["raw", "zvc"]},
        "phases": {},
        "machine": {},
    }
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture
def readme(tmp_path):
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/README.md").write_text(f"{publish.INDEX_BEGIN}{publish.INDEX_END}")
    return tmp_path / "README.md"


def test_later_boards_stand_beside_the_first_and_the_last_one_is_current(tmp_path, readme):
    reports = tmp_path / "reports"
    names = []
    for number, version in enumerate(("1", "1", "1", "2", "10")):
        run = make_run(tmp_path / f"run{number}", 100 + number, version)
        names.append(publish.publish(run, reports, readme).name)
    assert names == ["c-1", "c-1.1", "c-1.2", "c-2", "c-10"]
    assert [report.name for report in publish.published(reports)] == names
    assert publish.current(reports, "1" * 64).name == "c-1.2"
    assert publish.current(reports, "3" * 64) is None
    index = (reports / "README.md").read_text()
    assert index.count("| current |") == 1
    assert "| superseded by c-10: its traces are in the history of `traces/` |" in index
    assert "![b](reports/c-10/x.svg) [reports/c-10](reports/c-10/y.md) runs/c-1f" in readme.read_text()


def test_a_report_has_its_page_and_its_charts_as_svg(tmp_path, readme):
    run = make_run(tmp_path / "run", 100)
    report = publish.publish(run, tmp_path / "reports", readme)
    assert (report / site.PAGE_FILE).read_bytes() == (run / site.PAGE_FILE).read_bytes()
    drawn = sorted((run / site.CHARTS_FOLDER).glob("*.svg"))
    assert [path.name for path in sorted((report / site.CHARTS_FOLDER).iterdir())] == [p.name for p in drawn]
    assert "precision.svg" in {path.name for path in drawn}


def test_the_same_records_are_not_published_twice(tmp_path, readme):
    run = make_run(tmp_path / "run", 100)
    publish.publish(run, tmp_path / "reports", readme)
    with pytest.raises(RunError, match="c-1 holds the same records"):
        publish.publish(run, tmp_path / "reports", readme)
