"""ShapeShifter's groups of words: a mark for each that is not zero, and one width for those."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import width_of
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put

GROUP = 16
"""Words that share a width; a line of fewer is one group."""
_ONE = np.uint64(1)


@kernel
def line_bits(lines: Array) -> npt.NDArray[np.int32]:
    """Return the bits of every line, a row of uint8, uint16 or uint32 words."""
    bits = np.empty(lines.shape[0], np.int32)
    words, line_words, n = lines.reshape(-1), lines.shape[1], min(GROUP, lines.shape[1])
    for line in range(bits.size):
        total = 0
        for at in range(line * line_words, (line + 1) * line_words, n):
            _, width, others = _measured(words, at, n)
            total += n
            if others:
                total += _head_bits(words) + others * width
        bits[line] = total
    return bits


@kernel
def pack_lines(lines: Array, out: Bytes) -> int:
    """Write the lines to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    words, n = lines.reshape(-1), min(GROUP, lines.shape[1])
    bit = 0
    for at in range(0, words.size, n):
        is_signed, width, others = _measured(words, at, n)
        for i in range(n):
            bit = put(out, bit, np.uint64(words[at + i] != 0), 1)
        if others == 0:
            continue
        bit = put(out, bit, np.uint64(is_signed), 1)
        bit = put(out, bit, np.uint64(width - 1), _head_bits(words) - 1)
        for i in range(n):
            word = words[at + i]
            if word != 0:
                bit = put(out, bit, np.uint64(_folded(words, word) if is_signed else word), width)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, lines: Array) -> int:
    """Fill the lines and return the bits read, or -1 where a group ends behind `n_bits` or is not valid."""
    words, n = lines.reshape(-1), min(GROUP, lines.shape[1])
    bit = 0
    for at in range(0, words.size, n):
        if bit + n > n_bits:
            return -1
        marks = get(data, bit, n)
        bit += n
        words[at : at + n] = 0
        if marks == 0:
            continue
        if bit + _head_bits(words) > n_bits:
            return -1
        is_signed = get(data, bit, 1) != 0
        width = 1 + as_int(get(data, bit + 1, _head_bits(words) - 1))
        bit += _head_bits(words)
        for i in range(n):
            if (marks >> np.uint64(i)) & _ONE == 0:
                continue
            if bit + width > n_bits:
                return -1
            coded = get(data, bit, width)
            bit += width
            words[at + i] = _unfolded(coded) if is_signed else coded
            if coded == 0:
                return -1
    return bit


@kernel
def _measured(words: Array, at: int, n: int) -> tuple[bool, int, int]:
    """Whether any of the n words at `at` has its top bit, the width of the widest, and how many are not 0."""
    zero = words.dtype.type(0)
    any_bit, any_folded, others = zero, zero, 0
    for i in range(at, at + n):
        any_bit = words.dtype.type(any_bit | words[i])
        any_folded = words.dtype.type(any_folded | _folded(words, words[i]))
        others += as_int(words[i] != zero)
    is_signed = np.uint64(any_bit) >> np.uint64(8 * words.itemsize - 1) != 0
    return is_signed, width_of(np.uint64(any_folded) if is_signed else np.uint64(any_bit)), others


@kernel
def _head_bits(words: Array) -> int:
    """The mark of signed words, and the width less 1: 4, 5 or 6 bits."""
    return 3 + width_of(np.uint64(words.itemsize))


@kernel
def _folded(words: Array, word: Any) -> Any:  # noqa: ANN401 - as wide as the words
    """0, 1, 2, 3, ... for the words 0, -1, 1, -2, ... in two's complement."""
    one, top = words.dtype.type(1), words.dtype.type(8 * words.itemsize - 1)
    return words.dtype.type((word << one) ^ (words.dtype.type(0) - (word >> top)))


@kernel
def _unfolded(coded: np.uint64) -> np.uint64:
    """Undo `_folded`; bits above the word's are not meaningful."""
    return (coded >> _ONE) ^ (np.uint64(0) - (coded & _ONE))
