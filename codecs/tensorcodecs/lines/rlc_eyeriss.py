"""Eyeriss' run-length code (RLC): runs of up to 31 zeros, each with the level behind it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._zero_runs import kept_words
from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import rlc_eyeriss


def line_bits(raw: Bytes, line_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every block: 64 for each three (levels of one byte: four) pairs."""
    width = min(word_bytes, rlc_eyeriss.LEVEL_BYTES_MAX)
    n_pairs = kept_words(
        raw, line_bytes, width, line_bytes // width, rlc_eyeriss.PERIOD, first=False, last=True
    )
    per_word = (rlc_eyeriss.WORD_BITS - 1) // (rlc_eyeriss.RUN_BITS + 8 * width)
    return (n_pairs + np.int32(per_word - 1)) // np.int32(per_word) * np.int32(rlc_eyeriss.WORD_BITS)


class RlcEyeriss(LineCodec):
    """Levels of 16 bits (bytes: of 8), in blocks of `block_bytes`; see docs/formats/rlc-eyeriss.md."""

    name = "rlc-eyeriss"
    codec_id = "squeezemark.rlc-eyeriss"
    title = "run-length code of Eyeriss"
    source = "Chen et al., Eyeriss, IEEE JSSC 52(1), 2017"
    version = "1"
    legal_line_bytes = (64, 128, 256, 512, 1024, 2048, 4096)
    line_bits_min = rlc_eyeriss.WORD_BITS
    kernels = LineKernels(line_bits, rlc_eyeriss.pack_lines, rlc_eyeriss.unpack_lines)

    def __init__(self, block_bytes: int = 4096) -> None:
        super().__init__(block_bytes)
