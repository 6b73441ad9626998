"""DFloat11 (Zhang et al., arXiv 2504.11651) read by a circuit instead of a GPU."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.engines._exponents import symbol_figures
from hwmodels.layouts import STORED
from hwmodels.streams import StreamModel
from tensorcodecs.floats.dfloat11 import DFloat11


class DFloat11Engine(StreamModel):
    """BF16 with Huffman-coded exponents; other numbers are raw.

    Codes have up to 32 bits: a decoder looks them up byte by byte, in tables that the format has room for.
    """

    name: ClassVar[str] = "hw/dfloat11"
    title: ClassVar[str] = "DFloat11 decoder"
    source: ClassVar[str] = "Zhang et al., arXiv 2504.11651, 2025"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for lines that are no power of two from 32 to 4096 bytes."""
        super().__init__(line_bytes, layout)
        self.codec: DFloat11 = DFloat11()
        self.figures = symbol_figures(self, word_bytes=2, table_entries=DFloat11.tables_max * 256)
