"""A run: from a plan to a folder of records, phase by phase; it can be cut off and taken up anywhere."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pebble import ProcessPool

import hwmodels
from suite import cluster, execute, facts, fitting, machine, measure, results
from suite.journal import JOURNAL_FILE, LOCK_FILE, Journal, Record
from suite.plan import Subject
from tracegen.corpus import Corpus, TraceInfo

RUN_FILE = "run.json"
RUN_SCHEMA_VERSION = 1
_FIRST_FILES = {LOCK_FILE, JOURNAL_FILE, f"{RUN_FILE}.part"}
"""What a run that was killed before it wrote its run.json leaves."""
TIMED_CPU_S_PER_CODEC = 12.0
"""A codec whose sizes took more CPU seconds than this is timed on evenly spread traces only."""

KILLED, KILLED_TRIES = "its process died (SIGKILL", 3
"""How the reason of a cell begins whose process was killed from outside, and how often it is tried."""

OF_TRACE = (
    *("model", "role", "layer", "dtype", "sparsity", "precision", "pruning", "phase", "split", "values"),
)
"""Columns of the results that are attributes of the trace."""

Key = tuple[str, ...]
"""What a record is about: (its kind, trace, digest) and for a cell also (codec spec, codec version)."""


Pool = ProcessPool | cluster.Cluster


class RunError(ValueError):
    """A run that cannot start or go on, in one line."""


@dataclass(frozen=True)
class Settings:
    """What a run was asked to do. `timeout_s` is for one cell; `jobs` is for the size phase.

    With `cluster`, a dask scheduler's address, its workers measure the sizes.
    """

    out: Path
    select: str | None = None
    jobs: int = 1
    timing: bool = True
    timeout_s: float = 120.0
    cluster: str | None = None


class Watcher:
    """Told of a run's progress; the command line shows it, other callers need not."""

    def begin(self, title: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def step(self) -> None:
        """One of the phase's steps is done."""

    def end(self, summary: str) -> None:
        """The phase is over."""


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
        self.machine_id = machine.identity(self.machine)
        self.damaged: dict[str, str] = {}
        self.records: dict[Key, Record] = {}
        self.phases: dict[str, Record] = {}
        self.paying_bytes = fitting.paying_bytes(self.corpus)

    def execute(self) -> None:
        """Measure every cell of the plan that the journal lacks, then write run.json and the results.

        Whatever ends it early (an error, Ctrl-C, a kill), finished cells stay in the journal.
        """
        self.phases |= _prepare_folder(self.settings.out, self.corpus.digest)
        with Journal(self.settings.out) as self.journal:
            for record in self.journal.records():
                self.records[_key_of(record)] = record
            self._write_run_file()
            try:
                self._fit_phase()
                self._size_phases()
                if self.settings.timing:
                    self._time_phase()
            finally:
                results.write(results.frame(self._rows()), self.settings.out)
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
            with execute.worker_pool(jobs) as pool:
                for s, state, why in execute.run_cells(
                    pool, jobs, measure.learn, todo, self.settings.timeout_s
                ):
                    subjects[s.spec] = s if why else fitting.keep(self.corpus, s, out, state)
                    if why:
                        self._fail_all(s, f"not fitted: {why}")
                    self.watcher.step()
            wall_s, n_traces = time.perf_counter() - start, len(fitting.lessons(self.corpus))
            self.phases["fit"] = {"codecs": len(todo), "wall_s": wall_s}
            self.watcher.end(f"{len(todo)} codecs learned on {n_traces} traces in {wall_s:.1f} s")
        self.subjects = [subject for subject in subjects.values() if subject]

    def _fail_all(self, subject: Subject, reason: str) -> None:
        """Fail a subject's cells unmeasured; not journaled, so that the next start tries again."""
        for trace in self.traces:
            self._record("size", (trace, subject), {"status": "failed", "reason": reason})

    def _size_phases(self) -> None:
        references = [(t, None) for t in self.traces if self._missing("reference", t)]
        # Largest first: the last cells to end are small, so no core waits long for another.
        traces = sorted(self.traces, key=lambda t: (-t.raw_bytes, t.name))
        cells = [(t, s) for t in traces for s in self.subjects if self._missing("size", t, s)]
        if not references and not cells:
            return
        with self._size_pool() as (pool, jobs):
            self._compile(pool, jobs, list({s.spec: s for _, s in cells}.values()))
            self._phase("reference", pool, jobs, measure.measure_reference, references)
            wall_s = self._phase("size", pool, jobs, measure.measure_size, cells)
        cpu_s = sum(self.records[_key("size", *cell)].get("codec_cpu_s", 0.0) for cell in cells)
        busy = cpu_s / (wall_s * jobs) if cells else 0.0
        self.phases["size"] |= {"codec_cpu_s": cpu_s, "jobs": jobs, "codec_share_of_cores": busy}
        self.watcher.end(f"{len(cells)} cells in {wall_s:.1f} s; codecs kept {jobs} cores {busy:.0%} busy")

    @contextmanager
    def _size_pool(self) -> Iterator[tuple[Pool, int]]:
        """Where sizes are measured, and how many at once: in processes here, or on a cluster."""
        if self.settings.cluster:
            with cluster.connect(self.settings.cluster, self.corpus, self.subjects) as workers:
                yield workers, workers.threads()
        else:
            with execute.worker_pool(self.settings.jobs) as pool:
                yield pool, self.settings.jobs

    def _time_phase(self) -> None:
        sampled = {s.spec: self._sample(s) for s in self.subjects if s.kind == "software"}
        cells = [
            (t, s)
            for t in self.traces
            for s in self.subjects
            if t.name in sampled.get(s.spec, ()) and self._missing("time", t, s)
        ]
        if cells:
            with execute.worker_pool(1) as pool:
                wall_s = self._phase("time", pool, 1, measure.measure_time, cells)
            self.watcher.end(f"{len(cells)} cells timed alone in {wall_s:.1f} s")

    def _compile(self, pool: Pool, jobs: int, subjects: Sequence[Subject]) -> None:
        start = time.perf_counter()
        compiled = loaded = 0
        self.watcher.begin("compile", len(subjects))
        cells = [(s, (s,)) for s in subjects]
        for _, counts, _ in _run_cells(pool, jobs, measure.warm_up, cells, self.settings.timeout_s):
            # A codec that cannot even be made fails again in each of its cells, with the reason.
            compiled, loaded = (compiled + counts[0], loaded + counts[1]) if counts else (compiled, loaded)
            self.watcher.step()
        wall_s = time.perf_counter() - start
        self.phases["compile"] = {"wall_s": wall_s, "kernels_compiled": compiled, "kernels_cached": loaded}
        self.watcher.end(f"{compiled} kernels compiled, {loaded} from the cache, in {wall_s:.1f} s")

    def _phase(
        self,
        kind: str,
        pool: Pool,
        jobs: int,
        function: Callable[..., Record],
        cells: Sequence[tuple[TraceInfo, Subject | None]],
    ) -> float:
        """Measure the cells and journal each as it ends; returns the phase's wall seconds."""
        start = time.perf_counter()
        self.watcher.begin(kind, len(cells))
        todo = [((t, s), (self.corpus.root, t) + ((s,) if s else ())) for t, s in cells]
        for cell, result, reason in _run_cells(pool, jobs, function, todo, self.settings.timeout_s):
            self._append(kind, cell, {"status": "failed", "reason": reason} if result is None else result)
            self.watcher.step()
        wall_s = time.perf_counter() - start
        self.phases[kind] = {"cells": len(cells), "wall_s": wall_s}
        return wall_s

    def _append(self, kind: str, cell: tuple[TraceInfo, Subject | None], result: Record) -> None:
        is_damaged = result.pop(measure.DAMAGED, False)
        record = self._record(kind, cell, result)
        if is_damaged:
            self.damaged[cell[0].name] = str(result["reason"])  # not journaled: measured once it is mended
        else:
            self.journal.append(record)

    def _record(self, kind: str, cell: tuple[TraceInfo, Subject | None], result: Record) -> Record:
        trace, subject = cell
        record: Record = {"record": kind, "trace": trace.name, "trace_sha256": trace.sha256}
        if subject:
            record |= {"codec": subject.spec, "codec_version": subject.version}
        if kind == "size" and subject:
            record |= {"kind": subject.kind, "lossless": subject.lossless}
            record |= {"state_bytes": subject.state_bytes} if subject.learns else {}
        if kind == "time":
            record["machine"] = self.machine_id
        record |= result
        self.records[_key_of(record)] = record
        return record

    def _missing(self, kind: str, trace: TraceInfo, subject: Subject | None = None) -> bool:
        record = self.records.get(_key(kind, trace, subject))
        # An old time is never taken for one of this machine.
        return record is None or record.get("machine") not in (None, self.machine_id)

    def _sample(self, subject: Subject) -> set[str]:
        """Traces that the subject is timed on: all, or every n-th where all would take too long."""
        sizes = {t.name: self.records[_key("size", t, subject)] for t in self.traces}
        cpu_s = {name: r["codec_cpu_s"] for name, r in sorted(sizes.items()) if r["status"] == "ok"}
        return set(list(cpu_s)[:: math.ceil(sum(cpu_s.values()) / TIMED_CPU_S_PER_CODEC) or 1])

    def _rows(self) -> list[Record]:
        """One row for each cell that this folder ever measured, in the codec's version of today."""
        traces = {(t.name, t.sha256): t for t in self.corpus.traces}
        versions = {s.spec: s.version for s in self.subjects}
        latest = {
            (r["trace"], r["trace_sha256"], r["codec"]): r
            for r in self.records.values()
            if r["record"] == "size" and versions.get(r["codec"], r["codec_version"]) == r["codec_version"]
        }
        rows = []
        for (name, sha256, spec), size in latest.items():
            trace = traces[name, sha256]
            reference = self.records.get(("reference", name, sha256), {})
            timed = self.records.get(("time", name, sha256, spec, size["codec_version"]), {})
            timed = timed if timed.get("machine") == self.machine_id else {}
            rows.append(_row(trace, reference, self._charged(trace, size), timed))
        return rows

    def _charged(self, trace: TraceInfo, size: Record) -> Record:
        """The size with the trace's share of what the codec learned, where it is one that learns."""
        if "coded_bits" not in size or "state_bytes" not in size:
            return size
        share_bits = fitting.state_bits(size["state_bytes"], trace.raw_bytes, self.paying_bytes)
        return {**size, "coded_bits": size["coded_bits"] + share_bits, "state_bits": share_bits}

    def _hardware_figures(self) -> dict[str, dict[str, Any]]:
        """Figures of every model with a row: the report's footnotes come from these records."""
        specs = {r["codec"] for r in self.records.values() if r.get("kind") == "hardware"}
        specs |= {s.spec for s in self.subjects if s.kind == "hardware"}
        return {
            spec: {name: asdict(figure) for name, figure in hwmodels.get_model(spec).figures.items()}
            for spec in sorted(specs)
        }

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
            "hardware": self._hardware_figures(),
            "versions": machine.versions(),
            "machine": self.machine,
            "phases": self.phases,
        }
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        beside = self.settings.out / f"{RUN_FILE}.part"
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.settings.out / RUN_FILE)


