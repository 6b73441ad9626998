"""HyComp (Arelakis, Dahlgren and Stenstrom, MICRO 2015) on a memory line."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.learning import LearnedModel
from tensorcodecs.lines.hycomp import HyComp
from tensorcodecs.lines.learned import PROFILED, LearnedLines

_SC2 = "SC2's 6 and 14 cycles for 64 B, recalled from the paper, not re-read"


class HyCompEngine(LearnedModel):
    """The vote first, then one of four compressors; the Huffman parts are the slow ones and set the pace."""

    name: ClassVar[str] = "hw/hycomp"
    title: ClassVar[str] = "HyComp engine"
    source: ClassVar[str] = "Arelakis, Dahlgren and Stenstrom, HyComp, MICRO 2015"
    revision: ClassVar[str] = "1"
    codec_class: ClassVar[type[LearnedLines]] = HyComp

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a setting that is not legal."""
        super().__init__(line_bytes, layout, table)
        lines = line_bytes / 64
        rate = "one line at a time: the line over the latency"
        compress, decompress = 6 * lines + 2, 14 * lines
        self.figures = {
            "compress_latency_cycles": Figure(compress, "cycles", "estimate", f"{_SC2}; 2 for the vote"),
            "decompress_latency_cycles": Figure(decompress, "cycles", "estimate", _SC2),
            "compress_bytes_per_cycle": Figure(line_bytes / compress, "B/cycle", "estimate", rate),
            "decompress_bytes_per_cycle": Figure(line_bytes / decompress, "B/cycle", "estimate", rate),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """Four tables of 1024 codes in SRAM, a look-up and a shifter for each; a BDI unit; the vote; the line."""
    chunks = line_bytes // 8
    table_bits = 1024 * ((32 + 15) + (11 + 15) + (20 + 15) + (32 + 15))
    huffman = {"sram_bit": table_bits, "sram_access32": 4, "shifter64": 4, "comparator16": 4 * 15}
    delta = {"adder64": chunks, "adder32": 2 * chunks, "adder16": 4 * chunks, "comparator32": 14 * chunks}
    line = {"register_bit": 2 * 8 * line_bytes, "mux2_bit": 8 * line_bytes * 3}
    vote = {"comparator16": 4 * 15 + 2 * chunks, "adder8": 3 * chunks}
    cycles = line_bytes / 64
    compressor = Circuit(huffman | delta | line | vote, 6 * cycles)
    return compressor, Circuit(huffman | delta | line, 14 * cycles)
