"""Bit-plane compression on memory lines (Kim et al., ISCA 2016), and as Compresso uses it (MICRO 2018)."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.arrays import Array
from tensorcodecs.lines.bpc import Bpc, BpcCompresso

_PIPELINE = "estimate: subtract, transpose and XOR, code two planes a cycle, shift them together"
_PLANES_PER_CYCLE = 2
_PAGE_METADATA_BITS, _LINES_PER_PAGE = 8 * 64, 64
_CLASS_BITS = np.array([0, 64, 256, 512], np.int32)


class BpcEngine(HardwareModel):
    """A line's differences as bit planes, coded one after another; a line that grows is stored raw."""

    name: ClassVar[str] = "hw/bpc"
    title: ClassVar[str] = "bit-plane compression engine"
    source: ClassVar[str] = "Kim et al., ISCA 2016"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 128, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: Bpc = Bpc(block_bytes=line_bytes)
        self.figures = _figures(line_bytes, n_planes=33)


class BpcCompressoEngine(HardwareModel):
    """Lines of 64 bytes in classes of 0, 8, 32, 64 bytes; 64 bytes of metadata locate a 4-KB page's lines."""

    name: ClassVar[str] = "hw/bpc-compresso"
    title: ClassVar[str] = "bit-plane compression in Compresso"
    source: ClassVar[str] = "Choukse, Erez and Alameldeen, MICRO 2018"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = (64,)

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """Raises ValueError for any line but of 64 bytes."""
        super().__init__(line_bytes, layout)
        self.codec: BpcCompresso = BpcCompresso()
        self.metadata_bits = _PAGE_METADATA_BITS // _LINES_PER_PAGE
        self.figures = _figures(line_bytes, n_planes=32)

    def payload_bits(self, array: Array) -> npt.NDArray[np.int32]:
        """The smallest class that holds a line; none is stored for a line of zeros."""
        classes: npt.NDArray[np.int32] = _CLASS_BITS[
            np.searchsorted(_CLASS_BITS, super().payload_bits(array))
        ]
        return classes


def _figures(line_bytes: int, n_planes: int) -> dict[str, Figure]:
    """Cycles of a pipeline that codes two planes a cycle, and what it is made of."""
    n = line_bytes // 4
    plane_cycles = math.ceil(n_planes / _PLANES_PER_CYCLE)
    transform = {"adder32": n - 1, "xor2": n_planes * (n - 1), "register_bit": 2 * 8 * line_bytes}
    coder = {"comparator32": 4 * _PLANES_PER_CYCLE, "shifter64": 2 * _PLANES_PER_CYCLE, "shifter256": 1}
    circuit = Circuit({**transform, **coder}, cycles_per_line=plane_cycles, activity=0.5)
    latency = Figure(plane_cycles + 3, "cycles", "estimate", _PIPELINE)
    speed = Figure(line_bytes / plane_cycles, "B/cycle", "estimate", _PIPELINE)
    return {
        "compress_latency_cycles": latency,
        "decompress_latency_cycles": latency,
        "compress_bytes_per_cycle": speed,
        "decompress_bytes_per_cycle": speed,
        **circuit_figures(circuit, circuit, line_bytes),
    }
