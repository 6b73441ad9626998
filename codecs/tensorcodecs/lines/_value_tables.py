"""Tables of frequent values and their Huffman codes: learning one, its bytes, and its book for the kernels.

A table: the number of values (2 bytes), for each and last for the escape the length of its code (4 bits
each, lowest first, filled to a byte), and the values (as few bytes each as hold their bits).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array
from tensorcodecs.lines.kernels.value_huffman import BOOK_SIZE, CODE_BITS_MAX, ENTRIES_MAX, fill_book


def learn_values(values: Array, value_bits: int, entries: int, count_min: int) -> bytes:
    """Return the table of the `entries` most frequent values (unsigned), ties to the smaller.

    Values that occur less than `count_min` times stay outside.
    """
    found, counts = np.unique(values, return_counts=True)
    kept = np.argsort(-counts, kind="stable")[: min(entries, ENTRIES_MAX)]
    kept = kept[counts[kept] >= count_min]
    inside = counts[kept].tolist()
    lengths = code_lengths([*inside, max(1, values.size - sum(inside))])
    nibbles = sum(length << 4 * index for index, length in enumerate(lengths))
    packed = nibbles.to_bytes(len(lengths) + 1 >> 1, "little")
    value_bytes = -(-value_bits // 8)
    raw = found[kept].astype("<u8").view(np.uint8).reshape(-1, 8)[:, :value_bytes].tobytes()
    return len(inside).to_bytes(2, "little") + packed + raw


def code_lengths(counts: list[int]) -> list[int]:
    """Return the lengths of a complete code for symbols with these counts, all above 0, of at most 15 bits.

    Huffman's; too long ones are cut to 15 bits and the shortest of the others, the rarest first, made longer.
    """
    if len(counts) == 1:
        return [0]
    rarest = sorted(range(len(counts)), key=counts.__getitem__)
    lengths = [0] * len(counts)
    for symbol, depth in zip(rarest, _depths([counts[symbol] for symbol in rarest]), strict=True):
        lengths[symbol] = min(depth, CODE_BITS_MAX)
    return _limited(lengths, rarest)


def _depths(weights: list[int]) -> list[int]:
    """Return the depths of the leaves of Huffman's tree over ascending weights; among equals leaves go first.

    Merged nodes ascend too, so the lightest of all is always the next of one of two rows.
    """
    n_leaves, n_nodes = len(weights), 2 * len(weights) - 1
    weights = [*weights]
    parents = [0] * n_nodes
    leaf, merged = 0, n_leaves
    for node in range(n_leaves, n_nodes):
        weight = 0
        for _ in range(2):
            if leaf < n_leaves and (merged == node or weights[leaf] <= weights[merged]):
                lightest, leaf = leaf, leaf + 1
            else:
                lightest, merged = merged, merged + 1
            parents[lightest] = node
            weight += weights[lightest]
        weights.append(weight)
    depths = [0] * n_nodes
    for node in range(n_nodes - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return depths[:n_leaves]


def _limited(lengths: list[int], rarest: list[int]) -> list[int]:
    """Make the lengths, none above 15 bits, those of a complete code."""
    room = (1 << CODE_BITS_MAX) - sum(1 << CODE_BITS_MAX - length for length in lengths)
    while room < 0:
        symbol = next(s for s in rarest if lengths[s] < CODE_BITS_MAX)
        lengths[symbol] += 1
        room += 1 << CODE_BITS_MAX - lengths[symbol]
    for symbol in reversed(rarest):
        while room >= 1 << CODE_BITS_MAX - lengths[symbol]:
            room -= 1 << CODE_BITS_MAX - lengths[symbol]
            lengths[symbol] -= 1
    return lengths


def read_table(table: bytes, at: int, value_bits: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return the book (int64[BOOK_SIZE]) of the table at byte `at`, and where it ends.

    Raises ValueError where it is no table.
    """
    n, value_bytes = int.from_bytes(table[at : at + 2], "little"), -(-value_bits // 8)
    values_at = at + 2 + (n + 2 >> 1)
    end = values_at + n * value_bytes
    if end > len(table) or n > ENTRIES_MAX:
        raise ValueError(f"{len(table)} bytes hold no table of {n} values")
    nibbles = np.frombuffer(table, np.uint8, values_at - at - 2, at + 2)
    lengths = np.stack((nibbles & 15, nibbles >> 4), axis=1).reshape(-1)[: n + 1].astype(np.int64)
    padded = np.zeros((n, 8), np.uint8)
    padded[:, :value_bytes] = np.frombuffer(table[values_at:end], np.uint8).reshape(n, value_bytes)
    values = padded.view("<i8").reshape(-1).astype(np.int64)
    book = np.zeros(BOOK_SIZE, np.int64)
    if values.max(initial=0) >> value_bits or not fill_book(values, lengths, value_bits, book):
        raise ValueError("the table's lengths are no complete code, or its values no different ones")
    return book, end
