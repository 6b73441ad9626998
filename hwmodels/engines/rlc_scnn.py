"""Zero counts beside non-zero operands (SCNN, ISCA 2017)."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.rlc_scnn import RlcScnn


class RlcScnnEngine(HardwareModel):
    """Non-zero words and four bits of zero count each, blocks behind one another.

    Blocks are read from the first on: their ends follow from their counts alone. The block's metadata says
    that it is all zeros, or raw.
    """

    name: ClassVar[str] = "hw/rlc-scnn"
    title: ClassVar[str] = "run-length code of SCNN"
    source: ClassVar[str] = "Parashar et al., ISCA 2017"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = (64, 128, 256, 512, 1024, 2048, 4096)
    random_access: ClassVar[bool] = False

    def __init__(self, line_bytes: int = 4096, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: RlcScnn = RlcScnn(block_bytes=line_bytes)
        vector = "vectors of four words of 16 bits each cycle, as an array of 4 x 4 multipliers takes"
        self.figures = {
            "compress_latency_cycles": Figure(
                2, "cycles", "estimate", "zero tests, then compaction of four words"
            ),
            "decompress_latency_cycles": Figure(
                2, "cycles", "estimate", "counts are summed, then words are placed"
            ),
            "compress_bytes_per_cycle": Figure(8, "B/cycle", "estimate", vector),
            "decompress_bytes_per_cycle": Figure(8, "B/cycle", "estimate", vector),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """Four lanes of 16 bits: zero tests, sums of the counts, lanes that move up to four places."""
    lanes = {"adder8": 4, "mux2_bit": 2 * 64, "register_bit": 2 * 64 + 16 + 8, "shifter64": 1}
    cycles = line_bytes / 8
    return Circuit({"or2": 4 * 15, **lanes}, cycles), Circuit(lanes, cycles)
