"""ShapeShifter's data widths by group."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import shapeshifter


def words_of(raw: Bytes, line_bytes: int, word_bytes: int) -> Array:
    """Return the circuit's words, a line in each row; words of 64 bits are two of 32."""
    width = min(word_bytes, 4)
    return raw.view(f"u{width}").reshape(-1, line_bytes // width)


def line_bits(raw: Bytes, line_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    """As `LineKernels.line_bits`."""
    return shapeshifter.line_bits(words_of(raw, line_bytes, word_bytes))


def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, out: Bytes) -> int:
    """As `LineKernels.pack_lines`."""
    return shapeshifter.pack_lines(words_of(raw, line_bytes, word_bytes), out)


def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, raw: Bytes) -> int:
    """As `LineKernels.unpack_lines`."""
    return shapeshifter.unpack_lines(data, n_bits, words_of(raw, line_bytes, word_bytes))


class ShapeShifterLike(LineCodec):
    """Words of 8, 16 or 32 bits in groups of 16 with a width each; see docs/formats/shapeshifter-like.md."""

    name = "shapeshifter-like"
    codec_id = "squeezemark.shapeshifter-like"
    title = "data widths by group, after ShapeShifter"
    source = "Delmas Lascorz et al., ShapeShifter, MICRO 2019; the layout is this project's"
    version = "1"
    group: ClassVar[int] = shapeshifter.GROUP
    """Words that share a width."""
    line_bits_min = 8  # a line of eight zeros
    kernels = LineKernels(line_bits, pack_lines, unpack_lines)
