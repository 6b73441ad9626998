"""The contract of a hardware model: a block codec plus a micro-architecture.

The codec owns the bits of a line. The model adds what a circuit needs: line size, metadata, bypass rule,
latency, throughput, and later gates and energy. Every figure says where it is from.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import raw_bytes
from tensorcodecs.base import BlockCodec

Array = npt.NDArray[Any]
Origin = Literal["published", "synthesised", "modelled", "estimate"]

FIGURES = (
    "compress_latency_cycles",
    "decompress_latency_cycles",
    "compress_bytes_per_cycle",
    "decompress_bytes_per_cycle",
)
"""The figures that every model gives."""


@dataclass(frozen=True)
class Figure:
    """A hardware figure with its origin; one without a source is an `estimate`."""

    value: float
    unit: str
    origin: Origin
    source: str


@dataclass(frozen=True)
class LineSizes:
    """What the lines of one array occupy after the model's bypass rule.

    payload_bits: int32[n_lines], bits in the line's own slot; 0 where the metadata alone tells the line.
    metadata_bits: bits per line kept beside the data.
    line_bytes: uncompressed bytes of a line.
    """

    payload_bits: npt.NDArray[np.int32]
    metadata_bits: int
    line_bytes: int

    @property
    def coded_bits(self) -> int:
        """All bits stored: payload and metadata."""
        return int(self.payload_bits.sum(dtype=np.int64)) + self.metadata_bits * len(self.payload_bits)

    def effective_bits(self, granule_bytes: int) -> int:
        """All bits moved: each line's payload rounded up to the memory's access granule, and metadata.

        A line decodes alone, so no two lines share a granule.
        """
        granule_bits = 8 * granule_bytes
        granules = -(-self.payload_bits.astype(np.int64) // granule_bits)
        return int(granules.sum()) * granule_bits + self.metadata_bits * len(self.payload_bits)


class HardwareModel(ABC):
    """A compressor circuit on a memory's path. Subclasses are one file each."""

    name: ClassVar[str]
    """Name in specs, with the prefix `hw/`."""
    title: ClassVar[str]
    source: ClassVar[str]
    revision: ClassVar[str]
    """Part of a result's key: raise it when sizes or cycles change."""

    codec: BlockCodec
    metadata_bits: int
    figures: Mapping[str, Figure]

    def __init__(self, line_bytes: int = 64) -> None:
        """Subclasses set `codec`, `metadata_bits` and `figures`; ValueError for a line size they lack."""
        self.line_bytes = line_bytes

    @property
    def spec(self) -> str:
        """The one spelling of this model with its settings."""
        return f"{self.name}:line_bytes={self.line_bytes}"

    @property
    def version(self) -> str:
        """Version of the model and of the codec that owns its bits."""
        return f"{self.revision}+{self.codec.name}-{self.codec.version}"

    @abstractmethod
    def payload_bits(self, array: Array) -> npt.NDArray[np.int32]:
        """Bits of every line in its slot, int32[n_lines], after the bypass rule: never above the line."""

    def sizes(self, array: Array) -> LineSizes:
        """Exact sizes of the array's lines; the last one is padded with zeros to a whole line."""
        return LineSizes(self.payload_bits(array), self.metadata_bits, self.line_bytes)

    def encode(self, array: Array) -> Any:  # noqa: ANN401 - whatever buffer the codec makes
        """The codec's frame: the bits that the circuit would store, for the round-trip check."""
        return self.codec.encode(array)

    def decode(self, data: Any, out: Array | None = None) -> Array:  # noqa: ANN401 - likewise
        """Decode a frame made by `encode`."""
        return raw_bytes(self.codec.decode(data, out))

    def warm_up(self) -> None:
        """Compile every kernel of the codec."""
        self.codec.warm_up()

    def decompress_cycles(self, raw_bytes: int) -> float:
        """Cycles to decompress `raw_bytes` bytes: the first line's latency, then one line after another."""
        lines = math.ceil(raw_bytes / self.line_bytes)
        if lines == 0:
            return 0.0
        per_line = self.line_bytes / self.figures["decompress_bytes_per_cycle"].value
        return self.figures["decompress_latency_cycles"].value + (lines - 1) * per_line
