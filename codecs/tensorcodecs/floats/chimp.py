"""Chimp: Gorilla's successor, with fewer flags for the leading zeros that floats really have."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, one_of
from tensorcodecs.floats.kernels.xor_neighbours import VALUE_BITS_MAX, chimp_decode, chimp_encode
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.bitpack import WORD_SLACK_BYTES

_LEGAL = (1, 128)


class Chimp(TensorCodec):
    """XOR with the word before, or with the best of the last 128; see docs/formats/chimp.md.

    A word takes at most its width and five bits.
    """

    name = "chimp"
    codec_id = "squeezemark.chimp"
    title = "Chimp XOR of neighbours"
    source = "Liakos et al., Chimp, PVLDB 2022; 8 and 16 bits by this project"
    version = "1"

    def __init__(self, previous: int = 1) -> None:
        self.previous = one_of("previous", previous, _LEGAL)

    def pack(self, words: Array) -> bytes:
        """Return the frame: header with the number of earlier words, then the bits."""
        out = np.empty(words.size * VALUE_BITS_MAX // 8 + WORD_SLACK_BYTES, np.uint8)
        log2_bytes = words.itemsize.bit_length() - 1
        n_bits = chimp_encode(words.astype(np.uint64), log2_bytes, self.previous.bit_length() - 1, out)
        return join(pack_header(words, self.previous), out, (n_bits + 7) // 8)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the bits must end in the last byte."""
        header = unpack_header(data, words_per_byte_max=4, n_parameters=1)
        if header.parameters[0] not in _LEGAL:
            raise DecodeError(f"a Chimp frame looks back 1 or 128 words, not {header.parameters[0]}")
        payload = np.append(header.payload, np.zeros(WORD_SLACK_BYTES, np.uint8))
        words = np.empty(header.n_words, np.uint64)
        log2_bytes = header.word_dtype.itemsize.bit_length() - 1
        earlier_bits = header.parameters[0].bit_length() - 1
        n_bits = chimp_decode(payload, header.payload.size * 8, log2_bytes, earlier_bits, words)
        if n_bits < 0 or (n_bits + 7) // 8 != header.payload.size:
            raise DecodeError("the words do not end where the frame does")
        return words.astype(header.word_dtype).view(np.uint8)
