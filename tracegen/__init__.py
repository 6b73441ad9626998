"""Making traces: the model zoo, training, pruning, precision, capture, and the corpus format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracegen.capturing.hooks import capture

__all__ = ["capture"]


def __getattr__(name: str) -> object:
    if name != "capture":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tracegen.capturing.hooks import capture  # needs torch, which reading a corpus does not

    return capture
