"""A pool of processes that outlives the death of one that had nothing to do."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from typing import Any

from pebble import ProcessPool
from pebble.pool.process import PoolManager

IDLE_DEATHS_MAX = 20
"""After so many the pool is given up: then no process can start here."""


class PatientPool(ProcessPool):
    """As `ProcessPool`, which breaks for good when a process is killed while none of them has a task."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - pebble's own
        super().__init__(**options)
        self._pool_manager = _Manager(self._context, options["context"])


class _Manager(PoolManager):
    idle_deaths = 0

    def find_expired_task(self, worker_id: int) -> Any:  # noqa: ANN401 - pebble's own
        """The task of a process that ended; LookupError (the pool then starts another) where it had none."""
        try:
            return super().find_expired_task(worker_id)
        except BrokenProcessPool as error:
            self.idle_deaths += 1
            if self.idle_deaths > IDLE_DEATHS_MAX:
                raise
            raise LookupError("an idle process died") from error
