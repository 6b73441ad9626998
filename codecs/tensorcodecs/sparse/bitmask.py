"""Bit mask: which words are not zero, Huffman coded, and those words."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import TensorCodec
from tensorcodecs.kernels.zeros import nonzero_masks
from tensorcodecs.sparse._mask_frame import pack_masked, unpack_masked
from tensorcodecs.sparse.kernels.bitmask import unpack_words


class Bitmask(TensorCodec):
    """A mask over the whole array and the non-zero words; see docs/formats/bitmask.md.

    It expands at most 524288 words a byte.
    """

    name = "bitmask"
    codec_id = "squeezemark.bitmask"
    title = "entropy-coded bit mask"
    source = "inspired by Rhu et al., HPCA 2018 (mask) and Huffman, Proc. IRE 1952"
    version = "1"

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, the masks' Huffman chunks, the non-zero words."""
        masks = np.empty(-(-words.size // 8), np.uint8)
        nonzero_masks(words, masks)
        return pack_masked(words, masks)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the frame must hold just as many words as the masks have ones."""
        masks, values, words = unpack_masked(data)
        unpack_words(values, masks, words)
        return words.view(np.uint8)
