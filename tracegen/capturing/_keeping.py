"""Handing tensors to the recorder from within a user's loop. Needs torch."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from torch import Tensor

from tracegen.capturing._selection import Selection
from tracegen.capturing.tensors import record
from tracegen.corpus.recording import Recorder


class Keeper:
    """Counts passes and records those that are selected, until an error of the recorder's.

    It keeps counts and a first error, never a tensor.
    """

    def __init__(self, recorder: Recorder, selection: Selection) -> None:
        self.recorder = recorder
        self.selection = selection
        self.error: BaseException | None = None
        self.roles_seen: set[str] = set()
        self._passes: Counter[str] = Counter()

    def next_pass(self, what: str) -> str | None:
        """Count one more pass of `what`: the suffix of its names, None where it is not captured."""
        self._passes[what] += 1
        return self.this_pass(what)

    def this_pass(self, what: str) -> str | None:
        """The suffix of the pass of `what` that was counted last, None where it is not captured."""
        return None if self.error is not None else self.selection.suffix(self._passes[what])

    def is_over(self, what: str) -> bool:
        """Whether no pass of `what` after the one that was counted last will be captured."""
        return self.error is not None or self._passes[what] >= self.selection.last_pass

    def record(self, tensor: Tensor, role: str, name: str, phase: str, kind: str) -> None:
        """Record a tensor; does nothing after an error."""
        self.roles_seen.add(role)
        if self.error is None:
            with self.errors_kept():
                record(self.recorder, tensor, role, name, phase, kind)

    @contextlib.contextmanager
    def errors_kept(self) -> Iterator[None]:
        """Remember an error that a user's loop may swallow on its way."""
        try:
            yield
        except BaseException as error:
            self.error = error
            raise
