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
"""What the encoders may write past the end of what they pack."""


@kernel
def zvc_encode(words: Array, masks: Bytes, mask_bytes: int, out: Bytes) -> int:
    """Pack blocks of 8 * `mask_bytes` words into `out` and return the bytes used.

    `masks` comes from `nonzero_masks`, a whole number of blocks long. `out` has room for every mask, every
    word, and SLACK_BYTES more.
    """
    at = 0
    for first_group in range(0, masks.size, mask_bytes):
        at = pack_groups(words, masks, first_group, mask_bytes, out, at)
    return at


@kernel
def zvc_decode(data: Bytes, mask_bytes: int, words: Array) -> int:
    """Fill `words` from the blocks in `data` and return the bytes read, or -1 where a block is not whole."""
    at = 0
    for first in range(0, words.size, 8 * mask_bytes):
        at = unpack_groups(data, at, mask_bytes, words, first)
        if at < 0:
            return -1
    return at


@kernel
def pack_groups(words: Array, masks: Bytes, first_group: int, n_groups: int, out: Bytes, at: int) -> int:
    """Write the groups' masks and then their non-zero words at `at`, and return where they end."""
    n_full = words.size // 8
    body = at + n_groups
    for group in range(first_group, first_group + n_groups):
        mask = masks[group]
        out[at + group - first_group] = mask
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
    return body


@kernel
def unpack_groups(data: Bytes, at: int, n_groups: int, words: Array, first: int) -> int:
    """Fill `words` from `first` on and return where the groups end in `data`.

    Returns -1 where they are truncated or a mask names a word past the last.
    """
    eight_words_bytes = 8 * words.itemsize
    body = at + n_groups
    if body > data.size:
        return -1
    for group in range(n_groups):
        mask = data[at + group]
        index = first + 8 * group
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
    return body


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
