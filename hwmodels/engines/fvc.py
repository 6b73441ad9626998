"""Frequent values in codes of three bits on a memory line (Yang, Zhang & Gupta, MICRO 2000)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.learning import LearnedModel
from tensorcodecs.lines.fvc_line import FvcLine
from tensorcodecs.lines.learned import PROFILED, LearnedLines

_WORDS = 8
_VALUES, _CODE_BITS = 7, 3
_DESIGN = f"this project's engine: {_WORDS} words a cycle against {_VALUES} values in registers"


class FvcEngine(LearnedModel):
    """Each word is compared with all values at once; a sum over the codes finds where each word lies."""

    name: ClassVar[str] = "hw/fvc"
    title: ClassVar[str] = "frequent-value engine"
    source: ClassVar[str] = "Yang, Zhang & Gupta, MICRO 2000; the engine is this project's"
    revision: ClassVar[str] = "1"
    codec_class: ClassVar[type[LearnedLines]] = FvcLine

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a setting that is not legal."""
        super().__init__(line_bytes, layout, table)
        cycles = math.ceil(line_bytes / (4 * _WORDS))
        self.figures = {
            "compress_latency_cycles": Figure(cycles + 1, "cycles", "estimate", f"{_DESIGN}; 1 to join"),
            "decompress_latency_cycles": Figure(cycles + 1, "cycles", "estimate", f"{_DESIGN}; 1 to part"),
            "compress_bytes_per_cycle": Figure(4 * _WORDS, "B/cycle", "estimate", _DESIGN),
            "decompress_bytes_per_cycle": Figure(4 * _WORDS, "B/cycle", "estimate", _DESIGN),
            **circuit_figures(*_circuits(cycles), line_bytes),
        }


def _circuits(cycles: int) -> tuple[Circuit, Circuit]:
    """The values in registers that all words share; for each word comparisons or a choice, sum and shift."""
    table = {"register_bit": 32 * _VALUES}
    lane = {"adder8": 1, "shifter64": 1, "register_bit": 32 + _CODE_BITS + 32}
    return (
        Circuit(_with(table, {**lane, "comparator32": _VALUES}), cycles),
        Circuit(_with(table, {**lane, "mux2_bit": 32 * _VALUES}), cycles),
    )


def _with(table: Mapping[str, float], lane: Mapping[str, float]) -> dict[str, float]:
    return {name: _WORDS * count + table.get(name, 0) for name, count in lane.items()}
