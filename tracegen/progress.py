"""Where long work says how far it is, and how the command line shows it: as a bar, and in a last line."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tracegen.corpus import Corpus, CorpusError


class Report(Protocol):
    """Where long work says how far it is."""

    def start(self, what: str, steps: int) -> None:
        """A stretch of work of so many steps begins."""

    def step(self) -> None:
        """One step of it is done."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Bar:
    """A progress bar on stderr, as `Report` wants it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def start(self, what: str, steps: int) -> None:
        """Begin a stretch of work."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=steps)

    def step(self) -> None:
        """Count one step."""
        if self._task is not None:
            self._progress.advance(self._task)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """Inside the `with` block, the bar is on stderr where that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # Into a file or a pipe go the notes alone.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress)


def need(what: str, *modules: str, extra: str = "trace") -> None:
    """Raise CorpusError with what to install where one of the modules is missing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise CorpusError(f"{what} needs {module}: pip install 'squeezemark[{extra}]'")


def say_done(corpus: Corpus) -> None:
    """Say in one line what a corpus holds."""
    raw_mib = sum(trace.raw_bytes for trace in corpus.traces) / (1 << 20)
    click.echo(f"{corpus.root}: {len(corpus.traces)} traces, {raw_mib:.1f} MiB raw, digest {corpus.digest}")
