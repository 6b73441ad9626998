"""A run: from a plan to a folder of records, phase by phase; it can be cut off and taken up anywhere."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite import conditions, execute, facts, fitting, machine, measure, pools, results, sources
from suite.hardware import hardware_facts
from suite.journal import JOURNAL_FILE, LOCK_FILE, Journal, Record
from suite.patience import PatientPool
from suite.plan import Subject, peak_traces
from suite.watching import Done, Watcher
from tracegen.corpus import Corpus, TraceInfo

RUN_FILE = "run.json"
RUN_SCHEMA_VERSION = 1
_FIRST_FILES = {LOCK_FILE, JOURNAL_FILE, f"{RUN_FILE}.part"}
"""What a run that was killed before it wrote its run.json leaves."""
TIMED_CPU_S_PER_CODEC = 12.0
"""A codec whose sizes took more CPU seconds than this is timed on evenly spread traces only."""

OF_TRACE = (
    *("model", "role", "layer", "dtype", "sparsity", "precision", "pruning", "phase", "split", "values"),
)
"""Columns of the results that are attributes of the trace."""

Key = tuple[str, ...]
"""What a record is about: (its kind, trace, digest) and for a cell also (codec spec, codec version)."""


class RunError(ValueError):
    """A run that cannot start or go on, in one line."""


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
        self.machine_id = machine.identity(self.machine)
        self.codes = sources.digests(self.subjects)
        self.damaged: dict[str, str] = {}
        self.records: dict[Key, Record] = {}
        self.phases: dict[str, Record] = {}
        self.paying_bytes = fitting.paying_bytes(self.corpus)
        self.limits = execute.Limits(self.settings.timeout_s, self.settings.memory_limit_bytes)

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
                for s, state, why, seconds in execute.run_cells(pool, jobs, measure.learn, todo, self.limits):
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
            self._record("size", (trace, subject), {"status": "failed", "reason": reason})

    def _size_phases(self) -> None:
        references = [(t, None) for t in self.traces if self._missing("reference", t)]
        # Largest first: the last cells to end are small, so no core waits long for another.
        traces = sorted(self.traces, key=lambda t: (-t.raw_bytes, t.name))
        cells = [(t, s) for t in traces for s in self.subjects if self._missing("size", t, s)]
        if not references and not cells:
            return
        wanted = self.settings
        with pools.size_pool(wanted.cluster, wanted.jobs, self.corpus, self.subjects) as (pool, jobs):
            self._compile(pool, min(jobs, len(cells)), list({s.spec: s for _, s in cells}.values()))
            wall_s = self._phase("reference", pool, jobs, measure.measure_reference, references)
            self.watcher.end(f"{len(references)} traces in {wall_s:.1f} s")
            wall_s = self._phase("size", pool, jobs, measure.measure_size, cells, peak_traces(self.traces))
        cpu_s = sum(self.records[_key("size", *cell)].get("codec_cpu_s", 0.0) for cell in cells)
        busy = cpu_s / (wall_s * jobs) if cells else 0.0
        self.phases["size"] |= {"codec_cpu_s": cpu_s, "jobs": jobs, "codec_share_of_cores": busy}
        self.watcher.end(f"{len(cells)} cells in {wall_s:.1f} s; codecs kept {jobs} cores {busy:.0%} busy")

    def _time_phase(self) -> None:
        sampled = {s.spec: self._sample(s) for s in self.subjects if s.kind == "software"}
        kinds = ("time", "cold") if self.settings.cold else ("time",)
        for kind in kinds:
            cells = [
                (t, s)
                for t in self.traces
                for s in self.subjects
                if t.name in sampled.get(s.spec, ()) and self._missing(kind, t, s)
            ]
            if cells:
                self._time(kind, cells)

    def _time(self, kind: str, cells: Sequence[tuple[TraceInfo, Subject]]) -> None:
        """Time the cells in one worker on a core of its own, and note how quiet the machine was."""
        earlier = self.phases.get(kind, {}).get("conditions", [])
        watch = conditions.Watch(conditions.choose_core())
        with conditions.away_from(watch.core), execute.worker_pool(1, core=watch.core) as pool:
            watch.probed(self._probe(pool))
            function = measure.measure_cold_time if kind == "cold" else measure.measure_time
            wall_s = self._phase(kind, pool, 1, function, cells)
            watch.probed(self._probe(pool))
        # A folder's times may be of several starts: each start's conditions stay.
        self.phases[kind]["conditions"] = [*earlier, now := watch.facts()]
        noise = "; ".join(conditions.noise(now))
        self.watcher.end(
            f"{len(cells)} cells timed alone in {wall_s:.1f} s" + (f"; NOISY: {noise}" if noise else "")
        )

    def _probe(self, pool: PatientPool) -> list[float] | None:
        outcomes = execute.run_cells(pool, 1, conditions.probe, [(None, ())], self.limits)
        return next((seconds for _, seconds, _, _ in outcomes), None)

    def _compile(self, pool: pools.Pool, jobs: int, subjects: Sequence[Subject]) -> None:
        start = time.perf_counter()
        compiled = loaded = 0
        self.watcher.begin("compile", len(subjects))
        cells = [(s, (s,)) for s in subjects]
        for s, counts, why, seconds in pools.run_cells(pool, jobs, measure.warm_up, cells, self.limits):
            # A codec that cannot even be made fails again in each of its cells, with the reason.
            compiled, loaded = (compiled + counts[0], loaded + counts[1]) if counts else (compiled, loaded)
            self.watcher.step(done("compile", (None, s), why, seconds, {}))
        if isinstance(pool, PatientPool):  # one for each worker: it takes so long that none takes two
            loads = [(worker, (subjects,)) for worker in range(jobs)]
            list(pools.run_cells(pool, jobs, measure.load_all, loads, self.limits))
        wall_s = time.perf_counter() - start
        self.phases["compile"] = {"wall_s": wall_s, "kernels_compiled": compiled, "kernels_cached": loaded}
        self.watcher.end(f"{compiled} kernels compiled, {loaded} from the cache, in {wall_s:.1f} s")

    def _phase(
        self,
        kind: str,
        pool: pools.Pool,
        jobs: int,
        function: Callable[..., Record],
        cells: Sequence[tuple[TraceInfo, Subject | None]],
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
        if kind in ("time", "cold"):
            record |= {"machine": self.machine_id, "code": self.codes[record["codec"]]}
        record |= result
        self.records[_key_of(record)] = record
        return record

    def _missing(self, kind: str, trace: TraceInfo, subject: Subject | None = None) -> bool:
        record = self.records.get(_key(kind, trace, subject))
        return record is None or not self._is_current(record)

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
            timed = {
                kind: self._current(self.records.get((kind, name, sha256, spec, size["codec_version"]), {}))
                for kind in ("time", "cold")
            }
            rows.append(_row(trace, reference, charged(trace, size, self.paying_bytes), **timed))
        return rows

    def _current(self, timed: Record) -> Record:
        """The record where it was timed on this machine with the code of today; empty elsewhere."""
        return timed if timed and self._is_current(timed) else {}

    def _is_current(self, record: Record) -> bool:
        """Whether it is no old time: not another machine's, nor of other code of a codec in this plan."""
        if record["record"] not in ("time", "cold"):
            return True
        code = self.codes.get(record["codec"])
        return record.get("machine") == self.machine_id and code in (None, record.get("code"))

    def _hardware_specs(self) -> list[str]:
        """Every model with a row: the report's hardware tables come from these facts."""
        specs = {r["codec"] for r in self.records.values() if r.get("kind") == "hardware"}
        return sorted(specs | {s.spec for s in self.subjects if s.kind == "hardware"})

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
            **hardware_facts(self._hardware_specs()),
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


