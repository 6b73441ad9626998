"""SCNN's run-length code: non-zero words and the zeros before each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._zero_runs import kept_words
from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import rlc_scnn


def line_bits(raw: Bytes, line_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every block: a count, then four bits and a word for each word kept."""
    width = min(word_bytes, rlc_scnn.WORD_BYTES_MAX)
    n_words = line_bytes // width
    n_kept = kept_words(raw, line_bytes, width, n_words, rlc_scnn.PERIOD, first=False, last=False)
    return np.int32(n_words.bit_length()) + n_kept * np.int32(rlc_scnn.RUN_BITS + 8 * width)


class RlcScnn(LineCodec):
    """Words of 8, 16 or 32 bits in blocks of `block_bytes`; see docs/formats/rlc-scnn.md."""

    name = "rlc-scnn"
    codec_id = "squeezemark.rlc-scnn"
    title = "run-length code of SCNN"
    source = "Parashar et al., SCNN, ISCA 2017"
    version = "1"
    legal_line_bytes = (64, 128, 256, 512, 1024, 2048, 4096)
    line_bits_min = 5  # the count of a block of 16 words
    kernels = LineKernels(line_bits, rlc_scnn.pack_lines, rlc_scnn.unpack_lines)

    def __init__(self, block_bytes: int = 4096) -> None:
        super().__init__(block_bytes)
