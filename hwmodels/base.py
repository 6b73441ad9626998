"""The contract of a hardware model: a block codec plus a micro-architecture.

The codec owns the bits of a line. The model adds what a circuit needs: line size, metadata, bypass rule,
latency, throughput, gates and energy. Every figure says where it is from.
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from hwmodels import layouts
from hwmodels.figures import Figure
from hwmodels.sizes import LineSizes
from tensorcodecs.arrays import Array, in_memory_order, raw_bytes
from tensorcodecs.base import LINE_BYTES, BlockCodec, TensorCodec, fill, one_of
from tensorcodecs.specs import format_settings

GRANULE_BYTES = 32
"""The smallest granule that a line's metadata counts in."""


class HardwareModel(ABC):
    """A compressor circuit on a memory's path. Subclasses are one file each.

    A line's metadata tells its state: nothing is stored (all zeros), how many 32-B granules to fetch, or
    raw. So a line never takes more than its raw bytes and the metadata.
    """

    name: ClassVar[str]
    """Name in specs, with the prefix `hw/`."""
    title: ClassVar[str]
    source: ClassVar[str]
    revision: ClassVar[str]
    """Part of a result's key: raise it when sizes or cycles change."""
    random_access: ClassVar[bool] = True
    """Whether a line decodes alone; otherwise blocks follow without gaps and are read from the first on."""

    legal_line_bytes: ClassVar[tuple[int, ...]] = LINE_BYTES
    shared_bits: ClassVar[int] = 0
    """Bits per array beside its lines."""

    codec: TensorCodec
    """A `BlockCodec` of lines, or any codec where a subclass has its own `payload_bits` (`streams`)."""
    metadata_bits: int
    """Per line, beside the data."""
    figures: Mapping[str, Figure]
    """Keys: `figures.FIGURES`."""

    def __init__(self, line_bytes: int = 64, layout: str = layouts.STORED) -> None:
        """Subclasses set `codec` and `figures`; ValueError for a line size or layout they lack."""
        self.line_bytes = one_of("line_bytes", line_bytes, self.legal_line_bytes)
        self.layout = layouts.checked(layout)
        self.metadata_bits = math.ceil(math.log2(line_bytes // GRANULE_BYTES + 2))

    @property
    def settings(self) -> dict[str, Any]:
        """The line size, and what differs from the default; subclasses add theirs."""
        layout = {} if self.layout == layouts.STORED else {"layout": self.layout}
        return {"line_bytes": self.line_bytes, **layout}

    @property
    def spec(self) -> str:
        """The one spelling of this model with its settings."""
        return format_settings(self.name, self.settings)

    @property
    def version(self) -> str:
        """Version of the model and of the codec that owns its bits."""
        return f"{self.revision}+{self.codec.name}-{self.codec.version}"

    def payload_bits(self, array: Array) -> npt.NDArray[np.int32]:
        """Bits of every line in its slot, int32[n_lines], after the bypass rule: never above the line.

        `array` is laid out already. Here: nothing for a line of zeros, the raw line where that is shorter.
        """
        return self.bypassed(array, cast("BlockCodec", self.codec).block_bits(array))

    def bypassed(self, array: Array, coded: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The bits of lines that take `coded` bits each, after the bypass rule."""
        bits = np.minimum(coded, np.int32(8 * self.line_bytes), dtype=np.int32)
        bits[~_has_bits(array, self.line_bytes)] = 0
        return bits

    def sizes(self, array: Array) -> LineSizes:
        """Exact sizes of the array's lines; the last one is padded with zeros to a whole line."""
        array = layouts.laid_out(array, self.layout)
        return self.line_sizes(self.payload_bits(array), self.shared_bits)

    def line_sizes(self, payload_bits: npt.NDArray[np.int32], shared_bits: int) -> LineSizes:
        """Those of lines with so many bits, and of so many beside them, in this model's memory."""
        return LineSizes(payload_bits, self.metadata_bits, self.line_bytes, shared_bits, self.random_access)

    def encode(self, array: Array) -> Any:  # noqa: ANN401 - whatever buffer the codec makes
        """The codec's frame: the bits that the circuit would store, for the round-trip check."""
        return layouts.mark(array, self.layout) + self.codec.encode(layouts.laid_out(array, self.layout))

    def decode(self, data: Any, out: Array | None = None) -> Array:  # noqa: ANN401 - likewise
        """Decode a frame made by `encode`; with `out`, fill it as codecs do."""
        decode = self.codec.decode
        raw = raw_bytes(decode(data) if self.layout == layouts.STORED else layouts.unmark(data, decode))
        return raw if out is None else raw_bytes(in_memory_order(fill(out, raw)))

    def warm_up(self) -> None:
        """Compile every kernel of the codec."""
        self.codec.warm_up()

    def decompress_cycles(self, array: Array) -> float:
        """Cycles to decompress `array`: the first line's latency, then one line after another."""
        lines = math.ceil(array.nbytes / self.line_bytes)
        if lines == 0:
            return 0.0
        per_line = self.line_bytes / self.figures["decompress_bytes_per_cycle"].value
        return self.figures["decompress_latency_cycles"].value + (lines - 1) * per_line


def _has_bits(array: Array, line_bytes: int) -> npt.NDArray[np.bool_]:
    """Whether a line holds any bit that is set, bool[n_lines]."""
    raw = raw_bytes(array)
    whole = raw.size // line_bytes * line_bytes
    has_bits = np.zeros(-(-raw.size // line_bytes), np.bool_)
    has_bits[: whole // line_bytes] = raw[:whole].view(np.uint64).reshape(-1, line_bytes // 8).any(axis=1)
    if whole < raw.size:
        has_bits[-1] = raw[whole:].any()
    return has_bits
