"""LZMA: a dictionary coder before a context-modelling range coder; the densest of the common ones."""

from __future__ import annotations

import lzma

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, whole_number

# The window of each level, as xz has them; a smaller one for smaller arrays spares the encoder its clearing.
_WINDOW_BYTES = tuple(1 << bits for bits in (18, 20, 21, 22, 22, 23, 23, 24, 25, 26))
_WINDOW_BYTES_MIN = 4096
_DECODER_MEMORY_MAX_BYTES = 80 << 20  # a window of 64 MiB, and what the decoder needs beside it


class Lzma(TensorCodec):
    """One .xz stream of LZMA2; the decoder refuses windows over 64 MiB unallocated."""

    name = "lzma"
    codec_id = "squeezemark.lzma"
    title = "LZMA2 (xz)"
    source = "Pavlov, LZMA, 1998; Collin, The .xz file format, 2009"
    version = "liblzma 5"
    sees_bytes = True

    def __init__(self, level: int = 6) -> None:
        self.level = whole_number("level", level, 0, 9)

    def pack(self, words: Array) -> bytes:
        """Return one .xz stream with a CRC-32 of its content."""
        window = max(_WINDOW_BYTES_MIN, min(_WINDOW_BYTES[self.level], words.nbytes))
        filters = [{"id": lzma.FILTER_LZMA2, "preset": self.level, "dict_size": window}]
        return lzma.compress(words.data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the stream's content; it must end exactly where `data` does."""
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DECODER_MEMORY_MAX_BYTES)
        try:
            content = stream.decompress(data.data)
        except lzma.LZMAError as error:
            raise DecodeError(f"not an xz stream: {error}") from error
        if not stream.eof or stream.unused_data:
            raise DecodeError("xz stream is truncated" if not stream.eof else "bytes after the xz stream")
        return np.frombuffer(content, np.uint8)
