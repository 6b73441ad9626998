"""ECF8: FP8 whose exponents are Huffman-coded for decoding by many threads."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.floats._gap_huffman import GapHuffman


class Ecf8(GapHuffman):
    """FP8 E4M3, anything else stored; see docs/formats/ecf8.md."""

    name = "ecf8"
    codec_id = "squeezemark.ecf8"
    title = "exponent-concentrated FP8 (ECF8)"
    source = "Yang et al., To Compress or Not?, arXiv 2510.02676, 2025"
    version = "1"
    numbers = NumberFormat("float", 4, 3)
    gap_bits = 4
    position_dtype = "<u8"

    def split(self, words: Array) -> tuple[Bytes, Bytes]:
        """Return the exponents, and a nibble of sign and mantissa each, the first one high."""
        nibbles = np.zeros(words.size + words.size % 2, np.uint8)
        nibbles[: words.size] = words >> 4 & 8 | words & 7
        packed = (nibbles[::2] << 4 | nibbles[1::2]).astype(np.uint8)
        return (words >> 3 & 0xF).astype(np.uint8), packed

    def merge(self, exponents: Bytes, others: Bytes) -> Array:
        """Undo `split`."""
        nibbles = np.stack((others >> 4, others & 0xF), axis=1).reshape(-1)[: exponents.size]
        return (nibbles & 8) << 4 | (exponents & 0xF) << 3 | nibbles & 7

    def others_bytes(self, n_words: int) -> int:
        """Return one for each two words."""
        return -(-n_words // 2)
