"""Zero-value compression engine (Rhu et al., "Compressing DMA Engine", HPCA 2018) on a memory line."""

from __future__ import annotations

import math
from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.sparse.zvc import Zvc


class ZvcEngine(HardwareModel):
    """A mask of the non-zero words, then these words; raw where that is no shorter.

    The metadata of a line says how many 32-B granules to fetch, and whether they hold a raw line: for
    64 B the states are all-zero (nothing is fetched), one granule, two granules, raw.
    """

    name: ClassVar[str] = "hw/zvc"
    title: ClassVar[str] = "zero-value compression engine"
    source: ClassVar[str] = "Rhu et al., HPCA 2018"
    revision: ClassVar[str] = "2"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: Zvc = Zvc(block_bytes=line_bytes)
        width = "cDMA, HPCA 2018: 32 B per cycle, recalled from the paper, not re-read"
        stages = f"{width}; 3 stages"
        cycles_per_line = math.ceil(line_bytes / 32)
        self.figures = {
            "compress_latency_cycles": Figure(2 + cycles_per_line, "cycles", "estimate", stages),
            "decompress_latency_cycles": Figure(
                4 + cycles_per_line, "cycles", "estimate", f"{stages}; 2 cycles more to decompress"
            ),
            "compress_bytes_per_cycle": Figure(32, "B/cycle", "estimate", width),
            "decompress_bytes_per_cycle": Figure(32, "B/cycle", "estimate", width),
            **circuit_figures(*_circuits(cycles_per_line), line_bytes),
        }


def _circuits(cycles_per_line: int) -> tuple[Circuit, Circuit]:
    """Eight lanes of 32 bits: zero tests, prefix sums of the mask, lane shifts, an output shifter."""
    zero_tests = {"or2": 8 * 31}
    compaction = {"adder8": 8, "mux2_bit": 8 * 32 * 3, "register_bit": 2 * 256 + 8, "shifter256": 1}
    compressor = Circuit({**zero_tests, **compaction}, cycles_per_line)
    return compressor, Circuit(compaction, cycles_per_line)
