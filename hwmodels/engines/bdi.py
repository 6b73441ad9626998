"""Base-Delta-Immediate compression on a memory line (Pekhimenko et al., PACT 2012)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.arrays import Array
from tensorcodecs.lines.bdi import Bdi

_GEM5 = "gem5, src/mem/cache/compressors/Compressors.py, class BDI"


class BdiEngine(HardwareModel):
    """All encodings are tried in parallel and the smallest is kept; its tag lives in the metadata.

    The tag is known before the data arrives (gem5 assumes the same), so a line of zeros moves nothing.
    A line that no encoding shortens is stored as it is: that is the tag's last value.
    """

    name: ClassVar[str] = "hw/bdi"
    title: ClassVar[str] = "Base-Delta-Immediate engine"
    source: ClassVar[str] = "Pekhimenko et al., PACT 2012"
    revision: ClassVar[str] = "2"

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: Bdi = Bdi(block_bytes=line_bytes)
        self.metadata_bits = Bdi.tag_bits
        one_line = Figure(line_bytes, "B/cycle", "published", f"{_GEM5}: all chunks of a line in one cycle")
        self.figures = {
            "compress_latency_cycles": Figure(2, "cycles", "published", f"{_GEM5}: 1 + 1 to select"),
            "decompress_latency_cycles": Figure(1, "cycles", "published", _GEM5),
            "compress_bytes_per_cycle": one_line,
            "decompress_bytes_per_cycle": one_line,
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }

    def payload_bits(self, array: Array) -> npt.NDArray[np.int32]:
        """The codec's bits without the tag, which is counted as metadata."""
        bits: npt.NDArray[np.int32] = self.codec.block_bits(array) - np.int32(Bdi.tag_bits)
        return bits


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """A subtractor and a range check per element and base width (8, 4, 2 B), and the line's register."""
    n8, n4, n2 = line_bytes // 8, line_bytes // 4, line_bytes // 2
    adders = {"adder64": n8, "adder32": n4, "adder16": n2}
    # Encodings of 8-byte bases check three delta widths, of 4-byte bases two, each for base and immediate.
    checks = {"comparator32": 2 * (3 * n8 + 2 * n4), "comparator16": 2 * n2}
    line = {"register_bit": 8 * line_bytes, "mux2_bit": 8 * line_bytes * 3}
    compressor = Circuit({**adders, **checks, **line}, cycles_per_line=1)
    return compressor, Circuit({"adder64": n8, "adder32": n4, "adder16": n2, **line}, cycles_per_line=1)
