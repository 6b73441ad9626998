"""zfp, reversible: blocks of 4 floats, decorrelated and coded by bit planes."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import zfpy

from tensorcodecs.arrays import Array, ArrayOrBuffer, NumberFormat
from tensorcodecs.frame import Header
from tensorcodecs.peers.base import FLOAT32, FLOAT64, PeerCodec


class Zfp(PeerCodec):
    """A reversible zfp stream of one dimension, in which tensors come out smallest, in a checked frame."""

    name = "zfp"
    codec_id = "squeezemark.zfp"
    title = "zfp, reversible"
    source = "Lindstrom, Fixed-Rate Compressed Floating-Point Arrays, TVCG 2014; reversible mode, 2019"
    version = importlib.metadata.version("zfpy")
    numbers_taken = (FLOAT32, FLOAT64)

    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return one zfp stream without zfp's own header."""
        return bytes(zfpy.compress_numpy(words.view(f"f{words.itemsize}"), write_header=False))

    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return the stream's floats."""
        kind = zfpy.dtype_to_ztype(np.dtype(f"f{header.word_dtype.itemsize}"))
        return np.asarray(zfpy._decompress(header.payload.tobytes(), kind, (header.n_words,)))
