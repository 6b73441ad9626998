"""A history buffer and Huffman coder (after Chandra, 2018) on a stream of memory lines."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.learning import LearnedModel
from tensorcodecs.lines.history import HistoryHuffmanLike
from tensorcodecs.lines.learned import PROFILED, LearnedLines

_WORD = "no published figure was read: one word of 4 bytes a cycle"


class HistoryEngine(LearnedModel):
    """Sixteen comparators and four look-ups of byte codes take a word a cycle, in one stream."""

    name: ClassVar[str] = "hw/history-huffman-like"
    title: ClassVar[str] = "history buffer and Huffman engine"
    source: ClassVar[str] = (
        "after Chandra, history buffer and Huffman coding for DNN SoCs, 2018; details are ours"
    )
    revision: ClassVar[str] = "1"
    random_access: ClassVar[bool] = False
    codec_class: ClassVar[type[LearnedLines]] = HistoryHuffmanLike

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a setting that is not legal."""
        super().__init__(line_bytes, layout, table)
        latency = f"{_WORD}; 2 to fill"
        words = line_bytes // 4
        self.figures = {
            "compress_latency_cycles": Figure(words + 2, "cycles", "estimate", latency),
            "decompress_latency_cycles": Figure(words + 2, "cycles", "estimate", latency),
            "compress_bytes_per_cycle": Figure(4, "B/cycle", "estimate", _WORD),
            "decompress_bytes_per_cycle": Figure(4, "B/cycle", "estimate", _WORD),
            **circuit_figures(*_circuits(words), line_bytes),
        }


def _circuits(words: int) -> tuple[Circuit, Circuit]:
    """The buffer and its comparators; four code tables of 257 x (15 + 8) bits; shifters to join the codes."""
    codes = {"sram_bit": 4 * 257 * 23, "sram_access32": 4, "shifter64": 4}
    buffer = {"register_bit": 16 * 32 + 128, "mux2_bit": 15 * 32}
    compressor = Circuit(codes | buffer | {"comparator32": 16}, words)
    return compressor, Circuit(codes | buffer | {"comparator32": 16, "comparator16": 4 * 15}, words)
