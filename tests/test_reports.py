"""Published reports stay loadable; the last one renders to the same bytes and can be measured again."""

import shutil

import pytest
from support import REPOSITORY

from suite import results, runfile
from suite.checking import verify
from suite.reporting import leaderboard, literature, publish, render
from suite.reporting import report as loading
from tracegen.corpus import Corpus

FOLDER = REPOSITORY / "reports"
REPORTS = publish.published(FOLDER)
CELLS_MEASURED_AGAIN = 240
SLOW_CPU_S = 0.25
"""A cell that took longer is not measured again: the others of its codec stand for it."""


@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.name)
def test_a_published_report_loads_and_gives_its_board(report):
    assert runfile.read_run_file(report)["corpus"]["digest"]
    board = leaderboard.build(results.read(report))
    assert render.leaderboard_csv(board).encode() == (report / "leaderboard.csv").read_bytes()


def test_the_last_report_renders_to_the_same_bytes(tmp_path):
    report = REPORTS[-1]
    copy = tmp_path / report.name
    shutil.copytree(report, copy)
    for name in render.REPORT_FILES:
        (copy / name).unlink(missing_ok=True)
    render.write_leaderboards(loading.load(copy), copy)
    for name in render.REPORT_FILES:
        assert (copy / name).read_bytes() == (report / name).read_bytes(), name


def test_the_readme_shows_the_head_of_the_current_report():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    report = publish.current(FOLDER, Corpus.open(REPOSITORY / "traces").digest)
    assert report, "no published report is of the corpus in traces/"
    assert f"(reports/{report.name}/leaderboard.md)" in readme
    shown = readme.partition(publish.BEGIN)[2].partition(publish.END)[0]
    assert shown == f"\n{publish.head(leaderboard.build(results.read(report)))}\n"


def test_the_index_says_which_report_is_current():
    text = (FOLDER / publish.INDEX_FILE).read_text(encoding="utf-8")
    shown = text.partition(publish.INDEX_BEGIN)[2].partition(publish.INDEX_END)[0]
    assert shown == f"\n{publish.index(FOLDER)}\n"


def test_the_papers_figures_stand_beside_those_of_the_current_report():
    report = publish.current(FOLDER, Corpus.open(REPOSITORY / "traces").digest)
    assert (REPOSITORY / literature.PAGE).read_text(encoding="utf-8") == literature.markdown(report)


@pytest.mark.timeout(600)  # kernels are compiled first on a fresh machine
def test_the_published_sizes_can_be_measured_again():
    """Of the current report over the corpus that is here; superseded ones are only rendered again."""
    corpus = Corpus.open(REPOSITORY / "traces")
    report = publish.current(FOLDER, corpus.digest)
    assert "failed" not in set(results.read(report)["status"])
    request = verify.Request(CELLS_MEASURED_AGAIN, seed=1, jobs=2, most_cpu_s=SLOW_CPU_S)
    verdict = verify.verify(report, corpus, request)
    assert verdict.differences == []
    assert verdict.checked > CELLS_MEASURED_AGAIN / 2, verdict.unchecked
