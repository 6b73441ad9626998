"""Frequent-pattern compression with a dictionary of two words, on a memory line."""

from __future__ import annotations

import math
from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.fpcd import FpcD

_GEM5 = "gem5, src/mem/cache/compressors/Compressors.py, class FPCD"
_WORDS = 4  # words a cycle


class FpcDEngine(HardwareModel):
    """Four words a cycle, each against the patterns and the two words before it."""

    name: ClassVar[str] = "hw/fpcd"
    title: ClassVar[str] = "frequent-pattern engine with a dictionary"
    source: ClassVar[str] = "Alameldeen & Agarwal, MEMSYS 2018"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: FpcD = FpcD(block_bytes=line_bytes)
        cycles = math.ceil(line_bytes / (4 * _WORDS))
        rate = f"{_GEM5}: {_WORDS} words a cycle"
        self.figures = {
            "compress_latency_cycles": Figure(cycles + 1, "cycles", "published", f"{rate}, 1 cycle more"),
            "decompress_latency_cycles": Figure(cycles, "cycles", "published", rate),
            "compress_bytes_per_cycle": Figure(4 * _WORDS, "B/cycle", "published", rate),
            "decompress_bytes_per_cycle": Figure(4 * _WORDS, "B/cycle", "published", rate),
            **circuit_figures(*_circuits(cycles), line_bytes),
        }


def _circuits(cycles: int) -> tuple[Circuit, Circuit]:
    """For each word of a cycle: comparisons of its bytes with patterns and two words, a shifter, registers.

    The two words before the first of a cycle are registers of their own.
    """
    lanes = {"adder8": 2, "shifter64": 1, "mux2_bit": 32 * 4, "register_bit": 32 + 36}
    tests = {"comparator8": 4 * 4 + 3, "or2": 16}
    fifo_bits = 2 * 32
    compressor = {name: float(_WORDS * count) for name, count in {**tests, **lanes}.items()}
    decompressor = {name: float(_WORDS * count) for name, count in lanes.items()}
    compressor["register_bit"] += fifo_bits
    decompressor["register_bit"] += fifo_bits
    return Circuit(compressor, cycles), Circuit(decompressor, cycles)
