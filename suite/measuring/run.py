"""A run: from a plan to a folder of records, phase by phase; it can be cut off and taken up anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from suite import machine, results
from suite.journal import JOURNAL_FILE, LOCK_FILE, Journal, Record
from suite.measuring import code_digests, conditions, fitting, measure, pools, workers
from suite.measuring.hardware_facts import hardware_facts
from suite.measuring.patience import PatientPool
from suite.measuring.records import Cell, Records
from suite.measuring.watching import Done, Watcher
from suite.plan import Subject, peak_traces
from suite.runfile import PART_FILE, RUN_FILE, RUN_SCHEMA_VERSION, RunError, read_run_file, write_run_file
from tracegen.corpus import Corpus, TraceInfo

_FIRST_FILES = {LOCK_FILE, JOURNAL_FILE, PART_FILE}
"""What a run that was killed before it wrote its run.json leaves."""


@dataclass(frozen=True)
class Settings:
    """What a run was asked to do. `jobs` is for the size phase, `timeout_s` and the limit for one cell.

    `cold` asks for times of inputs that no cache holds, beside the others. With `cluster`, a dask scheduler's
    address, its workers measure the sizes.
    """

    out: Path
    select: str | None = None
    jobs: int = 1
    timing: bool = True
    timeout_s: float = 120.0
    memory_limit_bytes: int | None = None
    cold: bool = False
    cluster: str | None = None


@dataclass
class Run:
    """One run in its folder: the plan, the journal, and what is in it already."""

    settings: Settings
    corpus: Corpus
    traces: Sequence[TraceInfo]
    subjects: Sequence[Subject]
    watcher: Watcher = field(default_factory=Watcher)

    def __post_init__(self) -> None:
        self.machine = machine.describe()
        self.damaged: dict[str, str] = {}
        self.records = Records(
            self.corpus, machine.identity(self.machine), code_digests.digests(self.subjects)
        )
        self.phases: dict[str, Record] = {}
        self.limits = workers.Limits(self.settings.timeout_s, self.settings.memory_limit_bytes)

    def execute(self) -> None:
        """Measure every cell of the plan that the journal lacks, then write run.json and the results.

        Whatever ends it early (an error, Ctrl-C, a kill), finished cells stay in the journal.
        """
        self.phases |= _prepare_folder(self.settings.out, self.corpus.digest)
        with Journal(self.settings.out) as self.journal:
            for record in self.journal.records():
                self.records.add(record)
            self._write_run_file()
            try:
                self._fit_phase()
                self._size_phases()
                if self.settings.timing:
                    self._time_phase()
            finally:
                results.write(results.frame(self.records.rows(self.subjects)), self.settings.out)
                self._write_run_file()

    def finished(self) -> int:
        """Records that the folder holds."""
        return len(self.records)

    def _fit_phase(self) -> None:
        """Let those subjects learn that do and have not yet; from here on each has its state."""
        out, start = self.settings.out, time.perf_counter()
        subjects = {s.spec: fitting.kept(self.corpus, s, out) for s in self.subjects}
        todo = [(s, (self.corpus.root, s)) for s in self.subjects if subjects[s.spec] is None]
        if todo:
            jobs = min(self.settings.jobs, len(todo))
            self.watcher.begin("fit", len(todo))
            with workers.worker_pool(jobs) as pool:
                for s, state, why, seconds in workers.run_cells(pool, jobs, measure.learn, todo, self.limits):
                    subjects[s.spec] = s if why else fitting.keep(self.corpus, s, out, state)
                    if why:
                        self._fail_all(s, f"not fitted: {why}")
                    self.watcher.step(done("fit", (None, s), why, seconds, {}))
            wall_s, n_traces = time.perf_counter() - start, len(fitting.lessons(self.corpus))
            self.phases["fit"] = {"codecs": len(todo), "wall_s": wall_s}
            self.watcher.end(f"{len(todo)} codecs learned on {n_traces} traces in {wall_s:.1f} s")
        self.subjects = [subject for subject in subjects.values() if subject]

    def _fail_all(self, subject: Subject, reason: str) -> None:
        """Fail a subject's cells unmeasured; not journaled, so that the next start tries again."""
        for trace in self.traces:
            self.records.made_of("size", (trace, subject), {"status": "failed", "reason": reason})

    def _size_phases(self) -> None:
        references = [(t, None) for t in self.traces if self.records.missing("reference", t)]
        # Largest first: the last cells to end are small, so no core waits long for another.
        traces = sorted(self.traces, key=lambda t: (-t.raw_bytes, t.name))
        cells = [(t, s) for t in traces for s in self.subjects if self.records.missing("size", t, s)]
        if not references and not cells:
            return
        wanted = self.settings
        with pools.size_pool(wanted.cluster, wanted.jobs, self.corpus, self.subjects) as (pool, jobs):
            self._compile(pool, min(jobs, len(cells)), list({s.spec: s for _, s in cells}.values()))
            wall_s = self._phase("reference", pool, jobs, measure.measure_reference, references)
            self.watcher.end(f"{len(references)} traces in {wall_s:.1f} s")
            wall_s = self._phase("size", pool, jobs, measure.measure_size, cells, peak_traces(self.traces))
        cpu_s = sum(self.records.size_of(*cell).get("codec_cpu_s", 0.0) for cell in cells)
        busy = cpu_s / (wall_s * jobs) if cells else 0.0
        self.phases["size"] |= {"codec_cpu_s": cpu_s, "jobs": jobs, "codec_share_of_cores": busy}
        self.watcher.end(f"{len(cells)} cells in {wall_s:.1f} s; codecs kept {jobs} cores {busy:.0%} busy")

    def _time_phase(self) -> None:
        sampled = {s.spec: self.records.sample(s, self.traces) for s in self.subjects if s.kind == "software"}
        kinds = ("time", "cold") if self.settings.cold else ("time",)
        for kind in kinds:
            cells = [
                (t, s)
                for t in self.traces
                for s in self.subjects
                if t.name in sampled.get(s.spec, ()) and self.records.missing(kind, t, s)
            ]
            if cells:
                self._time(kind, cells)

    def _time(self, kind: str, cells: Sequence[tuple[TraceInfo, Subject]]) -> None:
        """Time the cells in one worker on a core of its own, and note how quiet the machine was."""
        earlier = self.phases.get(kind, {}).get("conditions", [])
        watch = conditions.Watch(conditions.choose_core())
        with conditions.away_from(watch.core), workers.worker_pool(1, core=watch.core) as pool:
            watch.probed(self._probe(pool))
            function = measure.measure_cold_time if kind == "cold" else measure.measure_time
            wall_s = self._phase(kind, pool, 1, function, cells)
            watch.probed(self._probe(pool))
        # A folder's times may be of several starts: each start's conditions stay.
        self.phases[kind]["conditions"] = [*earlier, now := watch.facts()]
        noise = "; ".join(machine.noise(now))
        self.watcher.end(
            f"{len(cells)} cells timed alone in {wall_s:.1f} s" + (f"; NOISY: {noise}" if noise else "")
        )

    def _probe(self, pool: PatientPool) -> list[float] | None:
        outcomes = workers.run_cells(pool, 1, conditions.probe, [(None, ())], self.limits)
        return next((seconds for _, seconds, _, _ in outcomes), None)

    def _compile(self, pool: pools.Pool, jobs: int, subjects: Sequence[Subject]) -> None:
        start = time.perf_counter()
        compiled = loaded = 0
        notes: dict[str, None] = {}  # every worker has them
        self.watcher.begin("compile", len(subjects))
        cells = [(s, (s,)) for s in subjects]
        for s, counts, why, seconds in pools.run_cells(pool, jobs, measure.warm_up, cells, self.limits):
            # A codec that cannot even be made fails again in each of its cells, with the reason.
            n_compiled, n_loaded, lines = counts or (0, 0, ())
            compiled, loaded = compiled + n_compiled, loaded + n_loaded
            notes |= dict.fromkeys(lines)
            self.watcher.step(done("compile", (None, s), why, seconds, {}))
        if isinstance(pool, PatientPool):  # one for each worker: it takes so long that none takes two
            loads = [(worker, (subjects,)) for worker in range(jobs)]
            for _, lines, _, _ in pools.run_cells(pool, jobs, measure.load_all, loads, self.limits):
                notes |= dict.fromkeys(lines or ())
        wall_s = time.perf_counter() - start
        self.phases["compile"] = {"wall_s": wall_s, "kernels_compiled": compiled, "kernels_cached": loaded}
        self.watcher.end(f"{compiled} kernels compiled, {loaded} from the cache, in {wall_s:.1f} s")
        for line in notes:
            self.watcher.note(line)

    def _phase(
        self,
        kind: str,
        pool: pools.Pool,
        jobs: int,
        function: Callable[..., Record],
        cells: Sequence[Cell],
        peaks: Collection[str] = (),
    ) -> float:
        """Measure the cells, traces in `peaks` with peak memory, and journal each; returns wall seconds."""
        start, own_start_s = time.perf_counter(), time.process_time()
        self.watcher.begin(kind, len(cells))
        todo = [
            ((t, s), (self.corpus.root, t, *((s,) if s else ()), *((True,) if t.name in peaks else ())))
            for t, s in cells
        ]
        for cell, result, why, seconds in pools.run_cells(pool, jobs, function, todo, self.limits):
            found = {"status": "failed", "reason": why} if result is None else result
            self._append(kind, cell, found)
            self.watcher.step(done(kind, cell, why, seconds, found))
        wall_s = time.perf_counter() - start
        # Scheduling, journal, progress: all that this process does.
        own_cpu_s = time.process_time() - own_start_s
        self.phases[kind] = {"cells": len(cells), "wall_s": wall_s, "own_cpu_s": own_cpu_s}
        return wall_s

    def _append(self, kind: str, cell: Cell, result: Record) -> None:
        is_damaged = result.pop(measure.DAMAGED, False)
        record = self.records.made_of(kind, cell, result)
        if is_damaged:
            self.damaged[cell[0].name] = str(result["reason"])  # not journaled: measured once it is mended
        else:
            self.journal.append(record)

    def _write_run_file(self) -> None:
        found = {
            "schema_version": RUN_SCHEMA_VERSION,
            "corpus": {
                "name": self.corpus.name,
                "version": self.corpus.version,
                "digest": self.corpus.digest,
                "traces": len(self.corpus.traces),
            },
            "last_plan": {
                "traces": len(self.traces),
                "select": self.settings.select,
                "codecs": [s.spec for s in self.subjects],
                "timing": self.settings.timing,
            },
            **hardware_facts(self.records.hardware_specs(self.subjects)),
            "versions": machine.versions(),
            "machine": self.machine,
            "phases": self.phases,
        }
        write_run_file(self.settings.out, found)


