"""The size phase on a dask cluster: the interface of `suite.execute`, the worker processes anywhere.

A dask worker does not measure: it keeps processes of its own that do, so that a codec which hangs or crashes
costs its row there as it does here, and a worker that is lost takes no cell with it: dask hands its cells to
others. Nothing of the codecs or traces travels; a worker opens the corpus by its path, and is refused where
what it finds there, or its codecs, are not the same as here.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from suite import machine
from suite.measuring import measure, workers
from suite.measuring.patience import PatientPool
from suite.plan import Subject, make_subject
from tracegen.corpus import Corpus, CorpusError

C = TypeVar("C")
Outcome = tuple[Any, ...]
"""As `execute.run_cells` yields it after the cell: a result, and the reason where there is none."""

ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d+")
INSTALL_HINT = "pip install -c constraints.txt -e '.[cluster]'"
CONNECT_S = 20.0
WORKERLESS_S = 600.0
"""So long the run waits for a first worker, or for one to come back: batch systems have queues."""
TICK_S = 2.0
QUEUED_PER_THREAD = 8
"""Cells handed out ahead, so that a worker never waits for the next one."""
LOST_MAX = 5
"""Times that dask may give a cell up (after the loss of several workers each) before the run does, too."""


class ClusterError(ValueError):
    """A cluster that cannot be used, in one line."""


@dataclass(frozen=True)
class Demand:
    """What a worker must have for this one start of a run: this corpus at this path, these versions."""

    start: str
    corpus: Path
    digest: str
    versions: tuple[tuple[str, str], ...]


@dataclass
class Cluster:
    """A connected cluster, in the place of a pool."""

    client: Any
    address: str
    demand: Demand
    _seen_s: float = field(default_factory=time.monotonic)

    def threads(self) -> int:
        """How many cells the workers of this moment measure at once; ClusterError if none come for long."""
        try:
            threads = int(sum(self.client.nthreads().values()))
        except (OSError, TimeoutError, ValueError) as error:
            raise self.lost() from error
        now = time.monotonic()
        if threads:
            self._seen_s = now
        elif now - self._seen_s > WORKERLESS_S:
            raise ClusterError(f"no worker at {self.address} for {WORKERLESS_S:g} s; finished cells are kept")
        return threads

    def lost(self) -> ClusterError:
        """The error for a scheduler that answers no more."""
        return ClusterError(f"the scheduler at {self.address} is gone; finished cells are kept")


@dataclass
class _Task:
    """A cell that is handed out."""

    cell: Any
    arguments: tuple[Any, ...]
    lost: int = 0


def check(address: str) -> None:
    """Raise ClusterError unless `address` looks like a scheduler's and the package is installed."""
    if not ADDRESS.fullmatch(address):
        raise ClusterError(f"no scheduler's address {address!r}: it is tcp://HOST:PORT or tls://HOST:PORT")
    try:
        import distributed  # noqa: F401 - an extra
    except ImportError as error:
        raise ClusterError(f"--cluster needs the package distributed: {INSTALL_HINT}") from error


@contextlib.contextmanager
def connect(address: str, corpus: Corpus, subjects: Sequence[Subject]) -> Iterator[Cluster]:
    """The cluster of the scheduler at `address`, once a worker is there; those there are checked.

    Raises ClusterError where none answers, no worker comes, or one lacks the corpus or the codecs.
    """
    check(address)
    from distributed import Client

    # Its log tells of every worker that comes and goes; what the user must know is an error of ours.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"no scheduler answers at {address} within {CONNECT_S:g} s") from error
    try:
        versions = tuple(sorted(machine.versions().items()))
        demand = Demand(uuid.uuid4().hex, corpus.root.resolve(), corpus.digest, versions)
        cluster = Cluster(client, address, demand)
        while not cluster.threads():
            time.sleep(TICK_S / 4)
        _refuse_unfit(cluster, tuple(_resolved(subject) for subject in subjects))
        yield cluster
    finally:
        with contextlib.suppress(OSError, TimeoutError):
            client.close(timeout=TICK_S)


def run_cells(
    pool: Cluster,
    jobs: int,
    function: Callable[..., Any],
    cells: Iterable[tuple[C, tuple[Any, ...]]],
    limits: Any,  # noqa: ANN401 - theirs to understand
) -> Iterator[tuple[Any, ...]]:
    """As `execute.run_cells`, on the cluster's workers; `jobs` is how many cells they measure at once.

    Raises ClusterError where the scheduler is gone, no worker comes back, or an unfit one has joined.
    """
    waiting, ended = iter(cells), queue.SimpleQueue[Any]()
    running: dict[Any, _Task] = {}

    def hand_out(task: _Task) -> None:
        arguments = (pool.demand, function, task.arguments, limits)
        future = pool.client.submit(_measure_on_worker, *arguments, pure=False)
        running[future] = task
        future.add_done_callback(ended.put)

    try:
        while True:
            while len(running) < QUEUED_PER_THREAD * jobs and (cell := next(waiting, None)):
                hand_out(_Task(cell[0], tuple(map(_resolved, cell[1]))))
            if not running:
                return
            try:
                future = ended.get(timeout=TICK_S)
            except queue.Empty:
                jobs = max(jobs, pool.threads())
                continue
            task = running.pop(future)
            outcome = _outcome(pool, future)
            if outcome is not None:
                yield task.cell, *outcome
            elif task.lost == LOST_MAX:
                raise ClusterError(f"workers die again and again with one cell: {_named(task)}")
            else:
                hand_out(replace(task, lost=task.lost + 1))
    finally:
        with contextlib.suppress(Exception):
            pool.client.cancel(list(running), force=True)


