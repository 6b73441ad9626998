"""Huffman coding of bytes: the entropy coder that hardware and fast decoders share."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.huffman import (
    CHUNK_CODED_BYTES_MIN,
    SLACK_BYTES,
    huffman_decode,
    huffman_encode,
)
from tensorcodecs.kernels.huffman_chunks import BLOCK_BYTES, PIECE_BYTES


class Huffman(TensorCodec):
    """Order-0 over bytes, codes of at most 11 bits for 8 to 128 KiB each; see docs/formats/huffman.md.

    It expands at most 65536 times.
    """

    name = "huffman"
    codec_id = "squeezemark.huffman"
    title = "canonical Huffman over bytes"
    source = "Huffman, Proc. IRE 1952; Larmore and Hirschberg, J. ACM 1990 (length limit)"
    version = "1"
    sees_bytes = True

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then chunks that are coded, stored or runs."""
        raw = words.view(np.uint8)
        n_chunks_max = -(-raw.size // PIECE_BYTES)
        out = np.empty(raw.size + n_chunks_max + 2 * SLACK_BYTES, np.uint8)
        return join(pack_header(raw), out, huffman_encode(raw, out))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the chunks must end exactly where the frame does."""
        header = unpack_header(data, BLOCK_BYTES // CHUNK_CODED_BYTES_MIN)
        if header.word_dtype.itemsize != 1:
            raise DecodeError(f"a Huffman frame holds bytes, not words of {header.word_dtype.itemsize}")
        raw = np.empty(header.n_words, np.uint8)
        if huffman_decode(header.payload, raw) != header.payload.size:
            raise DecodeError("the chunks do not end where the frame does")
        return raw
