"""Frequent-value compression: the most frequent words of an array get short codes."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, one_of
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.bitpack import WORD_SLACK_BYTES
from tensorcodecs.sparse.kernels.fvc import fvc_decode, fvc_encode

_LEGAL = (1, 3, 7, 15, 31, 63, 127, 255)
_SAMPLE_WORDS = 1 << 16


class Fvc(TensorCodec):
    """A table of the most frequent words, a code for each word, the others whole; see docs/formats/fvc.md.

    A frame that would not shrink is stored.
    """

    name = "fvc"
    codec_id = "squeezemark.fvc"
    title = "frequent-value compression"
    source = "Yang, Zhang and Gupta, Frequent Value Compression in Data Caches, MICRO 2000"
    version = "1"

    def __init__(self, entries: int = 7) -> None:
        self.entries = one_of("entries", entries, _LEGAL)

    def pack(self, words: Array) -> bytes:
        """Return the frame: header with the number of entries, the table, codes, escaped words."""
        values, counts = _counted(words)
        frequent = values[np.argsort(-counts, kind="stable")[: self.entries]]
        code_bits = int(frequent.size).bit_length()
        out = np.empty(words.nbytes + words.size + WORD_SLACK_BYTES, np.uint8)
        used = fvc_encode(words, frequent.astype(np.uint64), code_bits, out)
        if used < 0 or used + frequent.nbytes >= words.nbytes:
            return pack_header(words, 0) + words.tobytes()
        return join(pack_header(words, frequent.size) + frequent.tobytes(), out, used)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the escaped words must end where the frame does."""
        header = unpack_header(data, words_per_byte_max=8, n_parameters=1)
        n_entries, dtype, payload = header.parameters[0], header.word_dtype, header.payload
        if n_entries == 0:
            if payload.size != header.n_words * dtype.itemsize:
                raise DecodeError("a stored frame holds its words and nothing else")
            return payload.copy()
        table_bytes = n_entries * dtype.itemsize
        if n_entries > _LEGAL[-1] or table_bytes > payload.size:
            raise DecodeError(f"{payload.size} bytes hold no table of {n_entries} words")
        frequent = payload[:table_bytes].copy().view(dtype)
        words = np.empty(header.n_words, dtype)
        rest = np.append(payload[table_bytes:], np.zeros(WORD_SLACK_BYTES, np.uint8))
        n_bytes = payload.size - table_bytes
        if fvc_decode(rest, n_bytes, frequent, n_entries.bit_length(), words) != n_bytes:
            raise DecodeError("the words do not end where the frame does")
        return words.view(np.uint8)


def _counted(words: Array) -> tuple[Array, Array]:
    """Return different words, ascending, and how often they occur; wide ones are sampled: sorting is slow."""
    if words.itemsize > 2:
        return np.unique(words[:: max(1, words.size // _SAMPLE_WORDS)], return_counts=True)
    counts = np.bincount(words)
    values = np.flatnonzero(counts)
    return values.astype(words.dtype), counts[values]
