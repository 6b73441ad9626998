"""Hardware models over codecs that make one stream of an array, not blocks that decode alone."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwmodels.base import HardwareModel
from hwmodels.layouts import STORED
from tensorcodecs.arrays import Array, raw_bytes
from tensorcodecs.base import TensorCodec, one_of

_LINE_BYTES = tuple(1 << bits for bits in range(5, 13))


class StreamModel(HardwareModel):
    """A circuit that reads an array's stream from its first bit on.

    The bits are those of the codec's frame, header included. Lines are only what a memory fetches: the
    stream's bits are shared out over them evenly. A byte for the whole array says whether it is coded, raw
    or all zeros (nothing is stored), so no array grows by more than that.
    """

    random_access: ClassVar[bool] = False
    shared_bits: ClassVar[int] = 8
    legal_line_bytes: ClassVar[tuple[int, ...]] = _LINE_BYTES
    codec: TensorCodec

    def __init__(self, line_bytes: int = 64, layout: str = STORED) -> None:
        """ValueError for lines that are no power of two from 32 to 4096 bytes."""
        super().__init__(one_of("line_bytes", line_bytes, _LINE_BYTES), layout)
        self.metadata_bits = 0

    def payload_bits(self, array: Array) -> npt.NDArray[np.int32]:
        """An even share of the stream, or of the raw bytes where these are fewer, int32[n_lines]."""
        n_lines = math.ceil(array.nbytes / self.line_bytes)
        if not raw_bytes(array).any():
            return np.zeros(n_lines, np.int32)
        total_bits = 8 * min(raw_bytes(self.codec.encode(array)).size, n_lines * self.line_bytes)
        shares = np.full(n_lines, total_bits // n_lines, np.int32)
        shares[: total_bits % n_lines] += 1
        return shares