def set_aside(out: Path) -> None:
    """Rename an existing run's folder, so that a new run starts afresh and nothing is lost."""
    if (out / RUN_FILE).exists():
        number = 1
        while (aside := out.with_name(f"{out.name}.{number}")).exists():
            number += 1
        out.rename(aside)


def _prepare_folder(out: Path, corpus_digest: str) -> dict[str, Record]:
    """Make or check the run's folder; returns the phases of an earlier start in it."""
    phases: dict[str, Record] = {}
    if (out / RUN_FILE).exists():
        earlier = read_run_file(out)
        if "merged_from" in earlier:  # it has no journal: its cells would be lost
            raise RunError(f"{out} holds merged runs; choose another --out, and merge that one with it")
        phases, found = earlier["phases"], earlier["corpus"]["digest"]
        if found != corpus_digest:
            raise RunError(
                f"{out} holds a run over another corpus ({found[:12]}…, this one is {corpus_digest[:12]}…); "
                "choose another --out"
            )
    elif out.exists() and {path.name for path in out.iterdir()} - _FIRST_FILES:
        raise RunError(f"{out} is not empty and holds no run; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    return phases


def done(
    kind: str, cell: tuple[TraceInfo | None, Subject | None], why: str | None, seconds: float, found: Record
) -> Done:
    """What a watcher is told of a cell, from what its worker gave back."""
    trace, subject = cell
    name, spec = trace.name if trace else "", subject.spec if subject else ""
    status, reason = found.get("status", "ok"), str(found.get("reason", ""))
    return Done(kind, name, spec, "failed" if why else status, seconds, why or reason)
