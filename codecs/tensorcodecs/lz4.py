"""LZ4: the dictionary coder that decodes fastest, with a fast and a thorough search for matches."""

from __future__ import annotations

import lz4
import lz4.block
import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, whole_number
from tensorcodecs.frame import pack_header, unpack_header

_BYTES_PER_BYTE_MAX = 255  # a byte of a match's length stands for so many


class Lz4(TensorCodec):
    """One LZ4 block behind our header. It expands at most 255 times."""

    name = "lz4"
    family = "general-purpose"
    codec_id = "squeezemark.lz4"
    title = "LZ4"
    source = "Collet, LZ4 block format, 2011"
    version = lz4.library_version_string()

    def __init__(self, acceleration: int = 1) -> None:
        self.acceleration = whole_number("acceleration", acceleration, 1, 65537)

    def pack(self, words: Array) -> bytes:
        """Return the header and one block."""
        raw = words.view(np.uint8)
        block = lz4.block.compress(raw, "fast", acceleration=self.acceleration, store_size=False)
        return pack_header(raw) + bytes(block)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the block's content, which must have the size stated and end where the frame does."""
        header = unpack_header(data, _BYTES_PER_BYTE_MAX)
        try:
            content = lz4.block.decompress(header.payload, uncompressed_size=header.n_words)
        except lz4.block.LZ4BlockError as error:
            raise DecodeError(f"not an LZ4 block: {error}") from error
        if len(content) != header.n_words or header.word_dtype.itemsize != 1:
            raise DecodeError(f"the LZ4 block holds {len(content)} bytes, the header says {header.n_words}")
        return np.frombuffer(content, np.uint8)


class Lz4Hc(Lz4):
    """As `lz4`, with the thorough search; the same decoder reads it."""

    name = "lz4hc"
    family = "general-purpose"
    codec_id = "squeezemark.lz4hc"
    title = "LZ4 HC"

    def __init__(self, level: int = 9) -> None:
        self.level = whole_number("level", level, 1, 12)

    def pack(self, words: Array) -> bytes:
        """Return the header and one block."""
        raw = words.view(np.uint8)
        block = lz4.block.compress(raw, "high_compression", compression=self.level, store_size=False)
        return pack_header(raw) + bytes(block)
