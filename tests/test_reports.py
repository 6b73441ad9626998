"""Published reports stay loadable, re-render to the same bytes, and can be measured again."""

import shutil

import polars as pl
import pytest
from support import REPOSITORY

from suite import fitting, measure, plan, publish, render, results, run
from tracegen.corpus import Corpus

REPORTS = sorted(path.parent for path in (REPOSITORY / "reports").glob("*/run.json"))
SLOW = ("brotli:quality=11", "zstd:level=19")


@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.name)
def test_a_published_report_renders_to_the_same_bytes(report, tmp_path):
    copy = tmp_path / report.name
    shutil.copytree(report, copy)
    for name in render.REPORT_FILES:
        (copy / name).unlink(missing_ok=True)
    render.write_report(copy)
    for name in render.REPORT_FILES:
        assert (copy / name).read_bytes() == (report / name).read_bytes(), name


def test_the_readme_shows_the_head_of_the_report_that_it_links(tmp_path):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    report = next(
        report for report in REPORTS if f"({report.relative_to(REPOSITORY)}/leaderboard.md)" in readme
    )
    copy = tmp_path / report.name
    shutil.copytree(report, copy)
    board, _ = render.write_report(copy)
    shown = readme.partition(publish.BEGIN)[2].partition(publish.END)[0]
    assert shown == f"\n{publish.head(board)}\n"


def test_the_published_sizes_can_be_measured_again(tmp_path):
    """Of the corpus that is here; reports of superseded ones are only rendered again."""
    corpus = Corpus.open(REPOSITORY / "traces")
    digests = {run.read_run_file(report)["corpus"]["digest"]: report for report in REPORTS}
    assert corpus.digest in digests, "no published report is of the corpus in traces/"
    published = results.read(digests[corpus.digest])
    assert set(published["status"]) == {"ok"}
    for subject in plan.choose_subjects(None):
        if subject.spec in SLOW:
            continue
        learned = fitting.kept(corpus, subject, tmp_path) or fitting.keep(
            corpus, subject, tmp_path, measure.learn(corpus.root, subject)
        )
        rows = published.filter(pl.col("codec") == subject.spec)
        frames_bits = rows["coded_bits"] - rows["state_bits"].fill_null(0)
        sizes = dict(zip(rows["trace"], frames_bits, strict=True))
        for trace in corpus.traces[:: len(corpus.traces) // 12]:
            assert measure.measure_size(corpus.root, trace, learned)["coded_bits"] == sizes[trace.name]