def charged(trace: TraceInfo, size: Record, paying_bytes: int) -> Record:
    """The size with the trace's share of what the codec learned, where it is one that learns."""
    if "coded_bits" not in size or "state_bytes" not in size:
        return size
    share_bits = fitting.state_bits(size["state_bytes"], trace.raw_bytes, paying_bytes)
    return {**size, "coded_bits": size["coded_bits"] + share_bits, "state_bits": share_bits}


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


def _row(trace: TraceInfo, reference: Record, size: Record, time: Record, cold: Record) -> Record:
    row: Record = {
        **{name: getattr(trace, name) for name in OF_TRACE},
        "tensor_kind": trace.kind,
        "raw_bits": 8 * trace.raw_bytes,
        **reference,
        **size,
        **{name: time.get(name, []) for name in ("encode_s", "decode_s")},
        **{name: cold.get(name, []) for name in ("cold_encode_s", "cold_decode_s")},
    }
    if reason := time.get("reason") or cold.get("reason"):  # the size was verified before; it stands
        row["reason"] = f"not timed: {reason}"
    return row


def _key(kind: str, trace: TraceInfo, subject: Subject | None = None) -> Key:
    cell = (subject.spec, subject.version) if subject else ()
    return (kind, trace.name, trace.sha256, *cell)


def _key_of(record: Record) -> Key:
    cell = (record["codec"], record["codec_version"]) if "codec" in record else ()
    return (record["record"], record["trace"], record["trace_sha256"], *cell)
