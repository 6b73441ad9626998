"""Narrow compressed sparse rows, after Gist: one byte of column index for each non-zero word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._zero_runs import ones_in_blocks
from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import gist_csr_like


def line_bits(raw: Bytes, line_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every block: a pointer for each row, a column and a word for each non-zero one."""
    width = min(word_bytes, gist_csr_like.WORD_BYTES_MAX)
    n_rows = line_bytes // width // gist_csr_like.ROW_WORDS
    n_words = ones_in_blocks(raw, line_bytes, width)
    return np.int32(n_rows * gist_csr_like.POINTER_BITS) + n_words * np.int32(
        gist_csr_like.COLUMN_BITS + 8 * width
    )


class GistCsrLike(LineCodec):
    """Rows of 256 words in blocks of `block_bytes`; see docs/formats/gist-csr-like.md."""

    name = "gist-csr-like"
    codec_id = "squeezemark.gist-csr-like"
    title = "narrow compressed sparse rows"
    source = "after Jain et al., Gist, ISCA 2018; layout of this project"
    version = "1"
    legal_line_bytes = (1024, 2048, 4096)
    line_bits_min = gist_csr_like.POINTER_BITS
    kernels = LineKernels(line_bits, gist_csr_like.pack_lines, gist_csr_like.unpack_lines)

    def __init__(self, block_bytes: int = 4096) -> None:
        super().__init__(block_bytes)
