"""Canonical Huffman codes of limited length: lengths from counts, codes and decoding table from lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int

CODE_BITS_MAX = 11
"""Five codes fit the 57 bits that one unaligned load is sure to give, and the decoding table 4 KiB."""
N_SYMBOLS = 256
_SHELL_GAPS = (57, 23, 10, 4, 1)
_SYMBOL_BITS = 8


@kernel
def code_lengths(counts: npt.NDArray[np.int64], lengths: Bytes) -> int:
    """Fill `lengths` (uint8[256], 0 = absent) with the best code of at most CODE_BITS_MAX bits.

    Package-merge (Larmore and Hirschberg, J. ACM 1990) over `counts` (int64[256], at least two non-zero).
    Returns the number of symbols present.
    """
    keys = _sorted_keys(counts)
    n = keys.size
    weights = np.empty(n, np.int64)
    for leaf in range(n):
        weights[leaf] = keys[leaf] >> _SYMBOL_BITS
    is_leaf = np.zeros((CODE_BITS_MAX, 2 * N_SYMBOLS), np.uint8)
    for item in range(n):
        is_leaf[0, item] = 1
    previous = weights
    for level in range(1, CODE_BITS_MAX):
        n_packages = previous.size // 2
        merged = np.empty(n + n_packages, np.int64)
        leaf = 0
        package = 0
        for item in range(merged.size):
            packed = previous[2 * package] + previous[2 * package + 1] if package < n_packages else 0
            if package == n_packages or (leaf < n and weights[leaf] <= packed):
                merged[item] = weights[leaf]
                is_leaf[level, item] = 1
                leaf += 1
            else:
                merged[item] = packed
                package += 1
        previous = merged
    for symbol in range(N_SYMBOLS):
        lengths[symbol] = 0
    n_items = 2 * n - 2
    for level in range(CODE_BITS_MAX - 1, -1, -1):
        n_leaves = 0
        for item in range(n_items):
            n_leaves += is_leaf[level, item]
        for leaf in range(n_leaves):
            lengths[keys[leaf] & (N_SYMBOLS - 1)] += 1
        n_items = 2 * (n_items - n_leaves)
    return n


@kernel
def _sorted_keys(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return count << 8 | symbol of the symbols present, ascending (Shell sort: quick to compile, too)."""
    keys = np.empty(N_SYMBOLS, np.int64)
    n = 0
    for symbol in range(N_SYMBOLS):
        if counts[symbol] > 0:
            keys[n] = counts[symbol] << _SYMBOL_BITS | symbol
            n += 1
    for gap in _SHELL_GAPS:
        for index in range(gap, n):
            key = keys[index]
            place = index
            while place >= gap and keys[place - gap] > key:
                keys[place] = keys[place - gap]
                place -= gap
            keys[place] = key
    return keys[:n]


@kernel
def canonical_codes(lengths: Bytes, codes: npt.NDArray[np.uint64]) -> bool:
    """Fill `codes` (uint64[256]) with each symbol's code, its first bit lowest, as the stream holds it.

    Codes ascend by (length, symbol). Returns False where the lengths are no complete code.
    """
    n_of_length = np.zeros(CODE_BITS_MAX + 2, np.int64)
    for symbol in range(N_SYMBOLS):
        if lengths[symbol] > CODE_BITS_MAX:
            return False
        n_of_length[lengths[symbol]] += 1
    n_of_length[0] = 0
    first = np.zeros(CODE_BITS_MAX + 2, np.int64)
    for bits in range(1, CODE_BITS_MAX + 1):
        first[bits + 1] = (first[bits] + n_of_length[bits]) << 1
    if first[CODE_BITS_MAX + 1] != 2 << CODE_BITS_MAX:
        return False
    for symbol in range(N_SYMBOLS):
        bits = lengths[symbol]
        code = first[bits]
        first[bits] += 1
        reverse = 0
        for _ in range(bits):
            reverse = reverse << 1 | code & 1
            code >>= 1
        codes[symbol] = reverse
    return True


@kernel
def decoding_table(lengths: Bytes, codes: npt.NDArray[np.uint64], table: npt.NDArray[np.uint16]) -> None:
    """Fill `table` (uint16[2 ** CODE_BITS_MAX]) with symbol | length << 8 for every CODE_BITS_MAX bits."""
    for symbol in range(N_SYMBOLS):
        bits = as_int(lengths[symbol])
        if bits > 0:
            for index in range(as_int(codes[symbol]), table.size, 1 << bits):
                table[index] = symbol | bits << _SYMBOL_BITS
