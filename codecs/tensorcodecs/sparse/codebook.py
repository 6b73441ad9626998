"""A codebook of the distinct words, and Huffman-coded indices into it: quantised weights as stored."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.frame import pack_header, unpack_header
from tensorcodecs.kernels.huffman import CHUNK_CODED_BYTES_MIN, SLACK_BYTES, huffman_decode, huffman_encode
from tensorcodecs.kernels.huffman_chunks import BLOCK_BYTES, PIECE_BYTES
from tensorcodecs.sparse.kernels.codebook import ENTRIES_MAX, find_codebook, look_up


class Codebook(TensorCodec):
    """At most 256 distinct words, more are stored; see docs/formats/codebook.md.

    It expands at most 65536 words a byte.
    """

    name = "codebook"
    codec_id = "squeezemark.codebook"
    title = "codebook and Huffman-coded indices"
    source = "inspired by Han et al., Deep Compression, ICLR 2016; layout of this project"
    version = "1"

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, codebook, chunks of indices; or the words as they are."""
        codebook = np.empty(ENTRIES_MAX, words.dtype)
        indices = np.empty(words.size, np.uint8)
        n_entries = find_codebook(words, codebook, indices)
        stored = pack_header(words, 0) + words.tobytes()
        if n_entries == 0:
            return stored
        # In ascending order, so that like values have like indices.
        order = np.argsort(codebook[:n_entries])
        ranks = np.empty(n_entries, np.uint8)
        ranks[order] = np.arange(n_entries)
        indices = ranks[indices]
        indices.flags.writeable = False
        out = np.empty(indices.size + -(-indices.size // PIECE_BYTES) + 2 * SLACK_BYTES, np.uint8)
        used = huffman_encode(indices, out)
        parts = (pack_header(words, n_entries), codebook[order].tobytes(), out[:used].tobytes())
        return min(b"".join(parts), stored, key=len)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; every index must be one of the codebook's."""
        header = unpack_header(data, BLOCK_BYTES // CHUNK_CODED_BYTES_MIN, n_parameters=1)
        (n_entries,) = header.parameters
        payload, width = header.payload, header.word_dtype.itemsize
        if n_entries == 0 and payload.size == header.n_words * width:
            return payload.copy()
        at = n_entries * width
        if not 0 < n_entries <= ENTRIES_MAX or at > payload.size:
            raise DecodeError(
                f"{payload.size} bytes are no codebook of {n_entries} and {header.n_words} indices"
            )
        indices = np.empty(header.n_words, np.uint8)
        if huffman_decode(payload[at:], indices) != payload.size - at:
            raise DecodeError("the chunks of indices do not end where the frame does")
        words = np.empty(header.n_words, header.word_dtype)
        codebook = np.frombuffer(payload[:at].tobytes(), header.word_dtype)
        if not look_up(codebook, indices, words):
            raise DecodeError(f"an index is beyond the codebook of {n_entries}")
        return words.view(np.uint8)
