"""The records of a run, one for each measured trace or cell: which are missing, and which are current."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from suite.journal import Record
from suite.measuring import fitting
from suite.plan import Subject
from suite.results import OF_TRACE
from tracegen.corpus import Corpus, TraceInfo

TIMED_CPU_S_PER_CODEC = 12.0
"""A codec whose sizes took more CPU seconds than this is timed on evenly spread traces only."""

Cell: TypeAlias = tuple[TraceInfo, Subject | None]
"""What is measured: a trace with a subject, or alone."""
Key: TypeAlias = tuple[str, ...]
"""What a record is about: (its kind, trace, digest) and for a cell also (codec spec, codec version)."""


@dataclass
class Records:
    """All that a run's folder knows. Times count for one machine and the code of today."""

    corpus: Corpus
    machine_id: str
    codes: Mapping[str, str]
    """By spec: a digest of the code that a time is of."""
    by_key: dict[Key, Record] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.by_key)

    def add(self, record: Record) -> None:
        """Keep a record; it takes the place of an older one about the same."""
        self.by_key[_key_of(record)] = record

    def size_of(self, trace: TraceInfo, subject: Subject) -> Record:
        """The size record of a cell that was measured."""
        return self.by_key[_key("size", trace, subject)]

    def made_of(self, kind: str, cell: Cell, result: Record) -> Record:
        """Keep what was measured of a cell, with what it is about; returns the whole record."""
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
        self.add(record)
        return record

    def missing(self, kind: str, trace: TraceInfo, subject: Subject | None = None) -> bool:
        """Whether there is no record of it that still counts."""
        record = self.by_key.get(_key(kind, trace, subject))
        return record is None or not self._is_current(record)

    def sample(self, subject: Subject, traces: Sequence[TraceInfo]) -> set[str]:
        """Traces that the subject is timed on: all, or every n-th where all would take too long."""
        sizes = {t.name: self.size_of(t, subject) for t in traces}
        cpu_s = {name: r["codec_cpu_s"] for name, r in sorted(sizes.items()) if r["status"] == "ok"}
        return set(list(cpu_s)[:: math.ceil(sum(cpu_s.values()) / TIMED_CPU_S_PER_CODEC) or 1])

    def rows(self, subjects: Sequence[Subject]) -> list[Record]:
        """One row for each cell that this folder ever measured, in the codec's version of today."""
        paying_bytes = fitting.paying_bytes(self.corpus)
        traces = {(t.name, t.sha256): t for t in self.corpus.traces}
        versions = {s.spec: s.version for s in subjects}
        latest = {
            (r["trace"], r["trace_sha256"], r["codec"]): r
            for r in self.by_key.values()
            if r["record"] == "size" and versions.get(r["codec"], r["codec_version"]) == r["codec_version"]
        }
        rows = []
        for (name, sha256, spec), size in latest.items():
            trace = traces[name, sha256]
            reference = self.by_key.get(("reference", name, sha256), {})
            timed = {
                kind: self._current(self.by_key.get((kind, name, sha256, spec, size["codec_version"]), {}))
                for kind in ("time", "cold")
            }
            rows.append(_row(trace, reference, charged(trace, size, paying_bytes), **timed))
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

    def hardware_specs(self, subjects: Sequence[Subject]) -> list[str]:
        """Every model with a row: the report's hardware tables come from these facts."""
        specs = {r["codec"] for r in self.by_key.values() if r.get("kind") == "hardware"}
        return sorted(specs | {s.spec for s in subjects if s.kind == "hardware"})


def charged(trace: TraceInfo, size: Record, paying_bytes: int) -> Record:
    """The size with the trace's share of what the codec learned, where it is one that learns."""
    if "coded_bits" not in size or "state_bytes" not in size:
        return size
    share_bits = fitting.state_bits(size["state_bytes"], trace.raw_bytes, paying_bytes)
    return {**size, "coded_bits": size["coded_bits"] + share_bits, "state_bits": share_bits}


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
