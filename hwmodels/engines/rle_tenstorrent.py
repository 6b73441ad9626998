"""Zero run-length code of a tile packer (Tenstorrent Wormhole)."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.rle_tenstorrent import RleTenstorrent


class TenstorrentPacker(HardwareModel):
    """Tiles as a packer stores and an unpacker reads them, each from a granule of its own.

    What the format is, the vendor's documentation says; how the circuit is made, and its speed, are
    estimates.
    """

    name: ClassVar[str] = "hw/rle-tenstorrent"
    title: ClassVar[str] = "zero run-length packer of Tenstorrent"
    source: ClassVar[str] = "Tenstorrent, tt-isa-documentation, 2025"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = (1024, 2048, 4096)

    def __init__(self, line_bytes: int = 4096, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: RleTenstorrent = RleTenstorrent(block_bytes=line_bytes)
        width = "16 B per cycle: the format's sections are aligned to 16 B"
        self.figures = {
            "compress_latency_cycles": Figure(
                4, "cycles", "estimate", "32 data of 16 bits fill the first group"
            ),
            "decompress_latency_cycles": Figure(
                4, "cycles", "estimate", "a group of 32 data of 16 bits, before its counts"
            ),
            "compress_bytes_per_cycle": Figure(16, "B/cycle", "estimate", width),
            "decompress_bytes_per_cycle": Figure(16, "B/cycle", "estimate", width),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """Eight lanes of 16 bits: zero tests, sums of the counts, lane shifts, a group of 32 data and counts."""
    lanes = {"adder8": 8, "mux2_bit": 3 * 128, "shifter128": 1, "register_bit": 32 * 20 + 2 * 16}
    cycles = line_bytes / 16
    return Circuit({"or2": 8 * 15, **lanes}, cycles), Circuit(lanes, cycles)
