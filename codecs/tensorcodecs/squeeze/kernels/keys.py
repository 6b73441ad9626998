"""Words as keys whose order means something: ascending by value, or by magnitude with the sign lowest."""

from __future__ import annotations

import numpy as np

from tensorcodecs.kernels import kernel
from tensorcodecs.squeeze.kernels.bins import Keys

PLAIN, FLOAT_ORDERED, FLOAT_FOLDED, SIGNED_ORDERED, SIGNED_FOLDED = 0, 1, 2, 3, 4
N_ORDERS = 5
_ONE = np.uint32(1)


@kernel
def to_keys(words: Keys, order: int, bits: int, keys: Keys) -> None:
    """Fill `keys` with the words of `bits` bits, put into `order`."""
    top = np.uint32(bits - 1)
    sign = np.uint32(1) << top
    mask = sign | (sign - _ONE)
    for index in range(words.size):
        word = words[index]
        if order == FLOAT_ORDERED:
            word = (word ^ mask) if word & sign else (word | sign)
        elif order == FLOAT_FOLDED:
            word = ((word << _ONE) & mask) | (word >> top)
        elif order == SIGNED_ORDERED:
            word ^= sign
        elif order == SIGNED_FOLDED:
            word = ((word << _ONE) & mask) ^ (mask if word & sign else np.uint32(0))
        keys[index] = word


@kernel
def from_keys(keys: Keys, order: int, bits: int, words: Keys) -> None:
    """Undo `to_keys`."""
    top = np.uint32(bits - 1)
    sign = np.uint32(1) << top
    mask = sign | (sign - _ONE)
    for index in range(keys.size):
        key = keys[index]
        if order == FLOAT_ORDERED:
            key = (key ^ sign) if key & sign else (key ^ mask)
        elif order == FLOAT_FOLDED:
            key = (key >> _ONE) | ((key & _ONE) << top)
        elif order == SIGNED_ORDERED:
            key ^= sign
        elif order == SIGNED_FOLDED:
            key = (key >> _ONE) ^ (mask if key & _ONE else np.uint32(0))
        words[index] = key
