"""Inside a worker process: cells in batches, each behind its memory limit, and the end of a spoilt worker."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from suite.measuring import memory

BATCH_S = 0.2
"""A batch ends with the first cell that ends after so long: handing a cell over costs as much as a small
cell itself, and whatever is lost with a worker is at most so much."""
REPLACE_EXIT_CODE = 75
"""With this a worker asks to be replaced, before it does anything of the batch that it was given."""
HELD_BYTES_MAX = 2 << 30
"""A worker that holds more between two cells is replaced: leaks too small to be seen in one cell add up."""
_SETTLE_S = 0.05
"""The parent must have read which worker took the batch before that worker may end."""

_spoilt: list[str] = []


def spoil(reason: str) -> None:
    """Have this worker replaced after this cell: what a codec did here may harm the next one."""
    _spoilt.append(reason)


def run_batch(
    pickled: bytes, memory_limit_bytes: int | None, progress: Path
) -> list[tuple[Any, str | None, float]]:
    """(result, None or why there is none, seconds) of the first cells of a batch: one at least.

    `pickled`: by the parent process, a function and the arguments of each cell. The file `progress` has as
    many bytes as cells were begun, which is how the parent knows at which one this process ended.
    """
    if _spoilt or (memory.held_bytes() or 0) > HELD_BYTES_MAX:
        time.sleep(_SETTLE_S)
        os._exit(REPLACE_EXIT_CODE)
    function, batch = pickle.loads(pickled)  # noqa: S301 - written by this run
    outcomes: list[tuple[Any, str | None, float]] = []
    end_s = time.perf_counter() + BATCH_S
    with progress.open("wb", buffering=0) as begun:
        for arguments in batch:
            begun.write(b".")
            start_s = time.perf_counter()
            result, reason = _run_one(function, arguments, memory_limit_bytes)
            outcomes.append((result, reason, time.perf_counter() - start_s))
            if _spoilt or time.perf_counter() > end_s:
                break
    return outcomes


def _run_one(
    function: Callable[..., Any], arguments: tuple[Any, ...], memory_limit_bytes: int | None
) -> tuple[Any, str | None]:
    try:
        with memory.limited(memory_limit_bytes):
            return function(*arguments), None
    except MemoryError:
        spoil("out of memory")
        return None, out_of_memory(memory_limit_bytes)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the reason of that one cell
        return None, one_line(error)


def out_of_memory(limit_bytes: int | None) -> str:
    """The reason of a cell that allocated too much."""
    limit = f": a cell may add {limit_bytes / 2**30:g} GiB (--memory-limit)" if limit_bytes else ""
    return f"ran out of memory{limit}"


def one_line(error: BaseException) -> str:
    """An exception in one line."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
