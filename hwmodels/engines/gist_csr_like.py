"""Narrow compressed sparse rows, after Gist (ISCA 2018), as a circuit would make them."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.gist_csr_like import GistCsrLike


class GistCsrEngine(HardwareModel):
    """Rows of 256 words, a byte of column for each non-zero one.

    Gist runs on a GPU; the circuit is this project's, so its figures are estimates and models.
    """

    name: ClassVar[str] = "hw/gist-csr-like"
    title: ClassVar[str] = "narrow compressed sparse rows"
    source: ClassVar[str] = "after Jain et al., ISCA 2018"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = (1024, 2048, 4096)

    def __init__(self, line_bytes: int = 4096, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: GistCsrLike = GistCsrLike(block_bytes=line_bytes)
        width = "eight words of 32 bits each cycle"
        self.figures = {
            "compress_latency_cycles": Figure(
                2 + line_bytes // 32,
                "cycles",
                "estimate",
                "the last pointer comes before the first column: the block is counted first",
            ),
            "decompress_latency_cycles": Figure(3, "cycles", "estimate", "pointer, columns, words"),
            "compress_bytes_per_cycle": Figure(32, "B/cycle", "estimate", width),
            "decompress_bytes_per_cycle": Figure(32, "B/cycle", "estimate", width),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """Eight lanes of 32 bits and 8 bits of column: zero tests, sums, compaction; a buffer for the block."""
    lanes = {"adder8": 8, "adder16": 1, "mux2_bit": 8 * 40 * 3, "shifter256": 1, "register_bit": 2 * 320 + 32}
    cycles = line_bytes / 32
    buffer = {"sram_bit": 8 * line_bytes, "sram_access32": 2 * 8}
    return Circuit({"or2": 8 * 31, **lanes, **buffer}, cycles), Circuit(lanes, cycles)
