"""SC2's tables: frequent 32-bit values with canonical codes, as bytes and as the kernels want them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tensorcodecs.lines._canonical import Numbers, code_infos, length_counts
from tensorcodecs.lines.kernels import sc2
from tensorcodecs.lines.kernels.canonical import LENGTH_BITS_MAX
from tensorcodecs.lines.learned import Book

VALUES_MAX = 1024
_HEAD_BYTES = 2 * LENGTH_BITS_MAX + 1


def value_table(
    values: Numbers, counts: Numbers, n_words: int, code_lengths: Callable[[Numbers], Numbers]
) -> tuple[int, bytes]:
    """The bits that the words and the table take, and the table, with codes of `code_lengths` of counts."""
    escapes = n_words - int(counts.sum())
    symbols = np.append(values.astype(np.int64), sc2.ESCAPE)
    lengths = code_lengths(np.append(counts, max(1, escapes)).astype(np.int64))
    order = np.lexsort((symbols, lengths))
    head = length_counts(lengths)[1:].astype("<u2").tobytes() + bytes([int(lengths[-1])])
    in_order = symbols[order]
    table = head + in_order[in_order != sc2.ESCAPE].astype("<u4").tobytes()
    n_bits = int((counts * lengths[:-1]).sum()) + escapes * (sc2.RAW_BITS + int(lengths[-1]))
    return n_bits + 8 * len(table), table


def read_table(table: bytes) -> Book:
    """Return the book of a table; ValueError where it is not valid."""
    n_values, rest = divmod(len(table) - _HEAD_BYTES, 4)
    if rest or not 1 <= n_values <= VALUES_MAX:
        raise ValueError(f"{len(table)} bytes are no table of 1 to {VALUES_MAX} values")
    n_of_length = np.frombuffer(table, "<u2", LENGTH_BITS_MAX).astype(np.int64)
    escape_length = table[_HEAD_BYTES - 1]
    if n_of_length.sum() != n_values + 1 or not 1 <= escape_length <= LENGTH_BITS_MAX:
        raise ValueError("the table's lengths are not as many as its values and the escape")
    lengths = np.repeat(np.arange(1, LENGTH_BITS_MAX + 1), n_of_length)
    if escape_length not in lengths:
        raise ValueError(f"no code of the table has the escape's {escape_length} bits")
    values = np.frombuffer(table, "<u4", offset=_HEAD_BYTES).astype(np.int64)
    escape_rank = int(np.searchsorted(lengths, escape_length, side="right")) - 1
    symbols = np.insert(values, escape_rank, sc2.ESCAPE)
    if not (np.diff(lengths << 33 | symbols) > 0).all() or np.unique(values).size != n_values:
        raise ValueError("the table's values do not ascend, or one is there twice")
    return _book(symbols, lengths, escape_rank)


def _book(symbols: Numbers, lengths: Numbers, escape_rank: int) -> Book:
    all_bits = lengths + np.where(symbols == sc2.ESCAPE, sc2.RAW_BITS, 0)
    infos = code_infos(lengths) | all_bits << sc2.ALL_BITS_AT
    log2_slots = int(symbols.size).bit_length() + 1  # at most half of the slots are taken
    keys = np.full(1 << log2_slots, sc2.EMPTY, np.int64)
    slot_infos = np.full(keys.size, infos[escape_rank], np.int64)
    sc2.fill_slots(symbols, infos, log2_slots, keys, slot_infos)
    counts = length_counts(lengths)
    return np.concatenate((counts, [symbols.size, log2_slots], symbols, keys, slot_infos))
