"""After Lane Compression: words cut into lanes of bits, for each the simple code that was cheapest."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines.kernels import lanes
from tensorcodecs.lines.learned import Book, LearnedLines, TableKernels

_LINES_MAX = 4096
"""Learning looks at about as many lines, evenly spaced."""


class LaneLike(LearnedLines):
    """One lane for each bit of a word; see docs/formats/lane-like.md."""

    name = "lane-like"
    codec_id = "squeezemark.lane-like"
    title = "lane-like: a code chosen for each bit position"
    source = "Ko, Chadwick, Bates and Mullins, Lane Compression, ACM TECS 2021; details are this project's"
    version = "1"
    line_bits_min = 8
    kernels = TableKernels(lanes.line_bits, lanes.pack_lines, lanes.unpack_lines)

    def learn(self, raw: Bytes, word_bytes: int, *, complete: bool) -> bytes:  # noqa: ARG002 - no code fails
        """Return one byte for each lane: the first of the cheapest codes."""
        stride = max(1, raw.size // self.block_bytes // _LINES_MAX)
        costs = lanes.lane_costs(raw, self.block_bytes, word_bytes, stride)
        return bytes(costs.argmin(axis=1).tolist())

    def book(self, table: bytes, word_bytes: int) -> Book:
        """Return the lanes' codes as numbers."""
        if len(table) != 8 * word_bytes or max(table) >= lanes.N_VIEWS * lanes.N_CODES:
            raise ValueError(f"{len(table)} bytes are no table for words of {word_bytes} bytes")
        return np.frombuffer(table, np.uint8).astype(np.int64)
