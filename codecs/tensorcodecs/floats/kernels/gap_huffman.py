"""Huffman codes as massively parallel decoders read them: one stream, eight bytes of it for each thread.

Beside the stream stand, for each thread, how many bits of its part belong to the thread before (its gap),
and for each block of threads, how many symbols come before it. Codes are read from tables of 256 entries
each, a chain of them for codes of more than eight bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.huffman_chunks import histogram
from tensorcodecs.kernels.huffman_code import N_SYMBOLS, canonical_codes, code_lengths
from tensorcodecs.kernels.memory import as_int

THREAD_BITS = 64
BLOCK_THREADS = 512
BLOCK_BITS = THREAD_BITS * BLOCK_THREADS
POINTER_MIN = 240
"""Entries from here on lead to table 256 - entry; symbols are below."""
N_TABLES_MAX = N_SYMBOLS - POINTER_MIN + 2
_BYTE = 0xFF


@kernel
def gap_code(symbols: Bytes, tables: Bytes, codes: npt.NDArray[np.int64]) -> int:
    """Fill `tables` (uint8[N_TABLES_MAX, 256]) and `codes` (int64[256], first bit highest) for `symbols`.

    Returns the number of tables, the last of which holds the lengths, or 0 where there would be too many.
    """
    counts = np.empty(N_SYMBOLS, np.int64)
    lengths = np.empty(N_SYMBOLS, np.uint8)
    reversed_codes = np.empty(N_SYMBOLS, np.uint64)
    histogram(symbols, counts)
    for symbol in range(POINTER_MIN, N_SYMBOLS):
        if counts[symbol] > 0:
            return 0
    # A code needs two symbols.
    counts[symbols[0] ^ 1] += counts[symbols[0]] == symbols.size
    code_lengths(counts, lengths)
    canonical_codes(lengths, reversed_codes)
    n_tables = 1
    for symbol in range(N_SYMBOLS):
        bits = as_int(lengths[symbol])
        code = as_int(0)
        for place in range(bits):
            code = code << 1 | (as_int(reversed_codes[symbol]) >> place & 1)
        codes[symbol] = code
        if bits > 8:
            n_tables = _add_long(symbol, code, bits, tables, n_tables)
            if n_tables > N_TABLES_MAX - 1:
                return 0
        elif bits > 0:
            for entry in range(code << (8 - bits), (code + 1) << (8 - bits)):
                tables[0, entry] = symbol
    for symbol in range(N_SYMBOLS):
        tables[n_tables, symbol] = lengths[symbol]
    return n_tables + 1


@kernel
def _add_long(symbol: int, code: int, bits: int, tables: Bytes, n_tables: int) -> int:
    """Enter a code of 9 to 16 bits, in a new table if its first eight bits have none; return their number."""
    prefix = code >> (bits - 8)
    if tables[0, prefix] < POINTER_MIN:
        if n_tables == N_TABLES_MAX - 1:
            return n_tables + 1
        tables[0, prefix] = N_SYMBOLS - n_tables
        n_tables += 1
    table = N_SYMBOLS - as_int(tables[0, prefix])
    rest = code & ((1 << (bits - 8)) - 1)
    for entry in range(rest << (16 - bits), (rest + 1) << (16 - bits)):
        tables[table, entry] = symbol
    return n_tables


@kernel
def gap_encode(
    symbols: Bytes,
    lengths: Bytes,
    codes: npt.NDArray[np.int64],
    stream: Bytes,
    gaps: Bytes,
    positions: npt.NDArray[np.int64],
) -> int:
    """Write the stream, the gap of every thread and the position of every block; return the stream's bytes.

    `gaps` and `positions` are zeros at first, with room for all threads and blocks that there may be.
    """
    bit = 0
    n_threads = 0
    n_blocks = 0
    held = as_int(0)
    for index in range(symbols.size):
        if bit >= n_threads * THREAD_BITS:
            gaps[n_threads] = bit - n_threads * THREAD_BITS
            n_threads += 1
        if bit >= n_blocks * BLOCK_BITS:
            positions[n_blocks] = index
            n_blocks += 1
        symbol = symbols[index]
        held = held << as_int(lengths[symbol]) | codes[symbol]
        before = bit >> 3
        bit += as_int(lengths[symbol])
        for at in range(before, bit >> 3):
            stream[at] = held >> (bit - 8 * (at + 1)) & _BYTE
        held &= (1 << (bit & 7)) - 1
    if bit & 7:
        stream[bit >> 3] = held << (8 - (bit & 7)) & _BYTE
    return (bit + 7) >> 3


@kernel
def gap_decode(
    stream: Bytes, tables: Bytes, gaps: Bytes, positions: npt.NDArray[np.int64], symbols: Bytes
) -> int:
    """Fill `symbols` and return the bytes read, or -1 where stream, tables, gaps or positions disagree."""
    n_tables = tables.shape[0]
    bit = 0
    n_threads = 0
    n_blocks = 0
    for index in range(symbols.size):
        if bit >= n_threads * THREAD_BITS:
            if n_threads >= gaps.size or gaps[n_threads] != bit - n_threads * THREAD_BITS:
                return -1
            n_threads += 1
        if bit >= n_blocks * BLOCK_BITS:
            if n_blocks >= positions.size or positions[n_blocks] != index:
                return -1
            n_blocks += 1
        window = as_int(0)
        for ahead in range(3):
            window <<= 8
            if (bit >> 3) + ahead < stream.size:
                window |= as_int(stream[(bit >> 3) + ahead])
        window = window >> (8 - (bit & 7)) & 0xFFFF
        entry = as_int(tables[0, window >> 8])
        if entry >= POINTER_MIN:
            if N_SYMBOLS - entry >= n_tables - 1:
                return -1
            entry = as_int(tables[N_SYMBOLS - entry, window & _BYTE])
        n_bits = as_int(tables[n_tables - 1, entry])
        if n_bits == 0 or n_bits > 16:
            return -1
        symbols[index] = entry
        bit += n_bits
        if bit > 8 * stream.size:
            return -1
    return (bit + 7) >> 3
