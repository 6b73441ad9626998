"""Words that a mask has a bit for, one after the other; and where such words begin runs.

Neither direction branches on the data: positions inside a group of eight words come from a table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitrows import differing
from tensorcodecs.kernels.compact import ONES, close_gaps, open_gaps
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store

SLACK_BYTES = 64
"""What packing may write past the end of what it packs."""
_BITS_8, _BITS_16, _BITS_32 = np.uint64(8), np.uint64(16), np.uint64(32)
_LOW_BYTE = np.uint64(0xFF)
_EVERY_BYTE = np.uint64(0x0101010101010101)
_LANE_BITS = np.array([0xFF << 8 * lane for lane in range(8)], np.uint64)


def _make_ranks() -> npt.NDArray[np.uint8]:
    """Return, uint8[256, 8], the number of ones up to and with each bit."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    return np.cumsum(bits, axis=1).astype(np.uint8)


def _make_keepers() -> npt.NDArray[np.uint64]:
    """Return, uint64[256], the bytes that have a one in each mask."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    return np.asarray((bits.astype(np.uint64) * _LANE_BITS).sum(axis=1), np.uint64)


_RANKS = _make_ranks()
_KEEPERS = _make_keepers()


@kernel
def change_masks(words: Array, masks: Bytes) -> None:
    """Fill `masks` (ceil(n / 8)): bit i % 8 of byte i / 8 tells that words[i] begins a run of equal words.

    The first word begins one; bits past the last word are 0.
    """
    width = words.itemsize
    for group in range(min(8, masks.size)):
        masks[group] = _changes(words, group * 8)
    n_wide = words.size // 64 * 8
    for group in range(8, n_wide, 8):
        first = group * 8 * width
        store(masks, group, differing(words, first, first - width))
    for group in range(max(8, n_wide), masks.size):
        masks[group] = _changes(words, group * 8)


@kernel
def _changes(words: Array, first: int) -> np.uint8:
    mask = np.uint8(0)
    for index in range(first, min(first + 8, words.size)):
        mask |= np.uint8(index == 0 or words[index] != words[index - 1]) << (index - first)
    return np.uint8(mask)


@kernel
def pack_words(words: Array, masks: Bytes, out: Bytes) -> int:
    """Write the words with a one in `masks` to `out` and return the bytes used.

    `out` has room for every word and SLACK_BYTES more.
    """
    body = 0
    n_full = words.size // 8
    for group in range(n_full):
        mask = masks[group]
        if words.itemsize == 1:
            store(out, body, close_gaps(load(words, group * 8, LIKE_U64) & _KEEPERS[mask], mask))
            body += as_int(ONES[mask])
        else:
            for lane in range(8):
                store(out, body, words[group * 8 + lane])
                body += words.itemsize * ((mask >> lane) & 1)
    for index in range(n_full * 8, words.size):
        store(out, body, words[index])
        body += words.itemsize * ((masks[n_full] >> (index - n_full * 8)) & 1)
    return body


@kernel
def count_ones(masks: Bytes, n: int) -> int:
    """Return the ones in `masks` (ceil(n / 8)), or -1 where there is one at or past bit n."""
    total = 0
    for group in range(masks.size):
        total += as_int(ONES[masks[group]])
    if n & 7 and masks[masks.size - 1] >> (n & 7):
        return -1
    return total


@kernel
def unpack_words(data: Bytes, masks: Bytes, words: Array) -> None:
    """Fill `words`: where `masks` have a one, with the next word of `data`; with 0 elsewhere.

    The caller has compared the number of ones with the size of `data`, and the bits past the last word.
    """
    body = 0
    for group in range(masks.size):
        mask = masks[group]
        first = group * 8
        if first + 8 > words.size or body + 8 * words.itemsize > data.size:
            for index in range(first, min(first + 8, words.size)):
                words[index] = 0
                if (mask >> (index - first)) & 1:
                    words[index] = load(data, body, words)
                    body += words.itemsize
        elif words.itemsize == 1:
            store(words, first, open_gaps(load(data, body, LIKE_U64), mask))
            body += as_int(ONES[mask])
        else:
            for lane in range(8):
                bit = words.dtype.type((mask >> lane) & 1)
                words[first + lane] = load(data, body, words) * bit
                body += words.itemsize * as_int(bit)


@kernel
def unpack_runs(data: Bytes, masks: Bytes, words: Array) -> None:
    """Fill `words`: each takes the word of `data` that the last one in `masks` up to it stands for.

    The caller has compared the number of ones with the size of `data`, and found the first bit to be one.
    """
    body = -words.itemsize
    n_full = words.size // 8
    for group in range(n_full):
        mask = masks[group]
        if words.itemsize == 1 and 0 <= body <= data.size - 9:
            store(
                words, group * 8, _fill_runs(load(data, body, LIKE_U64), load(data, body + 1, LIKE_U64), mask)
            )
        else:
            for lane in range(8):
                rank = as_int(_RANKS[mask, lane])
                words[group * 8 + lane] = load(data, body + words.itemsize * rank, words)
        body += words.itemsize * as_int(ONES[mask])
    for index in range(n_full * 8, words.size):
        body += words.itemsize * as_int((masks[n_full] >> (index - n_full * 8)) & 1)
        words[index] = load(data, body, words)


@kernel
def _fill_runs(before: np.uint64, starts: np.uint64, mask: np.uint8) -> np.uint64:
    """Return eight bytes, each the byte of the last run that began; `before` is one byte behind `starts`.

    Where a run begins, the byte changes by the XOR of two runs; adding up the changes gives the bytes.
    """
    eight = open_gaps(before ^ starts, mask)
    eight ^= eight << _BITS_8
    eight ^= eight << _BITS_16
    eight ^= eight << _BITS_32
    return np.uint64(eight ^ ((before & _LOW_BYTE) * _EVERY_BYTE))
