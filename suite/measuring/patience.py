"""A pool of processes that outlives those that die idle, or before it is heard what task they took."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from pebble import ProcessExpired, ProcessPool
from pebble.common.types import Result, ResultStatus
from pebble.pool.process import PoolManager

IDLE_DEATHS_MAX = 20
"""After so many the pool is given up: then no process can start here."""


class PatientPool(ProcessPool):
    """As `ProcessPool`, which breaks for good when a process is killed while none of them has a task."""

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - pebble's own
        """`folder`: where its processes may leave notes; the rest as `ProcessPool` has it."""
        super().__init__(**options)
        self.folder, self._options = folder, options
        self._pool_manager = _Manager(self._context, options["context"])

    def renew(self) -> None:
        """Put fresh processes and pipes in the place of those there are, whose tasks are forgotten.

        A process that is killed while it takes a task out of the pipe may take it, or the pipe's lock, along.
        """
        self.stop()  # type: ignore[no-untyped-call]
        self.join()
        PatientPool.__init__(self, self.folder, **self._options)


class _Manager(PoolManager):
    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - pebble's own
        super().__init__(*arguments)
        self.idle_deaths = 0
        self.exit_codes: dict[int, int | None] = {}

    def handle_worker_expiration(self, expiration: tuple[int, int | None]) -> None:
        """Remember how the process ended: it may be heard only afterwards which task it had taken."""
        worker_id, self.exit_codes[worker_id] = expiration
        super().handle_worker_expiration(expiration)

    def update_tasks(self) -> None:
        """End the tasks of processes that ended before they were heard to have taken one."""
        super().update_tasks()  # type: ignore[no-untyped-call]
        for worker_id in self.exit_codes.keys() & self.worker_manager.workers.keys():
            del self.exit_codes[worker_id]  # a new process with the number of an old one
        for task in tuple(self.task_manager.tasks.values()):
            if task.worker_id in self.exit_codes:
                code, number = self.exit_codes[task.worker_id], task.worker_id
                error = ProcessExpired("died with its task", code=code, pid=number)  # type: ignore[no-untyped-call]
                self.task_manager.task_done(task.id, Result(ResultStatus.ERROR, error))

    def find_expired_task(self, worker_id: int) -> Any:  # noqa: ANN401 - pebble's own
        """The task of a process that ended; LookupError (the pool then starts another) where it had none."""
        try:
            return super().find_expired_task(worker_id)
        except BrokenProcessPool as error:
            self.idle_deaths += 1
            if self.idle_deaths > IDLE_DEATHS_MAX:
                raise
            raise LookupError("an idle process died") from error
