"""Brotli: slow to encode, dense, and everywhere on the web."""

from __future__ import annotations

import brotli
import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, whole_number


class Brotli(TensorCodec):
    """Brotli streams without a header of ours.

    A stream states no size; its decoder allocates as it goes, at most 16 MiB for each meta-block.
    """

    name = "brotli"
    codec_id = "squeezemark.brotli"
    title = "Brotli"
    source = "RFC 7932"
    version = brotli.__version__
    sees_bytes = True

    def __init__(self, quality: int = 5) -> None:
        self.quality = whole_number("quality", quality, 0, 11)

    def pack(self, words: Array) -> bytes:
        """Return one Brotli stream."""
        return bytes(brotli.compress(words.view(np.uint8), quality=self.quality))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the stream's content; it must end exactly where `data` does."""
        try:
            content = brotli.decompress(data.data)
        except brotli.error as error:
            raise DecodeError(f"not a Brotli stream: {error}") from error
        return np.frombuffer(content, np.uint8)
