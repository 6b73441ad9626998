"""Zero-value compression: the words that are not zero, behind the bits that tell which they are.

A group is eight words and its mask one byte. Neither direction branches on the data: a word is stored or
loaded before it is known to count, and the position moves on by its width or not at all.
"""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.compact import ONES, close_gaps, open_gaps
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store

SLACK_BYTES = 8
"""What packing may write past the end of what it packs."""


@kernel
def pack_blocks(
    words: Array, masks: Bytes, first_group: int, end_group: int, block_groups: int, out: Bytes, at: int
) -> int:
    """Write blocks of `block_groups` groups at `at` of `out`, and return where they end.

    A block is its masks (from `nonzero_masks`) and then its non-zero words. `out` has room for every mask,
    every word, and SLACK_BYTES more.
    """
    n_full = words.size // 8
    for block in range(first_group, end_group, block_groups):
        body = at + block_groups
        for group in range(block, block + block_groups):
            mask = masks[group]
            out[at + group - block] = mask
            if group >= n_full:
                for index in range(group * 8, words.size):
                    store(out, body, words[index])
                    body += words.itemsize * (words[index] != 0)
            elif words.itemsize == 1:
                store(out, body, close_gaps(load(words, group * 8, LIKE_U64), mask))
                body += ONES[mask]
            else:
                for lane in range(8):
                    store(out, body, words[group * 8 + lane])
                    body += words.itemsize * ((mask >> lane) & 1)
        at = body
    return at


@kernel
def unpack_blocks(data: Bytes, at: int, block_groups: int, words: Array, first: int, end: int) -> int:
    """Fill `words` from `first` to `end` from the blocks at `at` of `data`, and return where they end.

    Returns -1 where a block is truncated or a mask names a word past the last.
    """
    eight_words_bytes = 8 * words.itemsize
    for block in range(first, end, 8 * block_groups):
        body = at + block_groups
        if body > data.size:
            return -1
        for group in range(block_groups):
            mask = data[at + group]
            index = block + 8 * group
            if index + 8 > words.size or body + eight_words_bytes > data.size:
                body = _unpack_near_end(data, mask, body, words, index)
                if body < 0:
                    return -1
            elif words.itemsize == 1:
                store(words, index, open_gaps(load(data, body, LIKE_U64), mask))
                body += ONES[mask]
            else:
                for lane in range(8):
                    bit = np.uint8((mask >> lane) & 1)
                    words[index + lane] = load(data, body, words) * bit
                    body += words.itemsize * as_int(bit)
        at = body
    return at


@kernel
def _unpack_near_end(data: Bytes, mask: int, body: int, words: Array, index: int) -> int:
    for lane in range(8):
        is_there = (mask >> lane) & 1
        if index + lane < words.size:
            words[index + lane] = 0
        if is_there:
            if index + lane >= words.size or body + words.itemsize > data.size:
                return -1
            words[index + lane] = load(data, body, words)
            body += words.itemsize
    return body
