"""Diffy's differences of neighbours, in ShapeShifter's groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.shapeshifter import line_bits, pack_lines, unpack_lines, words_of


def _differences(raw: Bytes, line_bytes: int, word_bytes: int) -> Bytes:
    """Each word less the one before it in its line, modulo 2 to its bits; the first is left as it is."""
    words = words_of(raw, line_bytes, word_bytes)
    changes = words.copy()
    changes[:, 1:] -= words[:, :-1]
    return changes.reshape(-1).view(np.uint8)


def _diffy_bits(raw: Bytes, line_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    return line_bits(_differences(raw, line_bytes, word_bytes), line_bytes, word_bytes)


def _pack_diffy(raw: Bytes, line_bytes: int, word_bytes: int, out: Bytes) -> int:
    return pack_lines(_differences(raw, line_bytes, word_bytes), line_bytes, word_bytes, out)


def _unpack_diffy(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, raw: Bytes) -> int:
    bits_read = unpack_lines(data, n_bits, line_bytes, word_bytes, raw)
    words = words_of(raw, line_bytes, word_bytes)
    np.cumsum(words, axis=1, dtype=words.dtype, out=words)
    return bits_read


class DiffyLike(LineCodec):
    """ShapeShifter's groups of the differences of neighbours; see docs/formats/diffy-like.md."""

    name = "diffy-like"
    codec_id = "squeezemark.diffy-like"
    title = "data widths of differences by group, after Diffy"
    source = "Mahmoud et al., Diffy, MICRO 2018; the layout is this project's"
    version = "1"
    line_bits_min = 8  # a line of eight zeros
    kernels = LineKernels(_diffy_bits, _pack_diffy, _unpack_diffy)
