"""Table ANS over bytes: one look-up a symbol, and fractions of bits that Huffman has to round.

Four states take turns, so that a processor follows four chains of dependent look-ups at once. A chunk is
coded from its last byte to its first; so bits are read from the end of the stream to its beginning.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import width_of
from tensorcodecs.kernels.bits import read_bits, write_bits
from tensorcodecs.kernels.frequencies import (
    ABSENT,
    TOTAL,
    TOTAL_BITS,
    Counts,
    frequencies,
    levels_of,
    read_levels,
    write_levels,
)
from tensorcodecs.kernels.memory import LIKE_U64, as_index, as_int, load, store

CHUNK_BYTES = 1 << 16
CHUNK_CODED_BYTES_MIN = 2
SLACK_BYTES = CHUNK_BYTES + 1024
"""What coding a chunk may write past its raw size before it is seen not to shrink."""
LOAD_BYTES = 16
"""What decoding may read behind the end, and more."""
STORED, RUN, CODED = 0, 1, 2
N_SYMBOLS = 256
N_STATES = 4
_SIZE_BITS = 20
_STEP = (TOTAL >> 1) + (TOTAL >> 3) + 3
_GROUP_BITS = N_STATES * TOTAL_BITS
_ONE = np.uint64(1)

Table: TypeAlias = npt.NDArray[np.uint32]


@kernel
def tans_encode(raw: Bytes, out: Bytes) -> int:
    """Write the chunks of `raw` to `out` and return the bytes used.

    `out` has room for `raw`, one byte more for each chunk, and SLACK_BYTES.
    """
    counts = np.empty(N_SYMBOLS, np.int64)
    at = as_int(0)
    for start in range(0, raw.size, CHUNK_BYTES):
        chunk = raw[start : start + CHUNK_BYTES]
        _count(chunk, counts)
        if counts[chunk[0]] == chunk.size:
            out[at] = RUN
            out[at + 1] = chunk[0]
            at += 2
            continue
        end = _encode_chunk(chunk, counts, out, at)
        if end - at > chunk.size:
            out[at] = STORED
            end = _copy(chunk, 0, out[at + 1 : at + 1 + chunk.size]) + at + 1
        at = end
    return at


@kernel
def _count(chunk: Bytes, counts: Counts) -> None:
    for symbol in range(N_SYMBOLS):
        counts[symbol] = 0
    for value in chunk:
        counts[value] += 1


@kernel
def _copy(source: Bytes, at: int, target: Bytes) -> int:
    """Fill `target` from `source` at `at`; return where that ends."""
    part = source[at : at + target.size]
    for index in range(target.size):
        target[index] = part[index]
    return at + target.size


@kernel
def _encode_chunk(chunk: Bytes, counts: Counts, out: Bytes, at: int) -> int:
    """Write one coded chunk and return where it ends; far too long where it would surely not shrink."""
    levels = np.empty(N_SYMBOLS, np.int64)
    frequency = np.empty(N_SYMBOLS, np.int64)
    levels_of(counts, N_SYMBOLS, chunk.size, levels)
    _frequencies_of(levels, frequency)
    n_bits = 0.0
    for symbol in range(N_SYMBOLS):
        if counts[symbol] > 0:
            n_bits += counts[symbol] * math.log2(TOTAL / frequency[symbol])
    if n_bits >= 8 * chunk.size:
        return at + 2 * chunk.size + 2
    out[at] = CODED
    cursor = np.full(1, 8 * (at + 1), np.int64)
    write_levels(levels, out, cursor)
    head_at = as_int((cursor[0] + 7) >> 3)
    stream_at = head_at + (_SIZE_BITS + _GROUP_BITS + 7) // 8
    states = np.full(N_STATES, TOTAL, np.uint64)
    bits = _write_stream(chunk, frequency, states, out, stream_at)
    cursor[0] = 8 * head_at
    write_bits(out, cursor, bits, _SIZE_BITS)
    for state in states:
        write_bits(out, cursor, as_int(state) - TOTAL, TOTAL_BITS)
    return stream_at + ((bits + 7) >> 3)


@kernel
def _frequencies_of(levels: Counts, frequency: Counts) -> None:
    groups = np.zeros(N_SYMBOLS, np.uint8)
    frequencies(levels, groups, np.full(1, ABSENT, np.int64), TOTAL, frequency)


@kernel
def _spread(frequency: Counts, symbols: Bytes) -> None:
    """Fill `symbols` with the one of every state: RFC 8878's walk through the table, which meets all once."""
    place = 0
    for symbol in range(N_SYMBOLS):
        for _ in range(frequency[symbol]):
            symbols[place] = symbol
            place = (place + _STEP) & (TOTAL - 1)


