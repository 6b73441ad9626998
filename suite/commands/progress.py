"""What a person sees while a run goes on."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from suite.measuring.watching import Done, Tally, Watcher
from suite.safetext import visible

PHASES = {
    "fit": "learning",
    "compile": "compiling kernels",
    "reference": "reference columns",
    "size": "sizes, round trips",
    "time": "times",
    "verify": "sizes once more",
    "cold": "times, cold caches",
}
SLOW_S = 1.0
"""From so long on a phase's slowest cells are named."""
REDRAWN_EVERY_S = 0.1
LINE_EVERY_S = 10.0
"""Where there is no terminal to draw a bar in, a line is printed this often."""


class ProgressWatcher(Watcher):
    """A progress bar with an ETA on standard error, or plain lines where that is no terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]} {task.fields[failures]}"),
        )
        self.progress = Progress(*columns, console=self.console, transient=True)
        self.task: Any = None
        self.is_terminal = self.console.is_terminal
        self.every_s = REDRAWN_EVERY_S if self.is_terminal else LINE_EVERY_S
        self.title, self.total, self.shown_s = "", 0, 0.0
        self.tally, self.whole = Tally(), Tally()

    def __enter__(self) -> Self:
        if self.is_terminal:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        if failures := self.whole.failures():
            self.console.print(f"not ok in this start: {failures}", highlight=False)

    def begin(self, title: str, total: int) -> None:
        """Start the bar of a phase."""
        self.title, self.total, self.shown_s = PHASES[title], total, time.monotonic()
        self.tally = Tally()
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(self.title, total=total, rate="", failures="")

    def step(self, done: Done) -> None:
        """Advance the bar, with cells a second and how many were not ok."""
        self.tally.add(done)
        self.whole.add(done)
        now = time.monotonic()
        if now - self.shown_s < self.every_s:
            return
        self.shown_s = now
        steps, rate, failures = self.tally.steps, f"{self.tally.rate():.3g} / s", self.tally.failures()
        if self.is_terminal:
            self.progress.update(self.task, completed=steps, rate=rate, failures=failures)
        else:
            left_s = (self.total - steps) / self.tally.rate()
            line = f"{self.title}: {steps} of {self.total}, {rate}, about {left_s:.0f} s left"
            self.console.print(f"{line}; {failures}" if failures else line, highlight=False)

    def end(self, summary: str) -> None:
        """Leave a line of what the phase did, and one of the cells that took longest."""
        self.console.print(f"{self.title}: {visible(summary)}", highlight=False, markup=False)
        if self.tally.slowest and self.tally.slowest[0].seconds >= SLOW_S:
            slowest = ", ".join(f"{done.name()} {done.seconds:.2g} s" for done in self.tally.slowest[:3])
            self.console.print(
                f"  slowest: {visible(slowest)}", highlight=False, markup=False, soft_wrap=True
            )

    def note(self, text: str) -> None:
        """Leave one line, however long."""
        self.console.print(f"note: {visible(text)}", highlight=False, markup=False, soft_wrap=True)
