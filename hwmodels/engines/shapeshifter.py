"""Data widths by group (ShapeShifter, MICRO 2019), and those of differences (Diffy, MICRO 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.base import LineCodec
from tensorcodecs.lines.diffy import DiffyLike
from tensorcodecs.lines.shapeshifter import ShapeShifterLike

_GROUP = ShapeShifterLike.group
_BYTES = 2 * _GROUP
_DESIGN = f"this project's engine: a group of {_GROUP} words of 16 bits a cycle"

# Of each word: its fold by the sign, its share of two OR trees, its test for zero, a place among the others.
_WORD_IN = {"xor2": 16, "or2": 3 * 16, "adder8": 1, "shifter64": 1, "register_bit": 16 + 32}
_WORD_OUT = {"xor2": 16, "and2": 16, "adder8": 1, "shifter64": 1, "register_bit": 16 + 32}


class ShapeShifterEngine(HardwareModel):
    """Widths are found by OR trees; the words of a group are moved together, or apart, at once."""

    name: ClassVar[str] = "hw/shapeshifter-like"
    title: ClassVar[str] = "group-width engine after ShapeShifter"
    source: ClassVar[str] = "Delmas Lascorz et al., MICRO 2019; the engine is this project's"
    revision: ClassVar[str] = "1"
    codec_class: ClassVar[type[LineCodec]] = ShapeShifterLike
    word_adders: ClassVar[int] = 0
    """Adders of 16 bits for each word, both ways."""
    sum_cycles: ClassVar[int] = 0
    """Cycles that the decompressor sums differences for."""

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: LineCodec = self.codec_class(block_bytes=line_bytes)
        groups = math.ceil(line_bytes / _BYTES)
        unpacking = f"{_DESIGN}; 1 to read the widths, 1 to place the words"
        if self.sum_cycles:
            unpacking += f", {self.sum_cycles} to sum"
        self.figures = {
            "compress_latency_cycles": Figure(
                groups + 2, "cycles", "estimate", f"{_DESIGN}; 1 for the widths, 1 to join"
            ),
            "decompress_latency_cycles": Figure(
                groups + 2 + self.sum_cycles, "cycles", "estimate", unpacking
            ),
            "compress_bytes_per_cycle": Figure(_BYTES, "B/cycle", "estimate", _DESIGN),
            "decompress_bytes_per_cycle": Figure(_BYTES, "B/cycle", "estimate", _DESIGN),
            **circuit_figures(self._circuit(_WORD_IN, groups), self._circuit(_WORD_OUT, groups), line_bytes),
        }

    def _circuit(self, word: Mapping[str, float], groups: int) -> Circuit:
        parts = {name: _GROUP * count for name, count in word.items()}
        if self.word_adders:
            parts["adder16"] = _GROUP * self.word_adders
        return Circuit(parts, cycles_per_line=groups)


class DiffyEngine(ShapeShifterEngine):
    """Neighbours are subtracted before, and summed again after, in a tree of adders over the group."""

    name: ClassVar[str] = "hw/diffy-like"
    title: ClassVar[str] = "group-width engine of differences after Diffy"
    source: ClassVar[str] = "Mahmoud et al., MICRO 2018; the engine is this project's"
    codec_class: ClassVar[type[LineCodec]] = DiffyLike
    word_adders: ClassVar[int] = int(math.log2(_GROUP))
    sum_cycles: ClassVar[int] = 1
