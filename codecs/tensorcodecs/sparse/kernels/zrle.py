"""Zero run-length coding: runs of zero groups, of full groups, and of groups with some zeros.

A group is eight words. Looking at groups and not at words keeps the runs long and the branches
predictable, however random single zeros are.
"""

from __future__ import annotations

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import LIKE_U64, load, store
from tensorcodecs.sparse.kernels.zvc import pack_blocks, unpack_blocks

RUN_MAX = 1 << 13
"""The most groups of one token: five bits in its first byte and eight in its second."""
RUN_MIN = 3
"""Shorter runs of zero or full groups stay among the mixed: two tokens would cost as much as two masks.

`_mixed_end` has this number built in.
"""
_MORE = 0x20
_LOW = 0x1F
_KIND_SHIFT = 6
_ZERO, _FULL, _MIXED = 0, 1, 2


@kernel
def zrle_encode(words: Array, masks: Bytes, out: Bytes) -> int:
    """Write the tokens for `words` to `out` and return the bytes used.

    `masks` comes from `nonzero_masks` (ceil(n / 8) bytes). `out` has room for every word, 2 bytes for each
    group, and 8 bytes more.
    """
    at = 0
    group = 0
    while group < masks.size:
        end = _uniform_end(masks, group)
        if end - group >= RUN_MIN:
            kind = _ZERO if masks[group] == 0 else _FULL
        else:
            kind = _MIXED
            end = _mixed_end(masks, group)
        at = _write_token(out, at, kind, end - group)
        if kind == _FULL:
            # Eight words are a multiple of eight bytes, whatever their width.
            n_bytes = (end - group) * 8 * words.itemsize
            for offset in range(0, n_bytes, 8):
                store(out, at + offset, load(words, group * 8 * words.itemsize + offset, LIKE_U64))
            at += n_bytes
        elif kind == _MIXED:
            at = pack_blocks(words, masks, group, end, end - group, out, at)
        group = end
    return at


@kernel
def zrle_decode(data: Bytes, words: Array) -> int:
    """Fill `words` from the tokens in `data` and return the bytes read.

    Returns -1 where a token is unknown or truncated, or goes past the last group.
    """
    n_groups = (words.size + 7) // 8
    at = 0
    group = 0
    while group < n_groups:
        if at + 2 > data.size and (at + 1 > data.size or data[at] & _MORE):
            return -1
        kind = data[at] >> _KIND_SHIFT
        run = 1 + (data[at] & _LOW)
        if data[at] & _MORE:
            run += data[at + 1] << 5
            at += 1
        at += 1
        first = group * 8
        group += run
        if group > n_groups:
            return -1
        if kind == _ZERO:
            for index in range(first, min(group * 8, words.size)):
                words[index] = 0
        elif kind == _FULL:
            n_bytes = run * 8 * words.itemsize
            if at + n_bytes > data.size or group * 8 > words.size:
                return -1
            for offset in range(0, n_bytes, 8):
                store(words, first * words.itemsize + offset, load(data, at + offset, LIKE_U64))
            at += n_bytes
        elif kind == _MIXED:
            at = unpack_blocks(data, at, run, words, first, first + 1)
            if at < 0:
                return -1
        else:
            return -1
    return at


@kernel
def _uniform_end(masks: Bytes, group: int) -> int:
    """Return where the run of zero or full groups that begins at `group` ends (`group` if none does)."""
    mask = masks[group]
    if mask != 0 and mask != 0xFF:
        return group
    last = min(masks.size, group + RUN_MAX)
    end = group + 1
    while end < last and masks[end] == mask:
        end += 1
    return end


@kernel
def _mixed_end(masks: Bytes, group: int) -> int:
    """Return where the next run of RUN_MIN or more zero or full groups begins, or the token is full."""
    last = min(masks.size, group + RUN_MAX)
    for end in range(group, min(last, masks.size - RUN_MIN + 1)):
        mask = masks[end]
        # Most neighbours differ, so one comparison settles most groups.
        if mask == masks[end + 1] and mask == masks[end + 2] and (mask == 0 or mask == 0xFF):
            return end
    return last


@kernel
def _write_token(out: Bytes, at: int, kind: int, run: int) -> int:
    rest = run - 1
    out[at] = kind << _KIND_SHIFT | rest & _LOW
    if rest <= _LOW:
        return at + 1
    out[at] |= _MORE
    out[at + 1] = rest >> 5
    return at + 2
