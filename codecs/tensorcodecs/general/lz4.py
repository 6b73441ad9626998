"""LZ4: the dictionary coder that decodes fastest, with a fast search for matches."""

from __future__ import annotations

import importlib.metadata
from typing import ClassVar

import cramjam
import numpy as np

from tensorcodecs.arrays import Array, Bytes, Frame
from tensorcodecs.base import DecodeError, TensorCodec, whole_number
from tensorcodecs.frame import Cut, join_pieces, pack_header, shortened, split_pieces, unpack_header

_BYTES_PER_BYTE_MAX = 255  # a byte of a match's length stands for so many


class Lz4(TensorCodec):
    """One LZ4 block behind our header, or several for a large array. It expands at most 255 times.

    cramjam binds the same C library as python-lz4, whose every result is copied once more.
    """

    name = "lz4"
    codec_id = "squeezemark.lz4"
    title = "LZ4"
    source = "Collet, LZ4 block format, 2011"
    version = f"cramjam {importlib.metadata.version('cramjam')}"
    sees_bytes = True
    cut: ClassVar[Cut] = Cut(0x7E000000)
    """The format's largest block."""

    def __init__(self, acceleration: int = 1) -> None:
        self.acceleration = whole_number("acceleration", acceleration, 1, 65537)

    def pack(self, words: Array) -> Frame:
        """Return the header and one block, or those of all pieces."""
        raw = words.view(np.uint8)
        pieces = self.cut.pieces(raw)
        if len(pieces) == 1:
            return self.with_block(pack_header(raw), raw)
        return pack_header(raw) + join_pieces(self.with_block(b"", piece) for piece in pieces)

    def with_block(self, header: bytes, raw: Bytes) -> Frame:
        """Return the header and one block."""
        frame = np.empty(len(header) + cramjam.lz4.compress_block_bound(raw.data), np.uint8)
        frame[: len(header)] = bytearray(header)
        room = frame[len(header) :]
        n_bytes = cramjam.lz4.compress_block_into(
            raw.data, room.data, mode="fast", acceleration=self.acceleration, store_size=False
        )
        return shortened(frame, len(header) + n_bytes)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the blocks' content, which must have the size stated and end where the frame does."""
        header = unpack_header(data, _BYTES_PER_BYTE_MAX)
        if header.word_dtype.itemsize != 1:
            raise DecodeError(f"an LZ4 block of words of {header.word_dtype.itemsize} bytes, not of bytes")
        content = np.empty(header.n_words, np.uint8)
        rooms = self.cut.pieces(content)
        for block, room in zip(split_pieces(header.payload, len(rooms)), rooms, strict=True):
            try:
                n_bytes = cramjam.lz4.decompress_block_into(block.data, room.data)
            except cramjam.DecompressionError as error:
                raise DecodeError(f"not an LZ4 block: {error}") from error
            if n_bytes != room.size:
                raise DecodeError(f"the LZ4 block holds {n_bytes} bytes, the header says {room.size}")
        return content
