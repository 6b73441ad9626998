"""Memories that a compressor may sit on, and what it does to their bandwidth and energy."""

from __future__ import annotations

import csv
import functools
import math
from dataclasses import dataclass
from pathlib import Path

CLOCK_GHZ = 1.0
"""Clock of every circuit in the tables: an estimate for 40 nm, the same for all."""
_FILE = Path(__file__).parent / "data" / "memories.csv"


@dataclass(frozen=True)
class Memory:
    """A row of data/memories.csv: one channel, or one port.

    granule_bytes: what one access moves. bandwidth_gb_s: decimal GB/s at the interface. pj_per_bit: energy of
    moving a bit, whose origin is `published` or `estimate`.
    """

    name: str
    granule_bytes: int
    bandwidth_gb_s: float
    pj_per_bit: float
    origin: str
    bandwidth_source: str
    energy_source: str

    @property
    def pj_per_byte(self) -> float:
        """Energy of moving a raw byte without a compressor."""
        return 8 * self.pj_per_bit

    def effective_bandwidth_gb_s(self, effective_ratio: float, bytes_per_cycle: float) -> float:
        """Raw GB/s that reach the chip: more by the effective ratio, at most what one decompressor gives."""
        return min(self.bandwidth_gb_s * effective_ratio, bytes_per_cycle * CLOCK_GHZ)

    def compressed_pj_per_byte(self, effective_ratio: float, circuit_pj_per_byte: float) -> float:
        """Energy of moving a raw byte with a compressor whose own energy is `circuit_pj_per_byte`."""
        return self.pj_per_byte / effective_ratio + circuit_pj_per_byte

    def break_even_ratio(self, circuit_pj_per_byte: float) -> float:
        """The effective ratio that pays for the circuit's own energy; infinite where none does."""
        left = self.pj_per_byte - circuit_pj_per_byte
        return self.pj_per_byte / left if left > 0 else math.inf


@functools.cache
def memories() -> tuple[Memory, ...]:
    """All memories, in the table's order."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Memory(
                row["memory"],
                int(row["granule_bytes"]),
                float(row["bandwidth_gb_s"]),
                float(row["pj_per_bit"]),
                row["origin"],
                row["bandwidth_source"],
                row["energy_source"],
            )
            for row in csv.DictReader(file)
        )
