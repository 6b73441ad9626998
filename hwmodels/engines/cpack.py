"""C-Pack on a memory line (Chen et al., TVLSI 2010)."""

from __future__ import annotations

import math
from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.lines.cpack import CPack

_GEM5 = "gem5, src/mem/cache/compressors/Compressors.py, class CPack"
_WORDS = 2  # words a cycle


class CPackEngine(HardwareModel):
    """Two words a cycle against a dictionary of sixteen, the second one also against the first.

    The dictionary is emptied for every line, so each line decodes alone.
    """

    name: ClassVar[str] = "hw/cpack"
    title: ClassVar[str] = "C-Pack engine"
    source: ClassVar[str] = "Chen et al., IEEE TVLSI 18(8), 2010"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: CPack = CPack(block_bytes=line_bytes)
        cycles = math.ceil(line_bytes / (4 * _WORDS))
        rate = f"{_GEM5}: {_WORDS} words a cycle"
        self.figures = {
            "compress_latency_cycles": Figure(cycles + 5, "cycles", "published", f"{rate}, 5 cycles more"),
            "decompress_latency_cycles": Figure(cycles + 1, "cycles", "published", f"{rate}, 1 cycle more"),
            "compress_bytes_per_cycle": Figure(4 * _WORDS, "B/cycle", "published", rate),
            "decompress_bytes_per_cycle": Figure(4 * _WORDS, "B/cycle", "published", rate),
            **circuit_figures(*_circuits(cycles), line_bytes),
        }


def _circuits(cycles: int) -> tuple[Circuit, Circuit]:
    """The dictionary's registers; a comparator a byte, entry and word; shifters that join the codes.

    The second word of a cycle has one entry more to look at. A read port is a tree of multiplexers.
    """
    dictionary_bits = 32 * CPack.entries
    read_port = 32 * (CPack.entries - 1)
    joining = {"adder8": _WORDS * 2, "shifter128": 1}
    registers = dictionary_bits + 2 * _WORDS * 34
    compressor = {
        "comparator8": 4 * (_WORDS * CPack.entries + 1) + _WORDS * 4,
        "mux2_bit": _WORDS * 34 * 3,
        "register_bit": registers,
        **joining,
    }
    decompressor = {"mux2_bit": _WORDS * (read_port + 32 * 3), "register_bit": registers, **joining}
    return Circuit(compressor, cycles), Circuit(decompressor, cycles)
