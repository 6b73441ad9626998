"""The file under HDF5: neither Ctrl-C nor a full disk may end in a damaged one, or in a crash."""

from __future__ import annotations

import contextlib
import io
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off to the end of the block: raised while HDF5 calls `Sink` it would be lost, and data."""
    is_main = threading.current_thread() is threading.main_thread()  # where Python raises it, always
    if not is_main or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    received: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _frame: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if received:
        signal.raise_signal(signal.SIGINT)


class Sink(io.FileIO):
    """The file under HDF5. A write that fails is kept for `check` to raise: HDF5 itself would die of it.

    (Seen with HDF5 2.0.0 on a full disk: "Can't decrement id ref count" at closing, then a segmentation
    fault.)
    """

    _error: OSError | None = None

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Write `data` where the disk still takes it; all of it is reported as written."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self._error is None:
                done += super().write(view[done:])
        except OSError as error:
            self._error = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Truncate or extend the file; a failure is kept likewise."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def check(self) -> None:
        """Raise the first error that a write met."""
        if self._error is not None:
            raise self._error