def _outcome(pool: Cluster, future: Any) -> Outcome | None:  # noqa: ANN401 - a dask future
    """What became of a cell; None where it was lost with its workers and must be handed out again."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise pool.lost()
    try:
        worker, unfit, outcome = future.result(timeout=CONNECT_S)
    except KilledWorker:
        return None
    except (ImportError, AttributeError) as error:
        raise ClusterError(f"a worker cannot import this project: {error}") from error
    except (OSError, TimeoutError) as error:
        raise pool.lost() from error
    if unfit:
        raise ClusterError(f"worker {worker} {unfit}")
    if isinstance(outcome[0], dict) and outcome[0].get(measure.DAMAGED):
        outcome[0]["reason"] += f" (on worker {worker})"
    return tuple(outcome)


def _refuse_unfit(cluster: Cluster, subjects: tuple[Subject, ...]) -> None:
    found = cluster.client.run(_unfit, cluster.demand, subjects, on_error="return")
    for worker, unfit in sorted(found.items()):
        if isinstance(unfit, (OSError, TimeoutError)):  # it was lost meanwhile
            continue
        if isinstance(unfit, BaseException):
            raise ClusterError(f"worker {worker} cannot import this project: {unfit}")
        if unfit:
            raise ClusterError(f"worker {worker} {unfit}")


def _resolved(argument: Any) -> Any:  # noqa: ANN401 - any argument of a cell
    """Paths as they are from everywhere."""
    if isinstance(argument, Path):
        return argument.resolve()
    if isinstance(argument, Subject) and argument.state_file:
        return replace(argument, state_file=argument.state_file.resolve())
    return argument


def _named(task: _Task) -> str:
    return ", ".join(str(getattr(a, "name", getattr(a, "spec", a))) for a in task.arguments)


# What follows runs on the workers.

_pool_lock = threading.Lock()
_pool_now = contextlib.ExitStack()


def _measure_on_worker(
    demand: Demand,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    limits: Any,  # noqa: ANN401 - as `execute.run_cells` takes them
) -> tuple[str, str, Outcome]:
    """(worker, why it is unfit, outcome) of one cell, measured in a process of this worker's."""
    from distributed import get_worker

    worker = get_worker()
    if unfit := _unfit(demand, tuple(a for a in arguments if isinstance(a, Subject))):
        return worker.address, unfit, ()
    with _pool_lock:
        pool = _pool(demand, worker.state.nthreads)
    [(_, *outcome)] = workers.run_cells(pool, 1, function, [(None, arguments)], limits)
    return worker.address, "", tuple(outcome)


@functools.lru_cache(maxsize=1)
def _pool(demand: Demand, jobs: int) -> PatientPool:  # noqa: ARG001 - fresh processes for every start
    # A worker under dask's nanny is marked as a process that may have no children. Ours end with it: they
    # read from its pipe.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    _pool_now.close()
    return _pool_now.enter_context(workers.worker_pool(jobs))


@functools.cache
def _unfit(demand: Demand, subjects: tuple[Subject, ...]) -> str:
    """What this worker lacks, as the end of a sentence; empty if nothing."""
    return _unlike(demand) or next(filter(None, map(_unlike_codec, subjects)), "")


@functools.cache
def _unlike(demand: Demand) -> str:
    try:
        found = Corpus.open(demand.corpus).digest
    except (CorpusError, OSError) as error:
        return f"has not the corpus: {error}"
    if found != demand.digest:
        return f"has another corpus at {demand.corpus}: digest {found[:12]}…, not {demand.digest[:12]}…"
    here = machine.versions()
    other = [
        (name, here.get(name), version) for name, version in demand.versions if here.get(name) != version
    ]
    return "has {} {}, not {}".format(*other[0]) if other else ""


@functools.cache
def _unlike_codec(subject: Subject) -> str:
    try:
        version = make_subject(subject.spec).version
    except ValueError as error:
        return f"has not the codec {subject.spec}: {error}"
    if version != subject.version.partition("+state-")[0]:
        return f"has {subject.spec} in version {version}, not {subject.version}"
    if subject.state_file and not subject.state_file.is_file():
        return f"does not see the run's folder: {subject.state_file} is missing"
    return ""
