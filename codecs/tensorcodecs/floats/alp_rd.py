"""ALP_rd: for floats that are no decimals; the left bits from a small dictionary, the right bits raw."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.floats.kernels.alp_rd import (
    GROUP_EXTRA_BYTES,
    GROUP_WORDS,
    SAMPLE_WORDS,
    WORD_EXTRA_BYTES,
    alp_rd_decode,
    alp_rd_encode,
)
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.bitpack import WORD_SLACK_BYTES


class AlpRd(TensorCodec):
    """Groups of 102400 words share a cut and a dictionary; see docs/formats/alp-rd.md.

    A group that would not shrink is stored.
    """

    name = "alp-rd"
    codec_id = "squeezemark.alp-rd"
    title = "ALP_rd left-bit dictionary"
    source = "inspired by Afroozeh, Kuffo and Boncz, ALP, SIGMOD 2024; 8 and 16 bits by this project"
    version = "1"

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then the groups."""
        n_groups = -(-words.size // GROUP_WORDS)
        room = words.nbytes + words.size * WORD_EXTRA_BYTES + (n_groups + 1) * GROUP_EXTRA_BYTES
        out = np.empty(room, np.uint8)
        used = 0
        for first in range(0, words.size, GROUP_WORDS):
            group = words[first : first + GROUP_WORDS].astype(np.uint64)
            sample = np.sort(group[:: max(1, group.size // SAMPLE_WORDS)])
            used = alp_rd_encode(group, sample, 8 * words.itemsize, out, used)
        return join(pack_header(words), out, used)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the groups must end exactly where the frame does."""
        header = unpack_header(data, words_per_byte_max=8)
        payload = np.append(header.payload, np.zeros(WORD_SLACK_BYTES, np.uint8))
        words = np.empty(header.n_words, np.uint64)
        n_bytes = header.payload.size
        if alp_rd_decode(payload, n_bytes, 8 * header.word_dtype.itemsize, words) != n_bytes:
            raise DecodeError("the groups do not end where the frame does")
        return words.astype(header.word_dtype).view(np.uint8)
