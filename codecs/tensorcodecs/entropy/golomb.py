"""Golomb-Rice coding: a unary quotient and a plain remainder, with a parameter for each block."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError, TypedCodec, whole_number
from tensorcodecs.entropy.kernels.golomb import SLACK_BYTES, golomb_decode, golomb_encode
from tensorcodecs.frame import join, pack_header, unpack_header

_BLOCK_VALUES_MIN, _BLOCK_VALUES_MAX = 8, 8192


class Golomb(TypedCodec):
    """Words, zig-zagged where they are signed, in codes for geometric data; see docs/formats/golomb.md."""

    name = "golomb"
    codec_id = "squeezemark.golomb"
    title = "Golomb-Rice coding"
    source = "Golomb, IEEE Trans. Inf. Theory 1966; Rice, JPL Publication 79-22, 1979"
    version = "1"

    def __init__(self, block_values: int = 256) -> None:
        self.block_values = whole_number("block_values", block_values, _BLOCK_VALUES_MIN, _BLOCK_VALUES_MAX)

    def pack_typed(
        self,
        words: Array,
        numbers: NumberFormat,
        shape: tuple[int, ...],  # noqa: ARG002 -- a stream has none
    ) -> bytes:
        """Return the frame: header with sign and block size, then the blocks."""
        is_signed = numbers.kind == "signed"
        n_blocks = -(-words.size // self.block_values)
        out = np.empty(words.nbytes + n_blocks + SLACK_BYTES, np.uint8)
        used_bytes = golomb_encode(words.view(np.uint8), words.itemsize, is_signed, self.block_values, out)
        return join(pack_header(words, int(is_signed), self.block_values), out, used_bytes)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the blocks must end exactly where the frame does."""
        header = unpack_header(data, _BLOCK_VALUES_MAX, n_parameters=2)
        sign, block_values = header.parameters
        if sign > 1 or not _BLOCK_VALUES_MIN <= block_values <= _BLOCK_VALUES_MAX:
            raise DecodeError(f"no Golomb frame has blocks of {block_values} values and sign {sign}")
        n_bytes = header.payload.size
        if header.n_words > block_values * n_bytes:
            raise DecodeError(f"{n_bytes} bytes of payload cannot hold {header.n_words} words")
        payload = np.append(header.payload, np.zeros(SLACK_BYTES, np.uint8))
        word_bytes = header.word_dtype.itemsize
        raw = np.empty(header.n_words * word_bytes, np.uint8)
        if golomb_decode(payload, n_bytes, word_bytes, bool(sign), block_values, raw) != n_bytes:
            raise DecodeError("the blocks do not end where the frame does")
        return raw
