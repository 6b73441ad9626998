"""LZ4 with the thorough search for matches."""

from __future__ import annotations

import lz4
import lz4.block

from tensorcodecs.arrays import Bytes
from tensorcodecs.base import whole_number
from tensorcodecs.general.lz4 import Lz4


class Lz4Hc(Lz4):
    """As `lz4`, whose decoder reads it. python-lz4 encodes: cramjam takes no level."""

    name = "lz4hc"
    codec_id = "squeezemark.lz4hc"
    title = "LZ4 HC"
    version = f"lz4 {lz4.library_version_string()}, {Lz4.version}"

    def __init__(self, level: int = 9) -> None:
        self.level = whole_number("level", level, 1, 12)

    def with_block(self, header: bytes, raw: Bytes) -> bytes:
        """Return the header and one block."""
        block = lz4.block.compress(raw, "high_compression", compression=self.level, store_size=False)
        return header + bytes(block)
