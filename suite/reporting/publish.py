"""Publishing a run: its folder becomes a report, and the README shows the report's head.

The first report over a version of a corpus is `<corpus>-<version>`, the boards that follow it over the same
traces (more codecs, newer ones) are `<corpus>-<version>.1`, `.2`, ... The last one is current.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from suite import runfile
from suite.reporting import documents, literature, render, site, tables, terminal
from suite.reporting.formats import markdown_table
from suite.reporting.leaderboard import Board
from suite.reporting.tables import Section
from suite.results import RESULTS_FILE

BEGIN, END = "<!-- board -->", "<!-- /board -->"
INDEX_BEGIN, INDEX_END = "<!-- reports -->", "<!-- /reports -->"
INDEX_FILE = "README.md"
PICTURE_FILE = "leaderboard.svg"
PUBLISHED = (
    *(runfile.RUN_FILE, RESULTS_FILE, PICTURE_FILE, site.PAGE_FILE),
    *render.REPORT_FILES,
    *documents.DOCUMENT_FILES,
)
README_ROWS = 8


def publish(folder: Path, reports: Path, readme: Path) -> Path:
    """Copy the report of the run in `folder` to `reports`; renew the README's board and links.

    So is the page of the papers' figures, where the run has a row for each. Returns the report's new folder.
    Raises RunError where the same records are published already: a published report is never edited.
    """
    corpus = runfile.read_run_file(folder)["corpus"]
    earlier = _of_corpus(published(reports), corpus["name"])
    for other in earlier:
        if (other / RESULTS_FILE).read_bytes() == (folder / RESULTS_FILE).read_bytes():
            raise runfile.RunError(f"{folder} is published already: {other} holds the same records")
    report = render.write_tables(folder)
    (folder / PICTURE_FILE).write_text(terminal.picture(report), encoding="utf-8")
    site.write_site(report, folder)
    target = reports / _next_name(corpus, reports)
    target.mkdir(parents=True)
    for name in PUBLISHED:
        if (folder / name).exists():
            shutil.copyfile(folder / name, target / name)
    _copy_charts(folder / site.CHARTS_FOLDER, target / site.CHARTS_FOLDER)
    _replace_between(readme, BEGIN, END, head(report.board))
    if earlier:
        _point_to(readme, earlier[-1].name, target.name)
    if (reports / INDEX_FILE).exists():
        _replace_between(reports / INDEX_FILE, INDEX_BEGIN, INDEX_END, index(reports))
    if literature.fits(target):
        page = readme.parent / literature.PAGE
        page.write_text(literature.markdown(target), encoding="utf-8", newline="\n")
    return target


def _copy_charts(drawn: Path, target: Path) -> None:
    """Only the SVG files: they scale, and are a tenth of the PNG ones."""
    target.mkdir()
    for path in sorted(drawn.glob("*.svg")):
        shutil.copyfile(path, target / path.name)


def published(reports: Path) -> list[Path]:
    """The folders of all reports, by corpus, the oldest first."""
    return sorted((path.parent for path in reports.glob(f"*/{runfile.RUN_FILE}")), key=_age)


def current(reports: Path, digest: str) -> Path | None:
    """The last report over the corpus with this digest; None where there is none."""
    over_it = [
        path for path in published(reports) if runfile.read_run_file(path)["corpus"]["digest"] == digest
    ]
    return over_it[-1] if over_it else None


def index(reports: Path) -> str:
    """The table of all reports for their README, the newest first: which is current, which superseded."""
    rows = ["| report | measured | |", "|---|---|---|"]
    for report in reversed(published(reports)):
        facts = runfile.read_run_file(report)
        corpus, subjects = facts["corpus"], len(facts["last_plan"]["codecs"])
        last = _of_corpus(published(reports), corpus["name"])[-1]
        what = f"{subjects} codecs and hardware models on {corpus['traces']} traces of {corpus['name']}"
        state = "current"
        if last != report:
            same = runfile.read_run_file(last)["corpus"]["version"] == corpus["version"]
            state = f"superseded by {last.name}"
            state += "" if same else ": its traces are in the history of `traces/`"
        link = f"[{report.name}]({report.name}/leaderboard.md)"
        rows.append(f"| {link} | {what}, version {corpus['version']} | {state} |")
    return "\n".join(rows)


def head(board: Board) -> str:
    """The first rows of the board as a Markdown table, for the README."""
    roles = tables.group_columns(board.breakdowns["role"])
    columns = (tables.RANK, tables.CODEC, tables.TOTAL, *roles)
    return markdown_table(Section("", "", columns, board.rows[:README_ROWS]))


def _of_corpus(reports: list[Path], name: str) -> list[Path]:
    return [report for report in reports if runfile.read_run_file(report)["corpus"]["name"] == name]


def _next_name(corpus: dict[str, Any], reports: Path) -> str:
    first = f"{corpus['name']}-{corpus['version']}"
    name, number = first, 0
    while (reports / name).exists():
        number += 1
        name = f"{first}.{number}"
    return name


def _age(report: Path) -> tuple[str, list[int], list[int]]:
    """Corpus, its version, number of the board: what reports are ordered by."""
    corpus = runfile.read_run_file(report)["corpus"]
    board = report.name.removeprefix(f"{corpus['name']}-{corpus['version']}")
    return (corpus["name"], _numbers(corpus["version"]), _numbers(board))


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def _replace_between(path: Path, begin: str, end: str, content: str) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{begin}\n{content}\n{end}{after}", encoding="utf-8")


def _point_to(readme: Path, old: str, new: str) -> None:
    """Let links and pictures of the last report show the new one."""
    text = readme.read_text(encoding="utf-8")
    readme.write_text(
        re.sub(rf"\breports/{re.escape(old)}(?=[/\]])", f"reports/{new}", text), encoding="utf-8"
    )
