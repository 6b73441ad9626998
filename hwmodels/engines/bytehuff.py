"""A byte-Huffman engine on a memory line."""

from __future__ import annotations

import math
from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.learning import LearnedModel
from tensorcodecs.lines.bytehuff import ByteHuff
from tensorcodecs.lines.learned import PROFILED, LearnedLines

UNITS = 16
"""Bytes that are encoded in a cycle, and decoders at work on as many lines at once."""
_DESIGN = f"this project's engine: {UNITS} look-ups a cycle, {UNITS} decoders of a byte a cycle each"
_LATENCY = f"{_DESIGN}; 2 cycles to fill and join"


class ByteHuffEngine(LearnedModel):
    """Sixteen bytes of a line are looked up at once; sixteen decoders take a byte a cycle of own lines."""

    name: ClassVar[str] = "hw/bytehuff"
    title: ClassVar[str] = "byte-Huffman engine"
    source: ClassVar[str] = "Huffman, Proc. IRE 1952; the engine is this project's"
    revision: ClassVar[str] = "1"
    codec_class: ClassVar[type[LearnedLines]] = ByteHuff

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a setting that is not legal."""
        super().__init__(line_bytes, layout, table)
        cycles = math.ceil(line_bytes / UNITS)
        self.figures = {
            "compress_latency_cycles": Figure(cycles + 2, "cycles", "estimate", f"{_DESIGN}; 2 to join"),
            "decompress_latency_cycles": Figure(
                line_bytes + 2, "cycles", "estimate", f"{_DESIGN}; 2 to fill"
            ),
            "compress_bytes_per_cycle": Figure(UNITS, "B/cycle", "estimate", _DESIGN),
            "decompress_bytes_per_cycle": Figure(UNITS, "B/cycle", "estimate", _DESIGN),
            **circuit_figures(*_circuits(cycles), line_bytes),
        }


def _circuits(cycles: int) -> tuple[Circuit, Circuit]:
    """Each look-up has a table of its own: 256 codes of 15 bits with their lengths, or 256 values.

    A decoder compares the next 15 bits with the first code of each length, which all decoders share.
    """
    encoder = {
        "sram_bit": 256 * (15 + 4),
        "sram_access32": 1,
        "adder8": 2,
        "shifter64": 1,
        "register_bit": 8 + 64,
    }
    decoder = {
        "sram_bit": 256 * 8,
        "sram_access32": 1,
        "comparator16": 15,
        "adder16": 1,
        "shifter32": 1,
        "register_bit": 64 + 8,
    }
    encoders = {name: float(UNITS * count) for name, count in encoder.items()}
    decoders = {name: float(UNITS * count) for name, count in decoder.items()}
    decoders["register_bit"] += 15 * (16 + 8)
    return Circuit(encoders, cycles), Circuit(decoders, cycles)
