"""Running cells in worker processes: parallel for sizes, alone for times; a bad codec costs its own row."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from suite.patience import PatientPool

C = TypeVar("C")

QUEUED_PER_WORKER = 8
"""Cells handed out ahead, so that a worker never waits for the next one."""

SINGLE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("BLOSC", "MKL", "NUMBA", "OMP", "OPENBLAS", "POLARS_MAX")
}
"""One core a worker: codecs are measured on one thread, and workers never fight for cores."""


def _start_worker() -> None:
    # Ctrl-C reaches the whole process group; only the parent, which owns the journal, acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def worker_pool(jobs: int) -> Iterator[ProcessPool]:
    """A pool of fresh processes (spawned: numba and threads do not survive a fork); stopped on any error."""
    os.environ.update(SINGLE_THREAD)
    context = multiprocessing.get_context("spawn")
    pool = PatientPool(max_workers=jobs, initializer=_start_worker, context=context)
    try:
        yield pool
        pool.close()  # type: ignore[no-untyped-call]
    except BaseException:
        pool.stop()  # type: ignore[no-untyped-call]
        raise
    finally:
        pool.join()


def run_cells(
    pool: ProcessPool,
    jobs: int,
    function: Callable[..., Any],
    cells: Iterable[tuple[C, tuple[Any, ...]]],
    timeout_s: float,
) -> Iterator[tuple[C, Any, str | None]]:
    """Call `function` on every cell's arguments; yields (cell, result, None) or (cell, None, reason).

    A cell that takes longer than `timeout_s` is killed with its worker, and one whose worker dies is
    reported; the pool replaces the worker and the other cells go on.
    """
    waiting = iter(cells)
    running: dict[Future[Any], C] = {}
    while True:
        for cell, arguments in waiting:
            running[pool.schedule(function, args=arguments, timeout=timeout_s)] = cell
            if len(running) >= QUEUED_PER_WORKER * jobs:
                break
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), *_outcome(future, timeout_s)


def _outcome(future: Future[Any], timeout_s: float) -> tuple[Any, str | None]:
    try:
        return future.result(), None
    except TimeoutError:
        return None, f"no result within {timeout_s:g} s; its process was killed"
    except ProcessExpired as error:
        return None, f"its process died ({_how(error.exitcode)})"
    except Exception as error:  # noqa: BLE001 - raised in the worker: the reason of that one cell
        return None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _how(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return signal.Signals(-exitcode).name
    return f"exit code {exitcode}"
