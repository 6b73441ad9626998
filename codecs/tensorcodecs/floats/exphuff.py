"""Exponent-split Huffman coding of floats: exponents coded, signs and mantissas as they are."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError, TypedCodec
from tensorcodecs.floats.kernels.exphuff import (
    CHUNK_WORDS_MAX,
    chunk_words,
    decode_planes,
    encode_planes,
    merge,
    split,
)
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.huffman import CHUNK_CODED_BYTES_MIN, SLACK_BYTES, decoding_room


class ExpHuff(TypedCodec):
    """Byte planes of rotated floats, the exponent's Huffman-coded; see docs/formats/exphuff.md.

    It expands at most 43691 words a byte.
    """

    name = "exphuff"
    codec_id = "squeezemark.exphuff"
    title = "exponent-split Huffman"
    source = "inspired by Hershcovitch et al., ZipNN, arXiv 2411.05239, 2024; layout of this project"
    version = "1"

    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return the frame: header, then chunks of planes."""
        rotation = int(numbers.kind == "float")
        width, n_chunk = words.itemsize, chunk_words(words.itemsize)
        planes = np.empty(min(words.size, n_chunk) * width, np.uint8)
        frozen = planes.view()
        frozen.flags.writeable = False
        out = np.empty(words.nbytes + -(-words.size // n_chunk) * (1 + width) + 2 * SLACK_BYTES, np.uint8)
        used = 0
        for start in range(0, words.size, n_chunk):
            chunk = words[start : start + n_chunk]
            split(chunk, rotation, planes)
            used = encode_planes(planes, frozen, chunk.size, width, out, used)
        return join(pack_header(words, rotation), out, used)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the chunks must end exactly where the frame does."""
        header = unpack_header(data, -(-CHUNK_WORDS_MAX // (1 + CHUNK_CODED_BYTES_MIN)), n_parameters=1)
        (rotation,) = header.parameters
        if rotation > 1:
            raise DecodeError(f"words rotated by {rotation} bits: legal are 0 and 1")
        words = np.empty(header.n_words, header.word_dtype)
        width, n_chunk = words.itemsize, chunk_words(words.itemsize)
        planes = np.empty(min(words.size, n_chunk) * width, np.uint8)
        room, at = decoding_room(), 0
        for start in range(0, words.size, n_chunk):
            chunk = words[start : start + n_chunk]
            at = decode_planes(header.payload, at, chunk.size, width, planes, room)
            if at < 0:
                raise DecodeError("a plane is not valid")
            merge(planes, rotation, chunk)
        if at != header.payload.size:
            raise DecodeError("the chunks do not end where the frame does")
        return words.view(np.uint8)
