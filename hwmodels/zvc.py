"""Zero-value compression engine (Rhu et al., "Compressing DMA Engine", HPCA 2018) on a memory line."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwmodels.base import Array, Figure, HardwareModel
from tensorcodecs.arrays import as_words
from tensorcodecs.zvc import Zvc

SMALLEST_GRANULE_BYTES = 32


class ZvcEngine(HardwareModel):
    """A mask of the non-zero words, then these words; raw where that is no shorter.

    The metadata of a line says how many 32-B granules to fetch, and whether they hold a raw line: for
    64 B the states are all-zero (nothing is fetched), one granule, two granules, raw.
    """

    name: ClassVar[str] = "hw/zvc"
    title: ClassVar[str] = "zero-value compression engine"
    source: ClassVar[str] = "Rhu et al., HPCA 2018"
    revision: ClassVar[str] = "1"

    def __init__(self, line_bytes: int = 64) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes)
        self.codec: Zvc = Zvc(block_bytes=line_bytes)
        states = math.ceil(line_bytes / SMALLEST_GRANULE_BYTES) + 2
        self.metadata_bits = math.ceil(math.log2(states))
        width = "cDMA, HPCA 2018: 32 B per cycle, recalled from the paper, not re-read"
        stages = f"{width}; 3 stages"
        cycles_per_line = math.ceil(line_bytes / 32)
        self.figures = {
            "compress_latency_cycles": Figure(2 + cycles_per_line, "cycles", "estimate", stages),
            "decompress_latency_cycles": Figure(
                4 + cycles_per_line, "cycles", "estimate", f"{stages}; 2 cycles more to decompress"
            ),
            "compress_bytes_per_cycle": Figure(32, "B/cycle", "estimate", width),
            "decompress_bytes_per_cycle": Figure(32, "B/cycle", "estimate", width),
        }

    def payload_bits(self, array: Array) -> npt.NDArray[np.int32]:
        """Mask and non-zero words; nothing for a line of zeros, the raw line where that is shorter."""
        bits: npt.NDArray[np.int32] = self.codec.block_bits(array)
        mask_bits = self.line_bytes // as_words(array).itemsize
        bits[bits == mask_bits] = 0
        return np.minimum(bits, np.int32(8 * self.line_bytes), dtype=np.int32)
