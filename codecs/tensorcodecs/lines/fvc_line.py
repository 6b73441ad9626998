"""Frequent-value lines: codes of equal length for the few most frequent 32-bit words."""

from __future__ import annotations

import numpy as np

from tensorcodecs.lines._canonical import Numbers
from tensorcodecs.lines.sc2 import Sc2

_ENTRIES = (1, 3, 7)


class FvcLine(Sc2):
    """Seven values in codes of 3 bits, others behind the eighth code; see docs/formats/fvc-line.md.

    Its tables and lines are SC2's, whose codes are as long as their values are rare.
    """

    name = "fvc-line"
    codec_id = "squeezemark.fvc-line"
    title = "frequent 32-bit values in codes of equal length"
    source = "Yang, Zhang and Gupta, Frequent Value Compression in Data Caches, MICRO 2000"
    version = "1"

    def table_sizes(self, n_values: int) -> list[int]:
        """Numbers of values, ascending, that fill codes of equal length beside the escape."""
        return [entries for entries in _ENTRIES if entries <= n_values]

    def code_lengths(self, counts: Numbers) -> Numbers:
        """Return the same bits for each value and the escape."""
        return np.full(counts.size, (counts.size - 1).bit_length(), np.int64)
