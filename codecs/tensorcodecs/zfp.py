"""zfp, reversible: floats in blocks of 4 in each dimension, decorrelated and coded by bit planes."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import zfpy

from tensorcodecs.arrays import Array, ArrayOrBuffer, NumberFormat
from tensorcodecs.base import DecodeError
from tensorcodecs.frame import Header
from tensorcodecs.peer import FLOAT32, FLOAT64, PeerCodec

_LENGTH = np.dtype("<u8")


class Zfp(PeerCodec):
    """A reversible zfp stream in a checked frame, behind its shape of at most four dimensions."""

    name = "zfp"
    codec_id = "squeezemark.zfp"
    title = "zfp, reversible"
    source = "Lindstrom, Fixed-Rate Compressed Floating-Point Arrays, TVCG 2014; reversible mode, 2019"
    version = importlib.metadata.version("zfpy")
    numbers_taken = (FLOAT32, FLOAT64)

    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return the number of dimensions, each of them, and one zfp stream without zfp's own header."""
        grid = words.view(f"f{words.itemsize}").reshape((-1, *shape[-3:]) if len(shape) > 4 else shape or 1)
        stream = zfpy.compress_numpy(grid, write_header=False)
        return bytes([grid.ndim]) + np.array(grid.shape, _LENGTH).tobytes() + bytes(stream)

    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return the stream's floats."""
        n_dimensions = int(header.payload[0])
        at = 1 + _LENGTH.itemsize * n_dimensions
        shape = tuple(map(int, header.payload[1:at].view(_LENGTH)))
        if np.prod([*map(float, shape)]) != header.n_words:
            raise DecodeError("its shape is not the header's number of words")
        kind = zfpy.dtype_to_ztype(np.dtype(f"f{header.word_dtype.itemsize}"))
        return np.ascontiguousarray(zfpy._decompress(header.payload[at:].tobytes(), kind, shape))
