"""Where long work says how far it is; the command line shows it as a bar."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Where long work says how far it is."""

    def start(self, what: str, steps: int) -> None:
        """A stretch of work of so many steps begins."""

    def step(self) -> None:
        """One step of it is done."""

    def note(self, text: str) -> None:
        """Something worth a line."""
