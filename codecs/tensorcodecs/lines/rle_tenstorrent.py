"""Zero run-length code as Tenstorrent's packers write it: every datum with the zeros behind it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.lines._zero_runs import kept_words
from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import rle_tenstorrent


def line_bits(raw: Bytes, line_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every block: row-start indices, then whole groups of 32 data."""
    width = min(word_bytes, rle_tenstorrent.WORD_BYTES_MAX)
    n_data = kept_words(
        raw, line_bytes, width, rle_tenstorrent.ROW_WORDS, rle_tenstorrent.PERIOD, first=True, last=True
    )
    n_groups = (n_data + np.int32(rle_tenstorrent.GROUP_WORDS - 1)) // np.int32(rle_tenstorrent.GROUP_WORDS)
    group_bits = rle_tenstorrent.GROUP_WORDS * (8 * width + rle_tenstorrent.RUN_BITS)
    return np.int32(
        rle_tenstorrent.index_bits(line_bytes // width // rle_tenstorrent.ROW_WORDS)
    ) + n_groups * np.int32(group_bits)


class RleTenstorrent(LineCodec):
    """Rows of 256 data in blocks of `block_bytes`; see docs/formats/rle-tenstorrent.md."""

    name = "rle-tenstorrent"
    codec_id = "squeezemark.rle-tenstorrent"
    title = "zero run-length code of Tenstorrent's packer"
    source = "Tenstorrent, tt-isa-documentation (Wormhole packers), 2025; blocks of this project"
    version = "1"
    legal_line_bytes = (1024, 2048, 4096)
    line_bits_min = 1280  # one section of indices; 17 data a row in groups of 32
    kernels = LineKernels(line_bits, rle_tenstorrent.pack_lines, rle_tenstorrent.unpack_lines)

    def __init__(self, block_bytes: int = 4096) -> None:
        super().__init__(block_bytes)
