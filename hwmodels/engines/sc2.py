"""Statistical compression of values (Arelakis & Stenstrom, SC2, ISCA 2014) on a memory line."""

from __future__ import annotations

import math
from typing import ClassVar

from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from hwmodels.learning import LearnedModel
from tensorcodecs.lines._sc2_tables import VALUES_MAX
from tensorcodecs.lines.learned import PROFILED, LearnedLines
from tensorcodecs.lines.sc2 import Sc2

_WORDS_IN, _WORDS_OUT = 8, 2  # words a cycle
_FILL_IN, _FILL_OUT = 4, 6  # cycles
_RECALLED = "SC2, ISCA 2014, recalled, not re-read: 6 and 14 cycles for 64 B; rate and fill are parted by us"


class Sc2Engine(LearnedModel):
    """Values are looked up in a table that was learned; decoding follows one code after the other.

    The table is learned rarely and by software, so that no counters are in the circuit.
    """

    name: ClassVar[str] = "hw/sc2"
    title: ClassVar[str] = "SC2 engine"
    source: ClassVar[str] = "Arelakis & Stenstrom, ISCA 2014; details are ours"
    revision: ClassVar[str] = "1"
    codec_class: ClassVar[type[LearnedLines]] = Sc2

    def __init__(self, line_bytes: int = 64, layout: str = STORED, table: str = PROFILED) -> None:
        """Raises ValueError for a setting that is not legal."""
        super().__init__(line_bytes, layout, table)
        n_words = line_bytes // 4
        packing, unpacking = math.ceil(n_words / _WORDS_IN), math.ceil(n_words / _WORDS_OUT)
        self.figures = {
            "compress_latency_cycles": Figure(packing + _FILL_IN, "cycles", "estimate", _RECALLED),
            "decompress_latency_cycles": Figure(unpacking + _FILL_OUT, "cycles", "estimate", _RECALLED),
            "compress_bytes_per_cycle": Figure(4 * _WORDS_IN, "B/cycle", "estimate", _RECALLED),
            "decompress_bytes_per_cycle": Figure(4 * _WORDS_OUT, "B/cycle", "estimate", _RECALLED),
            **circuit_figures(*_circuits(packing, unpacking), line_bytes),
        }


def _circuits(packing: int, unpacking: int) -> tuple[Circuit, Circuit]:
    """Tables in SRAM, one bank a word of a cycle; comparisons, shifters and registers of each word.

    The encoder's entries are a value, a code of 15 bits and its length, two accesses of 32 bits each; the
    decoder compares the next 15 bits with the first code of each length and reads the value.
    """
    encoder = {
        "sram_bit": VALUES_MAX * (32 + 15 + 4),
        "sram_access32": 2 * _WORDS_IN,
        "comparator32": _WORDS_IN,
        "adder8": 2 * _WORDS_IN,
        "shifter64": _WORDS_IN,
        "register_bit": _WORDS_IN * (32 + 47),
    }
    decoder = {
        "sram_bit": VALUES_MAX * 32,
        "sram_access32": _WORDS_OUT,
        "comparator16": 15 * _WORDS_OUT,
        "adder16": _WORDS_OUT,
        "shifter64": 2 * _WORDS_OUT,
        "register_bit": 15 * (16 + 11) + _WORDS_OUT * (32 + 47),
    }
    return Circuit(encoder, packing), Circuit(decoder, unpacking)
