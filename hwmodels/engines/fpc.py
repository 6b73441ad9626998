"""Frequent-pattern compression on a memory line (Alameldeen & Wood, TR-1500, 2004)."""

from __future__ import annotations

import math
from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.fpc import Fpc

_GEM5 = "gem5, src/mem/cache/compressors/Compressors.py, class FPC"
_WORDS_IN, _WORDS_OUT = 8, 4  # words a cycle


class FpcEngine(HardwareModel):
    """All patterns of eight words are tested in a cycle; codes of all lengths are shifted together."""

    name: ClassVar[str] = "hw/fpc"
    title: ClassVar[str] = "frequent-pattern compression engine"
    source: ClassVar[str] = "Alameldeen & Wood, UW-Madison TR-1500, 2004"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: Fpc = Fpc(block_bytes=line_bytes)
        n_words = line_bytes // 4
        packing, unpacking = math.ceil(n_words / _WORDS_IN), math.ceil(n_words / _WORDS_OUT)
        self.figures = {
            "compress_latency_cycles": Figure(
                packing + 1, "cycles", "published", f"{_GEM5}: {_WORDS_IN} words a cycle, 1 cycle more"
            ),
            "decompress_latency_cycles": Figure(
                unpacking + 1, "cycles", "published", f"{_GEM5}: {_WORDS_OUT} words a cycle, 1 cycle more"
            ),
            "compress_bytes_per_cycle": Figure(4 * _WORDS_IN, "B/cycle", "published", _GEM5),
            "decompress_bytes_per_cycle": Figure(4 * _WORDS_OUT, "B/cycle", "published", _GEM5),
            **circuit_figures(*_circuits(packing, unpacking), line_bytes),
        }


def _circuits(packing: int, unpacking: int) -> tuple[Circuit, Circuit]:
    """Pattern tests and prefix sums of code lengths for each word; a shifter for each, and two lines' ends.

    Five range checks a word (4, 8 and 16 bits, two bytes in halves) and a comparison of its bytes; the
    registers hold the words at work and as many coded ones.
    """
    lanes = {"adder8": 2, "shifter64": 1, "mux2_bit": 32 * 3, "register_bit": 32 + 35}
    tests = {"comparator32": 3, "comparator16": 2, "comparator8": 3, "or2": 31}
    compressor = {name: _WORDS_IN * count for name, count in {**tests, **lanes}.items()}
    decompressor = {name: _WORDS_OUT * count for name, count in lanes.items()}
    return Circuit(compressor, packing), Circuit(decompressor, unpacking)
