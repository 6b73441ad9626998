"""Range ANS over bytes: the entropy coder that comes as near to the entropy as arithmetic coding."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.entropy.kernels.rans import (
    CHUNK_BYTES,
    CHUNK_CODED_BYTES_MIN,
    SLACK_BYTES,
    rans_decode,
    rans_encode,
)
from tensorcodecs.frame import join, pack_header, unpack_header


class Rans(TensorCodec):
    """Order-0 over bytes, four interleaved states, a table for each 256 KiB; see docs/formats/rans.md.

    It expands at most 131072 times.
    """

    name = "rans"
    codec_id = "squeezemark.rans"
    title = "interleaved range ANS over bytes"
    source = "Duda, Asymmetric numeral systems, 2013; Giesen, Interleaved entropy coders, 2014"
    version = "1"
    sees_bytes = True

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then chunks that are coded, stored or runs."""
        raw = words.view(np.uint8)
        out = np.empty(raw.size + -(-raw.size // CHUNK_BYTES) + SLACK_BYTES, np.uint8)
        return join(pack_header(raw), out, rans_encode(raw, out))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the chunks must end exactly where the frame does."""
        header = unpack_header(data, CHUNK_BYTES // CHUNK_CODED_BYTES_MIN)
        if header.word_dtype.itemsize != 1:
            raise DecodeError(f"a rANS frame holds bytes, not words of {header.word_dtype.itemsize}")
        raw = np.empty(header.n_words, np.uint8)
        if rans_decode(header.payload, raw) != header.payload.size:
            raise DecodeError("the chunks do not end where the frame does")
        return raw
