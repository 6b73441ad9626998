"""Table ANS over bytes: as near to the entropy as arithmetic coding, with a look-up for each symbol."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.entropy.kernels.tans import (
    CHUNK_BYTES,
    CHUNK_CODED_BYTES_MIN,
    LOAD_BYTES,
    SLACK_BYTES,
    tans_decode,
    tans_encode,
)
from tensorcodecs.frame import join, pack_header, unpack_header


class Tans(TensorCodec):
    """Order-0 over bytes, 4096 states, a table for each 64 KiB; see docs/formats/tans.md.

    It expands at most 32768 times.
    """

    name = "tans"
    codec_id = "squeezemark.tans"
    title = "table ANS (FSE) over bytes"
    source = "Duda, arXiv 1311.2540, 2013; state machine of RFC 8878, 2021, section 4.1"
    version = "1"
    sees_bytes = True

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then chunks that are coded, stored or runs."""
        raw = words.view(np.uint8)
        out = np.empty(raw.size + -(-raw.size // CHUNK_BYTES) + SLACK_BYTES, np.uint8)
        return join(pack_header(raw), out, tans_encode(raw, out))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the chunks must end exactly where the frame does."""
        header = unpack_header(data, CHUNK_BYTES // CHUNK_CODED_BYTES_MIN)
        if header.word_dtype.itemsize != 1:
            raise DecodeError(f"a tANS frame holds bytes, not words of {header.word_dtype.itemsize}")
        n_bytes = header.payload.size
        payload = np.append(header.payload, np.zeros(LOAD_BYTES, np.uint8))
        raw = np.empty(header.n_words, np.uint8)
        if tans_decode(payload, n_bytes, raw) != n_bytes:
            raise DecodeError("the chunks do not end where the frame does")
        return raw
