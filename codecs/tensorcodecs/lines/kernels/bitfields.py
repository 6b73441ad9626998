"""Fields of a few bits at any bit of a byte stream, lowest bit first: what hardware formats are made of."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import LIKE_U64, load, store

SLACK_BYTES = 8
"""What `put` may write, and `get` read, past the last byte."""
PIECE_BITS = 32
"""The most bits that `get` returns at once."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel
def put(out: Bytes, bit: int, value: np.uint64, n_bits: int) -> int:
    """OR the low `n_bits` of `value` into `out` at `bit`, lowest first, and return the next bit."""
    for start in range(0, n_bits, PIECE_BITS):
        count = min(n_bits - start, PIECE_BITS)
        piece = (value >> np.uint64(start)) & (_ALL >> np.uint64(64 - count))
        store(out, bit >> 3, load(out, bit >> 3, LIKE_U64) | piece << np.uint64(bit & 7))
        bit += count
    return bit


@kernel
def get(data: Bytes, bit: int, n_bits: int) -> np.uint64:
    """Return the `n_bits` (1 to 32) at `bit`."""
    word = load(data, bit >> 3, LIKE_U64) >> np.uint64(bit & 7)
    return np.uint64(word & (_ALL >> np.uint64(64 - n_bits)))
