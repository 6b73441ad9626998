"""Run-length encoding of equal words, whatever word it is that repeats."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.sparse._mask_frame import pack_masked, unpack_masked
from tensorcodecs.sparse.kernels.bitmask import change_masks, unpack_runs


class Rle(TensorCodec):
    """Where runs of equal words begin, Huffman coded, and a word for each run; see docs/formats/rle.md.

    It expands at most 524288 words a byte.
    """

    name = "rle"
    codec_id = "squeezemark.rle"
    title = "run-length encoding"
    source = "inspired by Golomb, Run-length encodings, IEEE Trans. Inf. Theory 1966"
    version = "1"

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, the Huffman chunks of the runs' starts, the runs' words."""
        masks = np.empty(-(-words.size // 8), np.uint8)
        change_masks(words, masks)
        return pack_masked(words, masks)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the frame must hold just as many words as runs begin, one at the first."""
        masks, values, words = unpack_masked(data)
        if masks.size and not masks[0] & 1:
            raise DecodeError("no run begins at the first word")
        unpack_runs(values, masks, words)
        return words.view(np.uint8)
