"""Who is told of a run's progress: nobody, a program that reads JSON lines, or a person."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self, TextIO

SLOWEST = 5
"""So many of a phase's cells are named as its slowest."""


@dataclass(frozen=True)
class Done:
    """One step of a phase that is over: a cell, or a codec that was compiled or has learned.

    `trace` or `codec` is empty where the step is not about one. `seconds` are those in the worker.
    """

    kind: str
    trace: str
    codec: str
    status: str
    seconds: float
    reason: str = ""

    def name(self) -> str:
        """What the step was about."""
        return " on ".join(filter(None, (self.codec, self.trace)))


class Watcher:
    """Told of a run's progress; the command line shows it, other callers need not."""

    def begin(self, title: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def step(self, done: Done) -> None:
        """One of the phase's steps is done."""

    def end(self, summary: str) -> None:
        """The phase is over."""

    def note(self, text: str) -> None:
        """Something of this machine that its user should know, one line."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing more will come."""


@dataclass
class Tally:
    """What is worth knowing of a phase so far, or of all of a run's."""

    began_s: float = field(default_factory=time.monotonic)
    steps: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    slowest: list[Done] = field(default_factory=list)

    def add(self, done: Done) -> None:
        """Count one step."""
        self.steps += 1
        self.statuses[done.status] = self.statuses.get(done.status, 0) + 1
        if len(self.slowest) < SLOWEST or done.seconds > self.slowest[-1].seconds:
            self.slowest = sorted([*self.slowest, done], key=lambda d: -d.seconds)[:SLOWEST]

    def rate(self) -> float:
        """Steps a second."""
        return self.steps / max(time.monotonic() - self.began_s, 1e-9)

    def failures(self) -> str:
        """How many steps were not ok, in words; empty where all were."""
        return ", ".join(f"{n} {status}" for status, n in sorted(self.statuses.items()) if status != "ok")


class JsonWatcher(Watcher):
    """One JSON object a line: `phase-begin`, `cell`, `phase-end`, `note`, and at last `run-end`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.phase = ""
        self.tally, self.whole = Tally(), Tally()

    def begin(self, title: str, total: int) -> None:
        """Write `phase-begin`."""
        self.phase, self.tally = title, Tally()
        self._write("phase-begin", phase=title, total=total)

    def step(self, done: Done) -> None:
        """Write `cell`."""
        self.tally.add(done)
        self.whole.add(done)
        self._write("cell", **asdict(done) | {"seconds": round(done.seconds, 6)})

    def end(self, summary: str) -> None:
        """Write `phase-end` with what became of the cells and the slowest ones."""
        self._write(
            "phase-end",
            phase=self.phase,
            summary=summary,
            cells_per_s=round(self.tally.rate(), 2),
            statuses=self.tally.statuses,
            slowest=[asdict(done) for done in self.tally.slowest],
        )

    def note(self, text: str) -> None:
        """Write `note`."""
        self._write("note", text=text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        how = "finished" if kind is None else f"{kind.__name__}: {error}".rstrip(": ")
        self._write("run-end", how=how, statuses=self.whole.statuses)

    def _write(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        line = {"event": event, "time": round(time.time(), 3), **fields}
        self.stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.stream.flush()
