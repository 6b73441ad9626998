"""Run-length code between an accelerator and its DRAM (Eyeriss, IEEE JSSC 2017)."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.rlc_eyeriss import RlcEyeriss


class RlcEyerissEngine(HardwareModel):
    """Pairs of run and level in words of 64 bits, blocks behind one another.

    The decoder writes the zeros of a run, too, so its cycles do not depend on the data. Blocks are read
    from the first on, as the accelerator reads a feature map. The block's metadata says
    that it is all zeros, or raw.
    """

    name: ClassVar[str] = "hw/rlc-eyeriss"
    title: ClassVar[str] = "run-length code of Eyeriss"
    source: ClassVar[str] = "Chen et al., IEEE JSSC 52(1), 2017"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = (64, 128, 256, 512, 1024, 2048, 4096)
    random_access: ClassVar[bool] = False

    def __init__(self, line_bytes: int = 4096, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: RlcEyeriss = RlcEyeriss(block_bytes=line_bytes)
        pair = "a word of 16 bits each cycle, the zeros of a run too"
        self.figures = {
            "compress_latency_cycles": Figure(3, "cycles", "estimate", "three pairs fill the first word"),
            "decompress_latency_cycles": Figure(1, "cycles", "estimate", "the first pair of a word"),
            "compress_bytes_per_cycle": Figure(2, "B/cycle", "estimate", pair),
            "decompress_bytes_per_cycle": Figure(2, "B/cycle", "estimate", pair),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """A zero test, the run's counter and a word of 64 bits; the decoder counts down. A level a cycle."""
    run = {"register_bit": 64 + 16 + 5, "adder8": 1, "comparator8": 1, "mux2_bit": 64}
    levels_per_line = line_bytes / 2
    compressor = Circuit({"or2": 15, **run}, levels_per_line)
    return compressor, Circuit(run, levels_per_line)
