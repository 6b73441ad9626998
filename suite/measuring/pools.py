"""Where sizes are measured: in processes of this machine, or on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from suite.measuring import cluster, workers
from suite.measuring.patience import PatientPool
from suite.plan import Subject
from tracegen.corpus import Corpus

KILLED, KILLED_TRIES = "its process died (SIGKILL", 3
"""How the reason of a cell begins whose process was killed from outside, and how often it is tried."""

Pool = PatientPool | cluster.Cluster


@contextmanager
def size_pool(
    address: str | None, jobs: int, corpus: Corpus, subjects: Sequence[Subject]
) -> Iterator[tuple[Pool, int]]:
    """The pool and how many cells it measures at once: `jobs` here, or all of a cluster's workers."""
    if address:
        with cluster.connect(address, corpus, list(subjects)) as pool:
            yield pool, pool.threads()
    else:
        with workers.worker_pool(jobs) as pool:
            yield pool, jobs


def run_cells(
    pool: Pool,
    jobs: int,
    function: Callable[..., Any],
    cells: Sequence[tuple[Any, tuple[Any, ...]]],
    limits: workers.Limits,
) -> Iterator[tuple[Any, Any, str | None, float]]:
    """As `workers.run_cells`, where the pool is; a cell whose process was killed is run again, at the end.

    No codec's fault sends SIGKILL: an operator does, or a system short of memory, which later has some.
    """
    arguments = dict(cells)
    for tries_left in reversed(range(KILLED_TRIES)):
        killed = []
        here = isinstance(pool, PatientPool)
        for outcome in (workers if here else cluster).run_cells(pool, jobs, function, cells, limits):
            if tries_left and str(outcome[2]).startswith(KILLED):
                killed.append((outcome[0], arguments[outcome[0]]))
            else:
                yield outcome
        cells = killed
