"""Snappy: a dictionary coder for speed, in databases and columnar files."""

from __future__ import annotations

import importlib.metadata

import cramjam
import numpy as np

from tensorcodecs.arrays import Array, Bytes, Frame
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.frame import shortened

_COPY_BYTES, _COPIED_BYTES_MAX = 3, 64  # the densest element


class Snappy(TensorCodec):
    """One raw Snappy stream, which begins with its size. It expands at most 22 times."""

    name = "snappy"
    codec_id = "squeezemark.snappy"
    title = "Snappy"
    source = "Google, Snappy format description, 2011"
    version = f"cramjam {importlib.metadata.version('cramjam')}"
    sees_bytes = True
    # A stream states its size in 32 bits, and the library wants as much room as one that grew could need.
    bytes_max = 3_681_400_511

    def pack(self, words: Array) -> Frame:
        """Return one raw stream."""
        raw = words.view(np.uint8).data
        frame = np.empty(cramjam.snappy.compress_raw_max_len(raw), np.uint8)
        return shortened(frame, cramjam.snappy.compress_raw_into(raw, frame.data))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the stream's content; a size that its elements could not hold is refused unallocated."""
        try:
            n_bytes = cramjam.snappy.decompress_raw_len(data.data)
            if n_bytes > _COPIED_BYTES_MAX * (data.size // _COPY_BYTES + 1):
                raise DecodeError(f"a Snappy stream of {data.size} bytes cannot hold {n_bytes}")
            content = np.empty(n_bytes, np.uint8)
            cramjam.snappy.decompress_raw_into(data.data, content.data)  # it fills all or raises
        except cramjam.DecompressionError as error:
            raise DecodeError(f"not a Snappy stream: {error}") from error
        return content
