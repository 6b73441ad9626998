"""The journal: every finished cell is one JSON line, written the moment that it ends.

A line is written with one `write` call and survives the death of the process; a line cut short by a kill
is dropped at the next start, so its cell is measured again. `kind` is `reference` (per trace), `size` or
`time` (per cell).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

JOURNAL_FILE = "journal.jsonl"
LOCK_FILE = ".lock"

Record = dict[str, Any]

_to_json = json.JSONEncoder(separators=(",", ":")).encode


class JournalError(ValueError):
    """A journal that cannot be used: locked by another run, or damaged."""


class Journal:
    """An append-only file of records, open for one run at a time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL_FILE
        self._lock = FileLock(folder / LOCK_FILE)

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise JournalError(f"another run is writing into {self.path.parent}") from error
        self._drop_torn_line()
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)
            self._lock.release()

    def append(self, record: Record) -> None:
        """Write one record; OSError where the disk is full (what was written before stays)."""
        line = _to_json(record).encode() + b"\n"
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise OSError(f"{self.path} cannot be written: {error.strerror}") from error
        if written != len(line):
            raise OSError(f"{self.path} cannot be written: no space left")

    def records(self) -> Iterator[Record]:
        """Every record so far, in the order of writing."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    record = json.loads(line)
                except json.JSONDecodeError as error:
                    raise JournalError(f"{self.path}:{number} is damaged: {error}") from error
                yield record

    def _drop_torn_line(self) -> None:
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        if data and not data.endswith(b"\n"):
            os.truncate(self.path, data.rfind(b"\n") + 1)
