"""An engine after Lane Compression (Ko et al., ACM TECS 2021) on a memory line."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.learning import LearnedModel
from tensorcodecs.lines.lane import LaneLike
from tensorcodecs.lines.learned import PROFILED, LearnedLines

LANES = 32
"""As many lanes are coded at once: words of 4 bytes; wider ones take turns."""
_LANE = "no published figure was read: 4 bits of each lane a cycle"


class LaneEngine(LearnedModel):
    """Every lane has its coder, set up by the table; their outputs are joined one lane after another."""

    name: ClassVar[str] = "hw/lane-like"
    title: ClassVar[str] = "lane-like engine"
    source: ClassVar[str] = "Ko et al., Lane Compression, ACM TECS 2021; details are ours"
    revision: ClassVar[str] = "1"
    codec_class: ClassVar[type[LearnedLines]] = LaneLike

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a setting that is not legal."""
        super().__init__(line_bytes, layout, table)
        cycles_per_line = max(1, line_bytes // 16)
        self.figures = {
            "compress_latency_cycles": Figure(
                2 * cycles_per_line, "cycles", "estimate", f"{_LANE}; then as many to join the lanes"
            ),
            "decompress_latency_cycles": Figure(
                2 * cycles_per_line, "cycles", "estimate", f"{_LANE}; before that as many to part them"
            ),
            "compress_bytes_per_cycle": Figure(16, "B/cycle", "estimate", _LANE),
            "decompress_bytes_per_cycle": Figure(16, "B/cycle", "estimate", _LANE),
            **circuit_figures(*_circuits(line_bytes, cycles_per_line), line_bytes),
        }


def _circuits(line_bytes: int, cycles_per_line: int) -> tuple[Circuit, Circuit]:
    """Per lane: views (XOR and their choice), a zero test, gap counter, shifter; two lines of registers."""
    lane = {"xor2": 8, "mux2_bit": 8, "or2": 4, "adder8": 2, "shifter32": 1, "register_bit": 5 + 8}
    parts = {name: LANES * count for name, count in lane.items()}
    parts["register_bit"] += 2 * 8 * line_bytes
    parts["shifter128"] = 1
    return Circuit(parts, cycles_per_line), Circuit(parts, cycles_per_line)
