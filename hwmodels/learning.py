"""Models of circuits whose codec learns a table: their tables are theirs to learn, and their bytes count."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from hwmodels.base import HardwareModel
from hwmodels.layouts import STORED, laid_out
from hwmodels.sizes import LineSizes
from tensorcodecs.arrays import Array
from tensorcodecs.lines.learned import PROFILED, LearnedLines


class LearnedModel(HardwareModel):
    """A model over a `LearnedLines` codec: the codec learns, and a table of its own counts."""

    codec_class: ClassVar[type[LearnedLines]]
    codec: LearnedLines

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a line size, layout or kind of table that is not legal."""
        super().__init__(line_bytes, layout)
        self.codec = self.codec_class(line_bytes, table)

    @property
    def settings(self) -> dict[str, Any]:
        """The line size, where the table is from, and what differs from the default."""
        return {**super().settings, "table": self.codec.table}

    @property
    def learns(self) -> bool:
        """Whether there is anything to fit: not where each array brings its own table."""
        return self.codec.learns

    def fit(self, samples: Iterable[Array]) -> bytes:
        """Return what the codec learns from the samples as they lie in this model's memory."""
        return self.codec.fit(laid_out(sample, self.layout) for sample in samples)

    def with_state(self, state: bytes) -> Self:
        """Return a model whose codec uses `state`; ValueError where it is none of this codec's."""
        twin = copy.copy(self)
        twin.codec = self.codec.with_state(state)
        return twin

    def sizes(self, array: Array) -> LineSizes:
        """With the bits of the table that the array brings along; a profiled one is charged where learned."""
        array = laid_out(array, self.layout)
        coded, table_bits = self.codec.block_and_table_bits(array)
        return self.line_sizes(self.bypassed(array, coded), table_bits)
