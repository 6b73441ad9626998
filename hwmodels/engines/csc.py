"""Sparse weights in relative columns (EIE, ISCA 2016)."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.streams import StreamModel
from tensorcodecs.sparse.csc import Csc


class CscEngine(StreamModel):
    """Column pointers, four bits of relative index, the words: EIE's matrix, read from its first column on.

    EIE hands its entries to multipliers as they are; here a decoder puts them into columns again, zeros and
    all, a word each cycle, so sparse columns take no fewer cycles.
    EIE's own figures, of a whole processing element (arithmetic and memories too), stand beside it.
    """

    name: ClassVar[str] = "hw/csc"
    title: ClassVar[str] = "sparse columns with relative index"
    source: ClassVar[str] = "Han et al., ISCA 2016"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: Csc = Csc(index_bits=4)
        entry = "a word of 32 bits each cycle, the zeros of a gap too"
        eie = (
            "EIE, ISCA 2016, 45 nm, 800 MHz, a whole processing element; recalled from the paper, not re-read"
        )
        self.figures = {
            "compress_latency_cycles": Figure(1, "cycles", "estimate", "the first entry of a column"),
            "decompress_latency_cycles": Figure(
                2, "cycles", "estimate", "pointers of a column, then its first entry"
            ),
            "compress_bytes_per_cycle": Figure(4, "B/cycle", "estimate", entry),
            "decompress_bytes_per_cycle": Figure(4, "B/cycle", "estimate", entry),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
            "element_area_mm2": Figure(0.638, "mm2", "estimate", eie),
            "element_power_mw": Figure(9.2, "mW", "estimate", eie),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """An index's adder, two pointers of 32 bits and an entry; the compressor tests for zero, too."""
    entry = {"adder16": 1, "adder32": 1, "comparator32": 1, "register_bit": 2 * 32 + 36 + 16, "shifter64": 1}
    cycles = line_bytes / 4
    return Circuit({"or2": 31, **entry}, cycles), Circuit(entry, cycles)
