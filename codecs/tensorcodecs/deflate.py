"""zlib: Deflate with a checksum, the codec everybody has."""

from __future__ import annotations

import zlib

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, whole_number


class Zlib(TensorCodec):
    """zlib streams, interchangeable with numcodecs' `zlib`. Deflate expands at most 1032 times."""

    name = "zlib"
    codec_id = "zlib"
    title = "zlib (Deflate)"
    source = "RFC 1950, RFC 1951"
    version = zlib.ZLIB_RUNTIME_VERSION

    def __init__(self, level: int = 6) -> None:
        self.level = whole_number("level", level, 0, 9)

    def pack(self, words: Array) -> bytes:
        """Return one zlib stream."""
        return zlib.compress(words.data, self.level)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the stream's content; it must end exactly where `data` does."""
        stream = zlib.decompressobj()
        try:
            content = stream.decompress(data.data)
        except zlib.error as error:
            raise DecodeError(f"not a zlib stream: {error}") from error
        if not stream.eof or stream.unused_data:
            raise DecodeError("zlib stream is truncated" if not stream.eof else "bytes after the zlib stream")
        return np.frombuffer(content, np.uint8)
