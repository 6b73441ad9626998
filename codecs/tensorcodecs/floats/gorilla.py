"""Gorilla's XOR coding of neighbouring floats, as time-series databases store them."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.floats.kernels.xor_neighbours import VALUE_BITS_MAX, gorilla_decode, gorilla_encode
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.bitpack import WORD_SLACK_BYTES


class Gorilla(TensorCodec):
    """XOR with the word before, zeros at both ends left out; see docs/formats/gorilla.md.

    A word takes at most its width, two flags and two fields.
    """

    name = "gorilla"
    codec_id = "squeezemark.gorilla"
    title = "Gorilla XOR of neighbours"
    source = "Pelkonen et al., Gorilla, PVLDB 2015, section 4.1.2; 8, 16 and 32 bits by this project"
    version = "1"

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then the bits."""
        out = np.empty(words.size * VALUE_BITS_MAX // 8 + WORD_SLACK_BYTES, np.uint8)
        log2_bytes = words.itemsize.bit_length() - 1
        n_bits = gorilla_encode(words.astype(np.uint64), log2_bytes, out)
        return join(pack_header(words), out, (n_bits + 7) // 8)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the bits must end in the last byte."""
        header = unpack_header(data, words_per_byte_max=8)
        payload = np.append(header.payload, np.zeros(WORD_SLACK_BYTES, np.uint8))
        words = np.empty(header.n_words, np.uint64)
        log2_bytes = header.word_dtype.itemsize.bit_length() - 1
        n_bits = gorilla_decode(payload, header.payload.size * 8, log2_bytes, words)
        if n_bits < 0 or (n_bits + 7) // 8 != header.payload.size:
            raise DecodeError("the words do not end where the frame does")
        return words.astype(header.word_dtype).view(np.uint8)
