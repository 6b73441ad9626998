"""Filters that make one word of each word; arithmetic is modulo 2 to the word's bits.

Every constant is made a word of the array's width: numba would widen, and the compiler then fill half as
many lanes.
"""

from __future__ import annotations

from tensorcodecs.arrays import Array
from tensorcodecs.kernels import kernel


@kernel
def delta(words: Array, deltas: Array) -> None:
    """Fill `deltas` with each word less the one before it (0 before the first)."""
    if words.size:
        deltas[0] = words[0]
    for index in range(1, words.size):
        deltas[index] = words[index] - words[index - 1]


@kernel
def undelta(deltas: Array, words: Array) -> None:
    """Undo `delta`."""
    word = words.dtype.type(0)
    for index in range(deltas.size):
        word = words.dtype.type(word + deltas[index])
        words[index] = word


@kernel
def xor(words: Array, changes: Array) -> None:
    """Fill `changes` with the bits in which each word differs from the one before it (0 before the first)."""
    if words.size:
        changes[0] = words[0]
    for index in range(1, words.size):
        changes[index] = words[index] ^ words[index - 1]


@kernel
def unxor(changes: Array, words: Array) -> None:
    """Undo `xor`."""
    word = words.dtype.type(0)
    for index in range(changes.size):
        word = words.dtype.type(word ^ changes[index])
        words[index] = word


@kernel
def zigzag(words: Array, folded: Array) -> None:
    """Fill `folded` with 0, 1, 2, 3, ... for the words 0, -1, 1, -2, ... in two's complement."""
    one = words.dtype.type(1)
    top = words.dtype.type(8 * words.itemsize - 1)
    for index in range(words.size):
        word = words[index]
        folded[index] = (word << one) ^ (words.dtype.type(0) - (word >> top))


@kernel
def unzigzag(folded: Array, words: Array) -> None:
    """Undo `zigzag`."""
    one = words.dtype.type(1)
    for index in range(words.size):
        word = folded[index]
        words[index] = (word >> one) ^ (words.dtype.type(0) - (word & one))


@kernel
def signmagnitude(words: Array, turned: Array) -> None:
    """Negate all bits below the top one of the words that have it, in arithmetic; it undoes itself.

    The lowest number has no magnitude in one bit less: it becomes, and comes from, minus zero.
    """
    top = words.dtype.type(8 * words.itemsize - 1)
    low = words.dtype.type((1 << (8 * words.itemsize - 1)) - 1)
    for index in range(words.size):
        word = words[index]
        sign = word >> top
        magnitude = ((word ^ (words.dtype.type(0) - sign)) + sign) & low
        turned[index] = magnitude | (sign << top)
