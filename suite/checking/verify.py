"""Measuring a report again: whether its sizes are those that the corpus and the codecs give.

Sizes alone are measured, never times. A cell that cannot be measured here (its codec is not installed, or in
another version) is named as such and is no difference.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from suite import results, runfile
from suite.measuring import fitting, measure, memory, records, run, workers
from suite.measuring.patience import PatientPool
from suite.measuring.watching import Watcher
from suite.plan import NOT_INSTALLED, Subject, make_subject
from suite.reporting import leaderboard, render, reproduction
from tracegen.corpus import Corpus, TraceInfo

Cell = dict[str, Any]
"""A row of the results."""

C = TypeVar("C")

CHECKED = (
    "status",
    "coded_bits",
    "state_bits",
    "effective_bits_32",
    "effective_bits_64",
    "decompress_cycles",
)
"""Fields of a cell that depend on the trace's bytes and the codec's version alone."""

UNFIXED = "failed"
"""A status that a slower or faster machine may change (a timeout), and so nothing to hold a report to."""

WHOLE = "–"
"""Stands for the trace or codec where something else than one cell differs."""


@dataclass(frozen=True)
class Difference:
    """What the report says and what was found, of one cell or of the report as a whole."""

    trace: str
    codec: str
    what: str
    recorded: str
    found: str

    def __str__(self) -> str:
        return f"{self.trace}  {self.codec}  {self.what}: recorded {self.recorded}, found {self.found}"


@dataclass
class Verdict:
    """The outcome: how many cells were measured again, what differs, what could not be checked and why."""

    cells: int
    checked: int = 0
    differences: list[Difference] = field(default_factory=list)
    unchecked: dict[tuple[str, str], int] = field(default_factory=dict)
    """Cells by codec and reason."""
    has_card: bool = False

    @property
    def not_checkable(self) -> int:
        """Cells that were to be checked and could not be."""
        return sum(self.unchecked.values())

    def leave(self, cell: Cell, reason: str) -> None:
        """Count a cell as not checkable."""
        key = (cell["codec"], reason)
        self.unchecked[key] = self.unchecked.get(key, 0) + 1


@dataclass(frozen=True)
class Request:
    """What to measure again: all cells, or `sample` of them drawn by `seed`.

    `most_cpu_s` leaves out cells whose record says that they took longer; None leaves out none.
    """

    sample: int | None = None
    seed: int = 0
    jobs: int = 1
    timeout_s: float = 120.0
    most_cpu_s: float | None = None


def verify(folder: Path, corpus: Corpus, request: Request, watcher: Watcher | None = None) -> Verdict:
    """Measure the sizes in the report or run in `folder` again on `corpus`, which must be the same one.

    Raises RunError, FileNotFoundError or ValueError for a folder without a report, a damaged one, or a corpus
    with another digest.
    """
    watcher = watcher or Watcher()
    facts, table = runfile.read_run_file(folder), results.read(folder)
    if facts["corpus"]["digest"] != corpus.digest:
        raise runfile.RunError(
            f"{folder} is over another corpus: its digest is {facts['corpus']['digest'][:12]}…, that of "
            f"{corpus.root} is {corpus.digest[:12]}…"
        )
    cells = choose(table, request)
    verdict = Verdict(len(cells))
    verdict.differences += _records(folder, table, verdict)
    verdict.differences += _identities(table, corpus)
    with tempfile.TemporaryDirectory() as learned:
        _Checker(corpus, request, watcher, verdict).check(cells, folder, Path(learned))
    verdict.differences = list(dict.fromkeys(verdict.differences))
    return verdict


def choose(table: pl.DataFrame, request: Request) -> list[Cell]:
    """The cells to check, by trace; the same seed draws the same cells of the same report."""
    if request.most_cpu_s is not None:
        table = table.filter(pl.col("codec_cpu_s").fill_null(0) <= request.most_cpu_s)
    cells = table.sort("trace", "codec").to_dicts()
    if request.sample is None or request.sample >= len(cells):
        return cells
    drawn = random.Random(request.seed).sample(range(len(cells)), request.sample)  # noqa: S311 - no secret
    return [cells[n] for n in sorted(drawn)]


def _records(folder: Path, table: pl.DataFrame, verdict: Verdict) -> list[Difference]:
    """The report against itself: its card's digest and its table of sizes are those of its records."""
    found = []
    expected = reproduction.read(folder)
    verdict.has_card = expected is not None
    if expected is not None and (digest := reproduction.sizes_digest(table)) != expected["sizes_sha256"]:
        what = f"digest in {reproduction.CARD_FILE}"
        found.append(Difference(WHOLE, WHOLE, what, expected["sizes_sha256"], digest))
    board_file = folder / "leaderboard.csv"
    if board_file.exists():
        text = render.leaderboard_csv(leaderboard.build(table))
        if board_file.read_text(encoding="utf-8") != text:
            said = "another table than its records give"
            found.append(Difference(WHOLE, WHOLE, board_file.name, said, "see 'suite report' on a copy"))
    return found


