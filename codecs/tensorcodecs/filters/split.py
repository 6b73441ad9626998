"""Split: exponents in a plane of their own, signs with the mantissas, for an entropy coder behind it."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import WORD_DTYPES, Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError, TypedCodec
from tensorcodecs.filters.kernels.split import split, unsplit

_FLOAT = 0x10


class Split(TypedCodec):
    """A filter: floats with the sign moved to the lowest bit, then one plane for each byte, highest first.

    See docs/formats/split.md.
    """

    name = "split"
    codec_id = "squeezemark.split"
    title = "exponent and mantissa split"
    source = "Hershcovitch et al., ZipNN, 2024; layout of this project"
    version = "1"
    is_filter = True

    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return the width and whether the sign moved, and the planes."""
        is_float = numbers.kind == "float"
        frame = np.empty(1 + words.nbytes, np.uint8)
        frame[0] = words.itemsize | _FLOAT * is_float
        split(words, int(is_float), frame[1:])
        return frame.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the planes must be equally long."""
        head = int(data[0]) if data.size else 0
        word_bytes = head & ~_FLOAT
        if word_bytes not in WORD_DTYPES or (data.size - 1) % word_bytes:
            raise DecodeError(f"{data.size} bytes are not a width of 1, 2, 4 or 8 and that many equal planes")
        words = np.empty((data.size - 1) // word_bytes, WORD_DTYPES[word_bytes])
        unsplit(data[1:], int(head >= _FLOAT), words)
        return words.view(np.uint8)
