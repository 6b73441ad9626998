"""Line compressors: what the codecs of a memory's lines share.

Such a codec is three kernels, its frame and its checks come from here. See docs/adding-a-hwmodel.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import LINE_BYTES, BlockCodec, DecodeError, one_of
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.lines.kernels.bitfields import SLACK_BYTES


class LineKernels(NamedTuple):
    """What a line compressor does, compiled. `raw` is uint8, a whole number of lines."""

    line_bits: Callable[[Bytes, int, int], npt.NDArray[np.int32]]
    """(raw, line_bytes, word_bytes) -> bits of every line, int32[n_lines]."""
    pack_lines: Callable[[Bytes, int, int, Bytes], int]
    """(raw, line_bytes, word_bytes, out) -> bits written to `out`: zeros, with SLACK_BYTES behind."""
    unpack_lines: Callable[[Bytes, int, int, int, Bytes], int]
    """(data, n_bits, line_bytes, word_bytes, raw) -> bits read of the `n_bits` in `data`, which has
    SLACK_BYTES more; fills `raw`. -1 where a line is not valid or ends behind `n_bits`."""


class LineCodec(BlockCodec):
    """A codec that codes every line of `block_bytes` bytes by itself; lines follow without gaps.

    A bypass rule is none of its business: a line that grows is left growing, and the hardware model that
    stores it raw instead counts the flag.
    """

    legal_line_bytes: ClassVar[tuple[int, ...]] = LINE_BYTES
    word_bytes: ClassVar[int] = 0
    """Width of the words that the circuit sees, whatever the array's; 0 = the array's own."""
    line_bits_min: ClassVar[int]
    """Fewest bits of a line: it bounds what a hostile frame can expand to."""

    kernels: ClassVar[LineKernels]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.sees_bytes = cls.word_bytes > 0

    def __init__(self, block_bytes: int = 64) -> None:
        self.block_bytes = one_of("block_bytes", block_bytes, self.legal_line_bytes)

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then the lines' bits without gaps, lowest bit first."""
        words, raw, word_bytes = self._lines_of(words)
        n_bits = int(self.kernels.line_bits(raw, self.block_bytes, word_bytes).sum(dtype=np.int64))
        out = np.zeros(-(-n_bits // 8) + SLACK_BYTES, np.uint8)
        if self.kernels.pack_lines(raw, self.block_bytes, word_bytes, out) != n_bits:
            raise AssertionError(f"{self.spec} packs other bits than it counts")
        return join(pack_header(words, self.block_bytes), out, -(-n_bits // 8))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the lines must end in the frame's last byte."""
        words_per_byte_max = -(-8 * max(self.legal_line_bytes) // self.line_bits_min)
        header = unpack_header(data, words_per_byte_max, n_parameters=1)
        line_bytes, word_bytes = header.parameters[0], self.word_bytes or header.word_dtype.itemsize
        if line_bytes not in self.legal_line_bytes or (self.word_bytes and header.word_dtype.itemsize != 1):
            raise DecodeError(f"words of {header.word_dtype.itemsize} bytes in lines of {line_bytes}")
        n_bytes = header.n_words * header.word_dtype.itemsize
        n_lines, n_bits = -(-n_bytes // line_bytes), 8 * header.payload.size
        if n_lines * self.line_bits_min > n_bits:
            raise DecodeError(f"{header.payload.size} bytes of payload cannot hold {n_lines} lines")
        raw = np.empty(n_lines * line_bytes, np.uint8)
        padded = np.concatenate((header.payload, np.zeros(SLACK_BYTES, np.uint8)))
        bits_read = self.kernels.unpack_lines(padded, n_bits, line_bytes, word_bytes, raw)
        if bits_read < 0 or -(-bits_read // 8) != header.payload.size:
            raise DecodeError("the lines do not end where the frame does")
        return raw[:n_bytes]

    def count_bits(self, words: Array) -> npt.NDArray[np.int32]:
        """Return the bits of each line, int32[n_lines]; a last partial line is padded with zeros."""
        _, raw, word_bytes = self._lines_of(words)
        return self.kernels.line_bits(raw, self.block_bytes, word_bytes)

    def _lines_of(self, words: Array) -> tuple[Array, Bytes, int]:
        """The words as the frame's header has them, the whole lines that they fill, the circuit's word."""
        raw = words.view(np.uint8)
        header_words = raw if self.word_bytes else words
        if missing := -raw.size % self.block_bytes:
            raw = np.concatenate((raw, np.zeros(missing, np.uint8)))
            raw.flags.writeable = False
        return header_words, raw, self.word_bytes or words.itemsize
