"""Byte shuffle: puts like bytes together, for an entropy coder or a dictionary coder behind it."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import WORD_DTYPES, Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.kernels.shuffle import shuffle, unshuffle


class Shuffle(TensorCodec):
    """A filter: one byte with the word width, then one plane for each byte of a word.

    See docs/formats/shuffle.md. Decoding needs only the frame, whatever the array was.
    """

    name = "shuffle"
    codec_id = "squeezemark.shuffle"
    title = "byte shuffle"
    source = "HDF5 shuffle filter; Alted, Blosc, 2010"
    version = "1"
    is_filter = True

    def pack(self, words: Array) -> bytes:
        """Return the width and the planes."""
        frame = np.empty(1 + words.nbytes, np.uint8)
        frame[0] = words.itemsize
        shuffle(words, frame[1:])
        return frame.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the planes must be equally long."""
        word_bytes = int(data[0]) if data.size else 0
        if word_bytes not in WORD_DTYPES or (data.size - 1) % word_bytes:
            raise DecodeError(f"{data.size} bytes are not a width of 1, 2, 4 or 8 and that many equal planes")
        words = np.empty((data.size - 1) // word_bytes, WORD_DTYPES[word_bytes])
        unshuffle(data[1:], words)
        return words.view(np.uint8)
