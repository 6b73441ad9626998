"""pcodec: numbers binned by their distribution, with entropy-coded bins and plain offsets."""

from __future__ import annotations

import importlib.metadata

import numpy as np
from pcodec import ChunkConfig, standalone

from tensorcodecs.arrays import Array, ArrayOrBuffer, NumberFormat
from tensorcodecs.base import whole_number
from tensorcodecs.frame import Header
from tensorcodecs.peers.base import FLOAT16, FLOAT32, FLOAT64, PeerCodec


class Pcodec(PeerCodec):
    """A standalone pcodec file in a checked frame; floats it does not know are words to it."""

    name = "pcodec"
    codec_id = "squeezemark.pcodec"
    title = "pcodec (pco)"
    source = "Loncaric et al., Pcodec: Better Compression for Numerical Sequences, 2025"
    version = importlib.metadata.version("pcodec")

    def __init__(self, level: int = 8) -> None:
        self.level = whole_number("level", level, 0, 12)

    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return one standalone file."""
        kind = "f" if numbers in (FLOAT16, FLOAT32, FLOAT64) else "i" if numbers.kind == "signed" else "u"
        config = ChunkConfig(compression_level=self.level, enable_8_bit=True)
        return bytes(standalone.simple_compress(words.view(f"{kind}{words.itemsize}"), config))

    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return the file's numbers."""
        return np.asarray(standalone.simple_decompress(header.payload.tobytes()))