def read_run_file(folder: Path) -> dict[str, Any]:
    """The facts of the run in `folder`; RunError where there is no run, or a damaged one."""
    path = folder / RUN_FILE
    try:
        return facts.read(path)
    except FileNotFoundError as error:
        raise RunError(f"no run at {folder}: it holds no {RUN_FILE}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {type(error).__name__} {error}") from error


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


def _run_cells(
    pool: Pool,
    jobs: int,
    function: Callable[..., Any],
    cells: Sequence[tuple[Any, tuple[Any, ...]]],
    limits: Any,  # noqa: ANN401 - as `execute.run_cells` takes them
) -> Iterator[tuple[Any, ...]]:
    """Run the cells where the pool is; one whose process was killed from outside is run again, at the end.

    No codec's fault sends SIGKILL: an operator does, or a system short of memory, which later has some.
    """
    run_cells: Callable[..., Iterator[tuple[Any, ...]]] = execute.run_cells
    if isinstance(pool, cluster.Cluster):
        run_cells = cluster.run_cells
    arguments = dict(cells)
    for tries_left in reversed(range(KILLED_TRIES)):
        killed = []
        for cell, result, reason, *more in run_cells(pool, jobs, function, cells, limits):
            if tries_left and str(reason).startswith(KILLED):
                killed.append((cell, arguments[cell]))
            else:
                yield cell, result, reason, *more
        cells = killed


def _row(trace: TraceInfo, reference: Record, size: Record, timed: Record) -> Record:
    row: Record = {
        **{name: getattr(trace, name) for name in OF_TRACE},
        "tensor_kind": trace.kind,
        "raw_bits": 8 * trace.raw_bytes,
        **reference,
        **size,
        "encode_s": timed.get("encode_s", []),
        "decode_s": timed.get("decode_s", []),
    }
    if timed.get("reason"):  # the size was verified before; it stands
        row["reason"] = f"not timed: {timed['reason']}"
    return row


def _key(kind: str, trace: TraceInfo, subject: Subject | None = None) -> Key:
    cell = (subject.spec, subject.version) if subject else ()
    return (kind, trace.name, trace.sha256, *cell)


def _key_of(record: Record) -> Key:
    cell = (record["codec"], record["codec_version"]) if "codec" in record else ()
    return (record["record"], record["trace"], record["trace_sha256"], *cell)