def _identities(table: pl.DataFrame, corpus: Corpus) -> list[Difference]:
    """What the report says of each trace against the manifest: a changed role or split changes ranks too."""
    known = {trace.name: trace for trace in corpus.traces}
    columns = (*results.OF_TRACE, "raw_bits", "trace_sha256")
    found = []
    for row in table.select("trace", *columns).unique().sort("trace", *columns).iter_rows(named=True):
        trace = known.get(row["trace"])
        if trace is None:
            found.append(Difference(row["trace"], WHOLE, "trace", "measured", "not in the corpus"))
            continue
        is_now = {name: getattr(trace, name) for name in results.OF_TRACE}
        is_now |= {"raw_bits": 8 * trace.raw_bytes, "trace_sha256": trace.sha256}
        found += [
            Difference(row["trace"], WHOLE, name, str(row[name]), str(is_now[name]))
            for name in columns
            # Older reports know nothing of some attributes.
            if row[name] is not None and row[name] != is_now[name]
        ]
    return found


@dataclass
class _Checker:
    corpus: Corpus
    request: Request
    watcher: Watcher
    verdict: Verdict

    def check(self, cells: Sequence[Cell], folder: Path, learned: Path) -> None:
        jobs = self.request.jobs
        with workers.worker_pool(jobs) as pool:
            for cell in cells:
                if cell["status"] == UNFIXED:
                    self.verdict.leave(cell, "recorded as failed, which may depend on the machine")
            cells = [cell for cell in cells if cell["status"] != UNFIXED]
            subjects = self._subjects(cells, pool, folder, learned)
            traces = {trace.name: trace for trace in self.corpus.traces}
            todo = [cell for cell in cells if cell["codec"] in subjects and cell["trace"] in traces]
            self._warm_up(pool, list({cell["codec"]: subjects[cell["codec"]] for cell in todo}.values()))
            self._measure(pool, [(cell, traces[cell["trace"]], subjects[cell["codec"]]) for cell in todo])

    def _subjects(
        self, cells: Sequence[Cell], pool: PatientPool, folder: Path, learned: Path
    ) -> dict[str, Subject]:
        """The subjects that can be measured here, with what they learned; the others are named."""
        made: dict[str, Subject | str] = {}
        for cell in cells:
            if cell["codec"] not in made:
                made[cell["codec"]] = _subject(cell)
        self._learn(made, pool, folder, learned)
        for cell in cells:
            if isinstance(reason := made[cell["codec"]], str):
                self.verdict.leave(cell, reason)
        versions = {cell["codec"]: cell["codec_version"] for cell in cells}
        found = {spec: subject for spec, subject in made.items() if isinstance(subject, Subject)}
        for spec, subject in found.items():
            if subject.version != versions[spec]:  # of the same codec: what it learned is another thing
                self.verdict.differences.append(
                    Difference(WHOLE, spec, "state", versions[spec], subject.version)
                )
        return found

    def _learn(self, made: dict[str, Subject | str], pool: PatientPool, folder: Path, learned: Path) -> None:
        """Let those learn that do: a run's folder holds their states, a published report does not."""
        todo: list[tuple[Subject, tuple[Any, ...]]] = []
        for spec, subject in made.items():
            if isinstance(subject, Subject):
                kept = fitting.kept(self.corpus, subject, folder)
                made[spec] = kept or subject
                todo += [] if kept else [(subject, (self.corpus.root, subject))]
        if not todo:
            return
        self.watcher.begin("fit", len(todo))
        for subject, state, why, seconds in self._run(pool, measure.learn, todo):
            made[subject.spec] = why or fitting.keep(self.corpus, subject, learned, state)
            self.watcher.step(run.done("fit", (None, subject), why, seconds, {}))
        self.watcher.end(f"{len(todo)} codecs learned again")

    def _warm_up(self, pool: PatientPool, subjects: Sequence[Subject]) -> None:
        self.watcher.begin("compile", len(subjects))
        cells = [(subject, (subject,)) for subject in subjects]
        notes: dict[str, None] = {}
        for subject, found, why, seconds in self._run(pool, measure.warm_up, cells):
            notes |= dict.fromkeys(found[2] if found else ())
            self.watcher.step(run.done("compile", (None, subject), why, seconds, {}))
        self.watcher.end(f"{len(subjects)} codecs ready")
        for line in notes:
            self.watcher.note(line)

    def _measure(self, pool: PatientPool, cells: Sequence[tuple[Cell, TraceInfo, Subject]]) -> None:
        paying = fitting.paying_bytes(self.corpus)
        self.watcher.begin("verify", len(cells))
        todo = [(cell, (self.corpus.root, *cell[1:])) for cell in cells]
        for (cell, trace, subject), found, why, seconds in self._run(pool, measure.measure_size, todo):
            if found is None:
                self.verdict.leave(cell, str(why))
            else:
                self.verdict.checked += 1
                found |= {"state_bytes": subject.state_bytes} if subject.learns else {}
                self.verdict.differences += differences(cell, records.charged(trace, found, paying))
            self.watcher.step(run.done("verify", (trace, subject), why, seconds, found or {}))
        self.watcher.end(f"{len(cells)} cells")

    def _run(
        self, pool: PatientPool, function: Callable[..., Any], cells: Sequence[tuple[C, tuple[Any, ...]]]
    ) -> Iterator[tuple[C, Any, str | None, float]]:
        jobs = self.request.jobs
        limits = workers.Limits(self.request.timeout_s, memory.default_limit_bytes(jobs))
        return workers.run_cells(pool, jobs, function, cells, limits)


def differences(cell: Cell, found: Cell) -> list[Difference]:
    """The checked fields in which a recorded cell is not what was found."""
    fields = CHECKED if found["status"] == cell["status"] == "ok" else CHECKED[:1]
    return [
        Difference(cell["trace"], cell["codec"], name, str(cell[name]), str(found.get(name)))
        for name in fields
        if cell[name] != found.get(name)
    ]


def _subject(cell: Cell) -> Subject | str:
    """The subject of a cell, or why there is none here."""
    if cell["codec_version"] == NOT_INSTALLED:
        return "it was not installed where the report was made"
    try:
        subject = make_subject(cell["codec"])
    except ValueError as error:
        return str(error).splitlines()[0]
    if subject.version == NOT_INSTALLED:
        return "not installed here"
    if subject.version != _plain(cell["codec_version"]):
        return f"here it is version {subject.version}, recorded {_plain(cell['codec_version'])}"
    return subject


def _plain(version: str) -> str:
    """A version without the digest of what was learned."""
    return version.partition("+state-")[0]
