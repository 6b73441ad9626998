"""How many words the zero run-length formats keep in each block, without packing one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels.zeros import nonzero_masks
from tensorcodecs.lines.kernels.zeroruns import count_kept

_SLACK_BYTES = 7


def masks_of(raw: Bytes, word_bytes: int) -> Bytes:
    """Return a bit for each word of `raw` (of whole blocks) that is not zero, and 7 bytes of zeros."""
    masks = np.empty(raw.size // word_bytes // 8 + _SLACK_BYTES, np.uint8)
    nonzero_masks(raw.view(f"u{word_bytes}"), masks)
    return masks


def kept_words(
    raw: Bytes, block_bytes: int, word_bytes: int, row_words: int, period: int, *, first: bool, last: bool
) -> npt.NDArray[np.int32]:
    """Return how many words of each block are kept, int32[n_blocks]; arguments as of `count_kept`."""
    counts = np.empty(raw.size // block_bytes, np.int32)
    count_kept(masks_of(raw, word_bytes), row_words, period, first, last, counts)
    return counts


def ones_in_blocks(raw: Bytes, block_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    """Return how many words of each block are not zero, int32[n_blocks]; blocks of 1024 bytes or more."""
    masks = masks_of(raw, word_bytes)[:-_SLACK_BYTES].view(np.uint64)
    counts: npt.NDArray[np.uint8] = np.bitwise_count(masks)
    sums: npt.NDArray[np.int32] = counts.reshape(-1, block_bytes // word_bytes // 64).sum(1, dtype=np.int32)
    return sums
