"""Base-delta-immediate (BDI): cache lines as one base and small differences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import BlockCodec, DecodeError, one_of
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.bdi import SLACK_BYTES, line_bits, pack_lines, unpack_lines

_BLOCK_BYTES = (32, 64)
# A line of zeros is a tag of 4 bits.
_BYTES_PER_BYTE_MAX = 2 * max(_BLOCK_BYTES)


class Bdi(BlockCodec):
    """BDI over lines of `block_bytes`, whatever the word width; see docs/formats/bdi.md.

    It expands at most 128 times.
    """

    name = "bdi"
    family = "blocks"
    codec_id = "squeezemark.bdi"
    title = "base-delta-immediate"
    source = "Pekhimenko et al., Base-Delta-Immediate Compression, PACT 2012"
    version = "1"

    def __init__(self, block_bytes: int = 64) -> None:
        self.block_bytes = one_of("block_bytes", block_bytes, _BLOCK_BYTES)

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then the lines' bits without gaps."""
        lines = self._whole_lines(words)
        out = np.zeros(lines.size + lines.size // self.block_bytes + 2 * SLACK_BYTES, np.uint8)
        n_bits = pack_lines(lines, self.block_bytes, out)
        return join(pack_header(words.view(np.uint8), self.block_bytes), out, -(-n_bits // 8))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the lines must end in the frame's last byte."""
        header = unpack_header(data, _BYTES_PER_BYTE_MAX, n_parameters=1)
        block_bytes = header.parameters[0]
        if header.word_dtype.itemsize != 1 or block_bytes not in _BLOCK_BYTES:
            raise DecodeError(f"words of {header.word_dtype.itemsize} bytes in lines of {block_bytes}")
        raw = np.empty(-(-header.n_words // block_bytes) * block_bytes, np.uint8)
        n_bytes = header.payload.size
        padded = np.concatenate((header.payload, np.zeros(SLACK_BYTES, np.uint8)))
        if -(-unpack_lines(padded, 8 * n_bytes, block_bytes, raw) // 8) != n_bytes:
            raise DecodeError("the lines do not end where the frame does")
        return raw[: header.n_words]

    def count_bits(self, words: Array) -> npt.NDArray[np.int32]:
        """Return 4 bits of tag plus the smallest encoding of each line, int32[n_lines]."""
        return line_bits(self._whole_lines(words), self.block_bytes)

    def _whole_lines(self, words: Array) -> Bytes:
        raw = words.view(np.uint8)
        missing = -raw.size % self.block_bytes
        if missing:
            raw = np.concatenate((raw, np.zeros(missing, np.uint8)))
            raw.flags.writeable = False
        return raw
