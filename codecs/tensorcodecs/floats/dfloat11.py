"""DFloat11: BF16 whose exponents are Huffman-coded for decoding by many threads."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.floats._gap_huffman import GapHuffman


class DFloat11(GapHuffman):
    """BF16, anything else stored; see docs/formats/dfloat11.md."""

    name = "dfloat11"
    codec_id = "squeezemark.dfloat11"
    title = "dynamic-length float (DFloat11)"
    source = "Zhang et al., 70% Size, 100% Accuracy, arXiv 2504.11651, 2025"
    version = "1"
    numbers = NumberFormat("float", 8, 7)
    gap_bits = 5
    position_dtype = "<u4"

    def split(self, words: Array) -> tuple[Bytes, Bytes]:
        """Return the exponents, and a byte of sign and mantissa each."""
        return (words >> 7).astype(np.uint8), (words >> 8 & 0x80 | words & 0x7F).astype(np.uint8)

    def merge(self, exponents: Bytes, others: Bytes) -> Array:
        """Undo `split`."""
        wide = others.astype(np.uint16)
        return (wide & 0x80) << 8 | exponents.astype(np.uint16) << 7 | wide & 0x7F

    def others_bytes(self, n_words: int) -> int:
        """Return one for each word."""
        return n_words
