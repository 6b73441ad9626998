"""Bit shuffle: bit planes of the words, for a dictionary coder behind it."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import WORD_DTYPES, Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.filters.kernels.bitshuffle import bitshuffle, bitunshuffle


class Bitshuffle(TensorCodec):
    """A filter: one byte with the word width, then one plane for each bit of a word.

    See docs/formats/bitshuffle.md. Decoding needs only the frame, whatever the array was.
    """

    name = "bitshuffle"
    codec_id = "squeezemark.bitshuffle"
    title = "bit shuffle"
    source = "Masui et al., A compression scheme for radio data, Astronomy and Computing 2015"
    version = "1"
    is_filter = True

    def pack(self, words: Array) -> bytes:
        """Return the width, the planes of the first words (a multiple of eight), and the other words."""
        frame = np.empty(1 + words.nbytes, np.uint8)
        frame[0] = words.itemsize
        n_whole = words.size // 8 * 8
        bitshuffle(words[:n_whole], frame[1:])
        frame[1 + n_whole * words.itemsize :] = words[n_whole:].view(np.uint8)
        return frame.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the planes must be equally long."""
        word_bytes = int(data[0]) if data.size else 0
        if word_bytes not in WORD_DTYPES or (data.size - 1) % word_bytes:
            raise DecodeError(f"{data.size} bytes are not a width of 1, 2, 4 or 8 and whole words")
        words = np.empty((data.size - 1) // word_bytes, WORD_DTYPES[word_bytes])
        n_whole = words.size // 8 * 8
        bitunshuffle(data[1:], words[:n_whole])
        words[n_whole:].view(np.uint8)[:] = data[1 + n_whole * word_bytes :]
        return words.view(np.uint8)
