"""bzip2: the Burrows-Wheeler transform, slow and good at text."""

from __future__ import annotations

import bz2

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, whole_number


class Bzip2(TensorCodec):
    """One bzip2 stream; a stream states no size, its decoder allocates as it goes."""

    name = "bz2"
    codec_id = "squeezemark.bz2"
    title = "bzip2"
    source = "Burrows and Wheeler, 1994; Seward, bzip2, 1996"
    version = "libbz2 1.0"
    sees_bytes = True

    def __init__(self, level: int = 9) -> None:
        self.level = whole_number("level", level, 1, 9)

    def pack(self, words: Array) -> bytes:
        """Return one bzip2 stream."""
        return bz2.compress(words.data, self.level)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the stream's content; it must end exactly where `data` does."""
        stream = bz2.BZ2Decompressor()
        try:
            content = stream.decompress(data.data)
        except OSError as error:
            raise DecodeError(f"not a bzip2 stream: {error}") from error
        if not stream.eof or stream.unused_data:
            raise DecodeError(
                "bzip2 stream is truncated" if not stream.eof else "bytes after the bzip2 stream"
            )
        return np.frombuffer(content, np.uint8)
