"""An engine after APack (Delmas Lascorz et al., arXiv 2201.08830) on a memory line."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.learning import LearnedModel
from tensorcodecs.lines.apack import ApackLike
from tensorcodecs.lines.learned import PROFILED, LearnedLines

UNITS = 16
"""Arithmetic coders at work on as many lines at once."""
_BYTE = "no published figure was read: a coder takes one byte a cycle"


class ApackEngine(LearnedModel):
    """An arithmetic coder takes one byte of its line a cycle; sixteen of them work on lines of their own.

    The paper, too, has several units side by side to keep up with the memory; their number here is ours.
    """

    name: ClassVar[str] = "hw/apack-like"
    title: ClassVar[str] = "APack-like engine"
    source: ClassVar[str] = "Delmas Lascorz et al., APack, arXiv 2201.08830, 2022; details are ours"
    revision: ClassVar[str] = "1"
    codec_class: ClassVar[type[LearnedLines]] = ApackLike

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a setting that is not legal."""
        super().__init__(line_bytes, layout, table)
        rate = f"{_BYTE}; {UNITS} coders"
        self.figures = {
            "compress_latency_cycles": Figure(line_bytes + 2, "cycles", "estimate", f"{_BYTE}; 2 to flush"),
            "decompress_latency_cycles": Figure(
                line_bytes + 2, "cycles", "estimate", f"{_BYTE}; 2 to fill the code register"
            ),
            "compress_bytes_per_cycle": Figure(UNITS, "B/cycle", "estimate", rate),
            "decompress_bytes_per_cycle": Figure(UNITS, "B/cycle", "estimate", rate),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """Per coder: the ranges' comparators, two products of 16 x 10 bits, registers, normalising shifters."""
    # 160 of a 32-bit multiplier's 1024 partial products each; a table of 16 ranges x (8 + 11) bits.
    coder = {"comparator8": 16, "multiplier32": 2 * 160 / 1024, "adder16": 3, "shifter32": 3}
    registers = {"register_bit": 3 * 16 + 16 * 19 + 64, "mux2_bit": 15 * 30}
    each = {name: UNITS * count for name, count in (coder | registers).items()}
    # A decoder compares the code with the cumulated probabilities times the width: a product for each of 15.
    decoder = each | {"multiplier32": UNITS * 17 * 160 / 1024, "comparator16": UNITS * 15}
    cycles_per_line = line_bytes / UNITS
    return Circuit(each, cycles_per_line), Circuit(decoder, cycles_per_line)