@kernel
def _encoding_tables(
    frequency: Counts, successors: Table, offsets: Counts, thresholds: npt.NDArray[np.uint64]
) -> None:
    """Fill what each symbol needs.

    A state plus the symbol's threshold has in its bits from 16 on how many bits to write; what is left of
    the state, plus the symbol's offset, is the place of its successor.
    """
    symbols = np.empty(TOTAL, np.uint8)
    _spread(frequency, symbols)
    begins = np.empty(N_SYMBOLS, np.int64)
    total = as_int(0)
    for symbol in range(N_SYMBOLS):
        n = frequency[symbol]
        begins[symbol] = total
        offsets[symbol] = total - n
        bits_max = TOTAL_BITS - width_of(np.uint64(max(n - 1, 0) >> 1))
        if n == 1:
            bits_max = TOTAL_BITS
        thresholds[symbol] = np.uint64((bits_max << 16) - (n << bits_max))
        total += n
    for place in range(TOTAL):
        symbol = symbols[place]
        successors[begins[symbol]] = TOTAL + place
        begins[symbol] += 1


@kernel
def _write_stream(
    chunk: Bytes, frequency: Counts, states: npt.NDArray[np.uint64], out: Bytes, at: int
) -> int:
    """Write the bits of `chunk` from byte `at` on, leave the last `states`; the bits written."""
    successors = np.empty(TOTAL, np.uint32)
    offsets = np.empty(N_SYMBOLS, np.int64)
    thresholds = np.empty(N_SYMBOLS, np.uint64)
    _encoding_tables(frequency, successors, offsets, thresholds)
    begin = at
    word, n_waiting = np.uint64(0), np.uint64(0)
    whole = chunk.size // N_STATES * N_STATES
    for first in range(whole, -1, -N_STATES):
        for turn in range(min(N_STATES, chunk.size - first) - 1, -1, -1):
            symbol = chunk[first + turn]
            state = states[turn]
            n_bits = (state + thresholds[symbol]) >> np.uint64(16)
            word |= (state & ((_ONE << n_bits) - _ONE)) << n_waiting
            n_waiting += n_bits
            states[turn] = successors[as_int(state >> n_bits) + offsets[symbol]]
        store(out, at, word)
        at += as_int(n_waiting >> np.uint64(3))
        word >>= n_waiting & np.uint64(0x38)
        n_waiting &= np.uint64(7)
    return 8 * (at - begin) + as_int(n_waiting)


@kernel
def tans_decode(data: Bytes, n_bytes: int, raw: Bytes) -> int:
    """Fill `raw` from the chunks in the first `n_bytes` of `data`, LOAD_BYTES behind them.

    Returns the bytes read, or -1 where a chunk is not valid.
    """
    table = np.empty(TOTAL, np.uint32)
    at = as_int(0)
    for start in range(0, raw.size, CHUNK_BYTES):
        chunk = raw[start : start + CHUNK_BYTES]
        if at + CHUNK_CODED_BYTES_MIN > n_bytes:
            return -1
        kind = data[at]
        at += 1
        if kind == STORED:
            if at + chunk.size > n_bytes:
                return -1
            at = _copy(data, at, chunk)
        elif kind == RUN:
            for index in range(chunk.size):
                chunk[index] = data[at]
            at += 1
        elif kind == CODED:
            at = _decode_chunk(data, at, n_bytes, table, chunk)
        else:
            return -1
        if at < 0:
            return -1
    return at


