"""ECF8 (Yang et al., arXiv 2510.02676) read by a circuit instead of a GPU."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.engines._exponents import symbol_figures
from hwmodels.layouts import STORED
from hwmodels.streams import StreamModel
from tensorcodecs.floats.ecf8 import Ecf8


class Ecf8Engine(StreamModel):
    """FP8 E4M3 with Huffman-coded exponents; other numbers are raw."""

    name: ClassVar[str] = "hw/ecf8"
    title: ClassVar[str] = "ECF8 decoder"
    source: ClassVar[str] = "Yang et al., arXiv 2510.02676, 2025"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for lines that are no power of two from 32 to 4096 bytes."""
        super().__init__(line_bytes, layout)
        self.codec: Ecf8 = Ecf8()
        self.figures = symbol_figures(self, word_bytes=1, table_entries=Ecf8.tables_max * 256)
