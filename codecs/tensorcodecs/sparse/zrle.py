"""Zero run-length encoding: runs of zero words, of literal words, and of words among zeros."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.zeros import nonzero_masks
from tensorcodecs.sparse.kernels.zrle import RUN_MAX, zrle_decode, zrle_encode
from tensorcodecs.sparse.kernels.zvc import SLACK_BYTES

# The densest token is a full run of zero groups, eight words each, in two bytes.
_WORDS_PER_BYTE_MAX = RUN_MAX * 8 // 2


class Zrle(TensorCodec):
    """Runs of groups of eight of the array's own words; see docs/formats/zrle.md.

    It expands at most 32768 words a byte.
    """

    name = "zrle"
    codec_id = "squeezemark.zrle"
    title = "zero run-length encoding"
    source = "Golomb, Run-length encodings, IEEE Trans. Inf. Theory 1966; layout of this project"
    version = "1"

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then tokens and what they stand for."""
        masks = np.empty(-(-words.size // 8), np.uint8)
        nonzero_masks(words, masks)
        out = np.empty(words.nbytes + 2 * masks.size + SLACK_BYTES, np.uint8)
        return join(pack_header(words), out, zrle_encode(words, masks, out))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the tokens must end exactly where the frame does."""
        header = unpack_header(data, _WORDS_PER_BYTE_MAX)
        words = np.empty(header.n_words, header.word_dtype)
        if zrle_decode(header.payload, words) != header.payload.size:
            raise DecodeError("the runs do not end where the frame does")
        return words.view(np.uint8)
