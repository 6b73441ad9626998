"""Frequent-value coding: a code for every word, words without a code behind them."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import Words64, get, put
from tensorcodecs.kernels.memory import load, store

_SLOT_BITS = 11
_SPREAD = np.uint64(0x9E37_79B9_7F4A_7C15)
_TO_SLOT = np.uint64(64 - _SLOT_BITS)


@kernel
def fvc_encode(words: Array, frequent: Words64, code_bits: int, out: Bytes) -> int:
    """Write codes, then escaped words, and return the bytes used, or -1 as soon as nothing is saved.

    `frequent` holds at most 2**code_bits - 1 different words. `out` has room for all codes, all words and
    16 bytes more.
    """
    slots = np.full(1 << _SLOT_BITS, -1, np.int64)
    for code in range(frequent.size):
        slot = np.int64(frequent[code] * _SPREAD >> _TO_SLOT)
        while slots[slot] >= 0:
            slot = (slot + 1) & ((1 << _SLOT_BITS) - 1)
        slots[slot] = code
    escape = (1 << code_bits) - 1
    at = (words.size * code_bits + 7) >> 3
    escaped = np.empty(words.size, words.dtype)
    n_escaped = 0
    bit = 0
    for index in range(words.size):
        word = np.uint64(words[index])
        slot = np.int64(word * _SPREAD >> _TO_SLOT)
        while slots[slot] >= 0 and frequent[slots[slot]] != word:
            slot = (slot + 1) & ((1 << _SLOT_BITS) - 1)
        code = slots[slot] if slots[slot] >= 0 else escape
        bit = put(out, bit, np.uint64(code), code_bits)
        # Stored always and kept if escaped: a branch here would be mispredicted.
        escaped[n_escaped] = words[index]
        n_escaped += code == escape
    if at + n_escaped * words.itemsize >= words.size * words.itemsize:
        return -1
    for index in range(n_escaped):
        store(out, at + index * words.itemsize, escaped[index])
    return at + n_escaped * words.itemsize


@kernel
def fvc_decode(data: Bytes, n_bytes: int, frequent: Array, code_bits: int, words: Array) -> int:
    """Fill `words` from `n_bytes` of `data` (16 bytes of slack behind); return the bytes read, or -1."""
    escape = (1 << code_bits) - 1
    at = (words.size * code_bits + 7) >> 3
    if at > n_bytes:
        return -1
    for index in range(words.size):
        code = np.int64(get(data, index * code_bits, code_bits))
        if code == escape:
            if at + words.itemsize > n_bytes:
                return -1
            words[index] = load(data, at, words)
            at += words.itemsize
        elif code < frequent.size:
            words[index] = frequent[code]
        else:
            return -1
    return at
