"""Running cells in worker processes: parallel for sizes, alone for times; a bad codec costs its own row."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired

from suite.measuring import in_worker, memory
from suite.measuring.patience import PatientPool

C = TypeVar("C")

BATCHES_PER_WORKER = 3
"""Batches handed out ahead, so that a worker never waits for the next one."""
BATCH_CELLS_MAX = 64
STALL_S = 60.0
"""The pool is renewed where no batch ends for so much longer than one may take."""
_STALLS_MAX = 3
"""So often in a row; then no process can work here."""
_REPLACED_MAX = 3
"""So often a batch is handed out again whose worker asked to be replaced; then that was the codec's doing."""

SINGLE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("BLOSC", "MKL", "NUMBA", "OMP", "OPENBLAS", "POLARS_MAX")
}
"""One core a worker: codecs are measured on one thread, and workers never fight for cores."""


class WorkersLostError(ValueError):
    """No process can be had that measures."""


@dataclass(frozen=True)
class Limits:
    """What a cell may take before it is given up; no `memory_bytes` = no limit."""

    timeout_s: float
    memory_bytes: int | None = None


@dataclass
class _Batch(Generic[C]):
    """Cells handed to one worker together; `progress` tells how many it began."""

    cells: Sequence[tuple[C, tuple[Any, ...]]]
    progress: Path
    replaced: int = field(default=0)

    def running(self) -> int:
        """Which cell a worker that ended was at."""
        return max(0, self.progress.stat().st_size - 1) if self.progress.exists() else 0


def _start_worker(core: int | None) -> None:
    # Ctrl-C reaches the whole process group; only the parent, which owns the journal, acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if core is not None:
        os.sched_setaffinity(0, {core})
        memory.keep_freed_memory()


@contextmanager
def worker_pool(jobs: int, core: int | None = None) -> Iterator[PatientPool]:
    """A pool of fresh processes (spawned: numba and threads do not survive a fork); stopped on any error.

    Workers on a `core` of their own are there to be timed.
    """
    os.environ.update(SINGLE_THREAD)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        pool = PatientPool(
            Path(folder), max_workers=jobs, initializer=_start_worker, initargs=(core,), context=context
        )
        try:
            yield pool
            pool.close()  # type: ignore[no-untyped-call]
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call]
            raise
        finally:
            pool.join()


def run_cells(
    pool: PatientPool,
    jobs: int,
    function: Callable[..., Any],
    cells: Sequence[tuple[C, tuple[Any, ...]]],
    limits: Limits,
) -> Iterator[tuple[C, Any, str | None, float]]:
    """Call `function` on every cell's arguments; yields (cell, result, None or why there is none, seconds).

    A cell that takes longer than it may is killed with its worker, and one whose worker dies is reported;
    the pool replaces the worker and the other cells go on, those of the same batch in another one. Raises
    WorkersLostError where no worker answers any more, nor fresh ones.
    """
    waiting = deque(cells)
    again: deque[Sequence[tuple[C, tuple[Any, ...]]]] = deque()
    running: dict[Future[Any], _Batch[C]] = {}
    stalls = 0
    while True:
        while len(running) < BATCHES_PER_WORKER * jobs:
            batch = again.popleft() if again else _next_batch(waiting, jobs)
            if not batch:
                break
            new = _Batch(batch, pool.folder / uuid.uuid4().hex)
            running[_schedule(pool, function, new, limits)] = new
        if not running:
            return
        longest_s = limits.timeout_s + in_worker.BATCH_S + STALL_S
        done, _ = wait(running, longest_s, return_when=FIRST_COMPLETED)
        if not done or any(isinstance(future.exception(), BrokenProcessPool) for future in done):
            stalls += 1
            if stalls > _STALLS_MAX:
                raise WorkersLostError("no worker process answers, nor do fresh ones; run it again")
            pool.renew()
            again.extend(batch.cells for batch in running.values())
            running.clear()
            continue
        stalls = 0
        for future in done:
            batch_done = running.pop(future)
            if _asks_for_another(future, batch_done):
                running[_schedule(pool, function, batch_done, limits)] = batch_done
                continue
            outcomes, rest = _settle(future, batch_done, limits)
            batch_done.progress.unlink(missing_ok=True)
            again.extend(part for part in rest if part)
            yield from outcomes


def _next_batch(waiting: deque[tuple[C, tuple[Any, ...]]], jobs: int) -> Sequence[tuple[C, tuple[Any, ...]]]:
    """Smaller ones towards the end, so that no worker has many while another has none."""
    share = len(waiting) // (2 * BATCHES_PER_WORKER * jobs)
    return [waiting.popleft() for _ in range(min(len(waiting), max(1, min(BATCH_CELLS_MAX, share))))]


def _schedule(
    pool: PatientPool, function: Callable[..., Any], batch: _Batch[C], limits: Limits
) -> Future[Any]:
    arguments = [arguments for _, arguments in batch.cells]
    scheduled: Future[Any] = pool.schedule(
        in_worker.run_batch,
        # A worker that cannot import what it is to call says so only if it gets that far.
        args=(pickle.dumps((function, arguments)), limits.memory_bytes, batch.progress),
        # The last cell of a batch begins within BATCH_S and has its whole time.
        timeout=limits.timeout_s + (in_worker.BATCH_S if len(arguments) > 1 else 0),
    )
    return scheduled


def _asks_for_another(future: Future[Any], batch: _Batch[C]) -> bool:
    error = future.exception()
    batch.replaced += 1
    return (
        isinstance(error, ProcessExpired)
        and error.exitcode == in_worker.REPLACE_EXIT_CODE
        and not batch.progress.exists()
        and batch.replaced <= _REPLACED_MAX
    )


def _settle(
    future: Future[Any], batch: _Batch[C], limits: Limits
) -> tuple[list[tuple[C, Any, str | None, float]], list[Sequence[tuple[C, tuple[Any, ...]]]]]:
    """What is known of the batch's cells, and the parts of it that are to be handed out again."""
    error = future.exception()
    if error is None:
        found = [(cell, *outcome) for (cell, _), outcome in zip(batch.cells, future.result(), strict=False)]
        return found, [batch.cells[len(found) :]]
    at = batch.running()
    seconds = limits.timeout_s if isinstance(error, TimeoutError) else 0.0
    # What the worker finished before it ended, it took along.
    return [(batch.cells[at][0], None, _why(error, limits), seconds)], [
        batch.cells[:at],
        batch.cells[at + 1 :],
    ]


def _why(error: BaseException, limits: Limits) -> str:
    if isinstance(error, TimeoutError):
        return f"no result within {limits.timeout_s:g} s; its process was killed"
    if isinstance(error, ProcessExpired):
        return f"its process died ({_how(error.exitcode)})"
    return in_worker.one_line(error)


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"{name}: killed from outside, perhaps out of memory" if name == "SIGKILL" else name
    return f"exit code {exitcode}"
