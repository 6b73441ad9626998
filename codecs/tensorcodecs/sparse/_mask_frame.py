"""The frame that `bitmask` and `rle` share: a Huffman-coded mask, and the words that it has ones for."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError
from tensorcodecs.frame import pack_header, unpack_header
from tensorcodecs.kernels.huffman import CHUNK_CODED_BYTES_MIN, huffman_decode, huffman_encode
from tensorcodecs.kernels.huffman import SLACK_BYTES as HUFFMAN_SLACK_BYTES
from tensorcodecs.kernels.huffman_chunks import BLOCK_BYTES, PIECE_BYTES
from tensorcodecs.sparse.kernels.bitmask import SLACK_BYTES, count_ones, pack_words


def pack_masked(words: Array, masks: Bytes) -> bytes:
    """Return the frame of those `words` that have a one in `masks` (ceil(n / 8) bytes), and of the masks."""
    coded = np.empty(masks.size + -(-masks.size // PIECE_BYTES) + 2 * HUFFMAN_SLACK_BYTES, np.uint8)
    coded_bytes = huffman_encode(masks, coded)
    kept = np.empty(words.nbytes + SLACK_BYTES, np.uint8)
    kept_bytes = pack_words(words, masks, kept)
    return b"".join((pack_header(words), coded[:coded_bytes].data, kept[:kept_bytes].data))


def unpack_masked(data: Bytes) -> tuple[Bytes, Bytes, Array]:
    """Return the masks, the bytes of the words they have ones for, and room for all words.

    Raises DecodeError unless the frame has exactly the words that the masks ask for.
    """
    header = unpack_header(data, 8 * (BLOCK_BYTES // CHUNK_CODED_BYTES_MIN))
    masks = np.empty(-(-header.n_words // 8), np.uint8)
    coded_bytes = huffman_decode(header.payload, masks)
    if coded_bytes < 0:
        raise DecodeError("the masks are not valid Huffman chunks")
    masks.flags.writeable = False
    values = header.payload[coded_bytes:]
    n_kept = count_ones(masks, header.n_words)
    if n_kept < 0 or values.size != n_kept * header.word_dtype.itemsize:
        raise DecodeError(f"the masks ask for {n_kept} words, the frame holds {values.size} bytes of them")
    return masks, values, np.empty(header.n_words, header.word_dtype)
