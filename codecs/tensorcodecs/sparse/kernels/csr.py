"""Compressed sparse rows: relative column indices of few bits, and zeros as fillers in longer gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int


@kernel
def count_entries(words: Array, n_columns: int, gap_max: int, ends: npt.NDArray[np.int64]) -> int:
    """Fill `ends` (int64[rows]) with the number of entries up to each row's end; return that of all."""
    n_entries = 0
    for row in range(ends.size):
        gap = 0
        for word in words[row * n_columns : (row + 1) * n_columns]:
            if word != 0:
                n_entries += 1 + gap // (gap_max + 1)
                gap = 0
            else:
                gap += 1
        ends[row] = n_entries
    return n_entries


@kernel
def take_entries(words: Array, n_columns: int, gap_max: int, gaps: Bytes, values: Array) -> None:
    """Fill `gaps` with the zeros before each entry and `values` with the entries, fillers among them."""
    to = 0
    for start in range(0, words.size, n_columns):
        gap = 0
        for word in words[start : start + n_columns]:
            if word != 0:
                while gap > gap_max:
                    gaps[to] = gap_max
                    values[to] = 0
                    to += 1
                    gap -= gap_max + 1
                gaps[to] = gap
                values[to] = word
                to += 1
                gap = 0
            else:
                gap += 1


@kernel
def put_entries(
    gaps: Bytes, values: Array, n_columns: int, ends: npt.NDArray[np.int64], words: Array
) -> bool:
    """Put the entries into `words`, zeros at first; return False where they do not fit the rows."""
    entry = 0
    for row in range(ends.size):
        column = row * n_columns
        row_end = min(column + n_columns, words.size)
        if ends[row] < entry or ends[row] > values.size:
            return False
        while entry < ends[row]:
            column += as_int(gaps[entry])
            if column >= row_end:
                return False
            words[column] = values[entry]
            column += 1
            entry += 1
    return entry == values.size


@kernel
def pack_bits(numbers: Bytes, n_bits: int, out: Bytes) -> None:
    """Write the low `n_bits` bits of each number to `out`, zeros at first, bits counted from the lowest."""
    for index in range(numbers.size):
        bit = index * n_bits
        shifted = as_int(numbers[index]) << (bit & 7)
        out[bit >> 3] |= shifted & 0xFF
        if shifted > 0xFF:
            out[(bit >> 3) + 1] |= shifted >> 8


@kernel
def unpack_bits(data: Bytes, n_bits: int, numbers: Bytes) -> None:
    """Undo `pack_bits`."""
    for index in range(numbers.size):
        bit = index * n_bits
        number = as_int(data[bit >> 3])
        if (bit & 7) + n_bits > 8:
            number |= as_int(data[(bit >> 3) + 1]) << 8
        numbers[index] = number >> (bit & 7) & ((1 << n_bits) - 1)
