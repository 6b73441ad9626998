"""What a reader of a file of weights gives: its tensors, none of them read yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tensorcodecs.arrays import Array
from tracegen.capturing._roles import Place


@dataclass(frozen=True)
class Stored:
    """A tensor in a file.

    `shape` and `dtype` are its trace's, uncut; dtype None stands for what cannot be a trace, and `refusal`
    says why. `read` gets the part to keep as slices, the beginning of the tensor in C order, () for all of
    it. Tensors with the same `identity` are one and the same.
    """

    name: str
    place: Place
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    read: Callable[[tuple[slice, ...]], Array]
    identity: Hashable
    refusal: str = ""
    precision: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def n_bytes(self) -> int:
        """Raw bytes of the whole tensor as a trace, 0 where it cannot be one."""
        return math.prod(self.shape) * self.dtype.itemsize if self.dtype is not None else 0


Reader: TypeAlias = Callable[[Path], AbstractContextManager[Sequence[Stored]]]
"""Opens a file; its tensors can be read inside the `with` block. Raises CorpusError for what is none."""


def no_dtype(name: str) -> str:
    """The refusal of an element type that no trace has."""
    return f"{name} is no dtype of a trace"