@kernel
def _decode_chunk(data: Bytes, at: int, n_bytes: int, table: Table, chunk: Bytes) -> int:
    """Fill `chunk` from the levels, states and bits at `at`; return where they end, or -1."""
    levels = np.empty(N_SYMBOLS, np.int64)
    frequency = np.empty(N_SYMBOLS, np.int64)
    cursor = np.full(1, 8 * at, np.int64)
    if not read_levels(data, cursor, levels):
        return -1
    _frequencies_of(levels, frequency)
    _decoding_table(frequency, table)
    cursor[0] = (cursor[0] + 7) >> 3 << 3
    n_bits = read_bits(data, cursor, _SIZE_BITS)
    states = np.empty(N_STATES, np.uint64)
    for turn in range(N_STATES):
        states[turn] = read_bits(data, cursor, TOTAL_BITS)
    stream_at = as_int((cursor[0] + 7) >> 3)
    end = stream_at + ((n_bits + 7) >> 3)
    if end > n_bytes:
        return -1
    index, left = _read_groups(data, stream_at, n_bits, table, states, chunk)
    if not _read_rest(data, stream_at, left, table, states, chunk, index):
        return -1
    return end


@kernel
def _decoding_table(frequency: Counts, table: Table) -> None:
    """Fill `table`: symbol in bits 0 to 7, number of bits to read in 8 to 15, what to add them to above."""
    symbols = np.empty(TOTAL, np.uint8)
    _spread(frequency, symbols)
    nexts = frequency.copy()
    for place in range(TOTAL):
        symbol = as_int(symbols[place])
        state = nexts[symbol]
        nexts[symbol] += 1
        n_bits = TOTAL_BITS + 1 - width_of(np.uint64(state))
        table[place] = symbol | n_bits << 8 | ((state << n_bits) - TOTAL) << 16


@kernel
def _read_groups(
    data: Bytes, at: int, left: int, table: Table, states: npt.NDArray[np.uint64], chunk: Bytes
) -> tuple[int, int]:
    """Fill `chunk` by groups of four while `left` bits surely suffice; the next index and what is left."""
    state_0, state_1, state_2, state_3 = states[0], states[1], states[2], states[3]
    index = 0
    while index + N_STATES <= chunk.size and left >= _GROUP_BITS:
        base = (left - _GROUP_BITS) >> 3
        window = load(data, at + base, LIKE_U64)
        place = np.uint64(left - 8 * base)
        state_0, place = _step(table, state_0, window, place, chunk, index)
        state_1, place = _step(table, state_1, window, place, chunk, index + 1)
        state_2, place = _step(table, state_2, window, place, chunk, index + 2)
        state_3, place = _step(table, state_3, window, place, chunk, index + 3)
        left = 8 * base + as_int(place)
        index += N_STATES
    states[0], states[1], states[2], states[3] = state_0, state_1, state_2, state_3
    return index, left


@kernel
def _step(
    table: Table, state: np.uint64, window: np.uint64, place: np.uint64, chunk: Bytes, index: int
) -> tuple[np.uint64, np.uint64]:
    """Put the symbol of `state` at `index`; the next state and the place below its bits."""
    entry = np.uint64(table[as_index(state)])
    n_bits = (entry >> np.uint64(8)) & np.uint64(0xFF)
    place -= n_bits
    chunk[as_index(index)] = np.uint8(entry & np.uint64(0xFF))
    return (entry >> np.uint64(16)) + ((window >> place) & ((_ONE << n_bits) - _ONE)), place


@kernel
def _read_rest(
    data: Bytes, at: int, left: int, table: Table, states: npt.NDArray[np.uint64], chunk: Bytes, index: int
) -> bool:
    """Fill `chunk` from `index` on; False unless bits and states end as an encoder began them."""
    while index < chunk.size:
        turn = index % N_STATES
        n_bits = as_int(table[as_int(states[turn])] >> 8) & 0xFF
        if n_bits > left:
            return False
        left -= n_bits
        window = load(data, at + (left >> 3), LIKE_U64)
        place = np.uint64((left & 7) + n_bits)
        states[turn], place = _step(table, states[turn], window, place, chunk, index)
        index += 1
    return left == 0 and states[0] | states[1] | states[2] | states[3] == 0
