"""The four streams of a Huffman chunk: written five codes at a time, read several symbols at a time.

Where codes are short, a decoder looks up not one symbol but as many as the bits of one table index hold.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.huffman_code import CODE_BITS_MAX, N_SYMBOLS
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store

N_STREAMS = 4
SIZE_BYTES = 2
"""A quarter of the largest chunk at CODE_BITS_MAX bits stays below 64 KiB."""
LENGTH_SHIFT = np.uint64(16)
"""For writing, a code and its length stand in one entry: length << 16 | code."""
_CODE = np.uint64(0xFFFF)
_PER_LOAD = 5
_MASK = np.uint64((1 << CODE_BITS_MAX) - 1)
_THREE = np.uint64(3)
_SEVEN = np.uint64(7)
# An entry of the table of runs: up to six symbols, then how many they are, then their bits.
_RUN_MAX = 6
_LAST_SHIFT = np.uint64(40)
_COUNT_SHIFT = np.uint64(48)
_BITS_SHIFT = np.uint64(56)
_BYTE = np.uint64(0xFF)
_SYMBOLS = np.uint64((1 << 48) - 1)
_ONE_SYMBOL = np.uint64(1 << 48)
_COUNT = np.uint64(0xFF << 48)
_FULL = np.uint64(_RUN_MAX << 48)
RUNS_SIZE = 2 << CODE_BITS_MAX
_AT_RUNS = np.uint64(1 << CODE_BITS_MAX)
# What five look-ups write at most, with the rubbish behind the last run.
_ROUND_MAX = 32
_ROUND_BITS_MAX = _PER_LOAD * CODE_BITS_MAX
# Above this many bits a symbol, runs are too short to pay for their table; so they are in short chunks.
_RUN_BITS_MAX = 6
_RUN_CHUNK_MIN = 1 << 14


@kernel
def write_streams(chunk: Bytes, codes: npt.NDArray[np.uint64], out: Bytes, at: int) -> int:
    """Write the sizes of the four streams, 16 bits each, and the streams; `codes` has length << 16 | code."""
    quarter = (chunk.size + N_STREAMS - 1) // N_STREAMS
    body = at + N_STREAMS * SIZE_BYTES
    for stream in range(N_STREAMS):
        first = min(stream * quarter, chunk.size)
        end = _write_stream(chunk[first : first + quarter], codes, out, body)
        out[at + SIZE_BYTES * stream] = (end - body) & 0xFF
        out[at + SIZE_BYTES * stream + 1] = (end - body) >> 8
        body = end
    return body


@kernel
def _write_stream(symbols: Bytes, codes: npt.NDArray[np.uint64], out: Bytes, at: int) -> int:
    bits = np.uint64(0)
    n_bits = np.uint64(0)
    index = 0
    while index + 8 <= symbols.size:
        # Joined in pairs, so that only the last step waits for the group before.
        eight = load(symbols, index, LIKE_U64)
        first, second = codes[eight & _BYTE], codes[eight >> np.uint64(8) & _BYTE]
        third, fourth = codes[eight >> np.uint64(16) & _BYTE], codes[eight >> np.uint64(24) & _BYTE]
        fifth = codes[eight >> np.uint64(32) & _BYTE]
        n_two = (first >> LENGTH_SHIFT) + (second >> LENGTH_SHIFT)
        n_four = n_two + (third >> LENGTH_SHIFT) + (fourth >> LENGTH_SHIFT)
        two = (first & _CODE) | (second & _CODE) << (first >> LENGTH_SHIFT)
        two_more = (third & _CODE) | (fourth & _CODE) << (third >> LENGTH_SHIFT)
        bits |= (two | two_more << n_two | (fifth & _CODE) << n_four) << n_bits
        n_bits += n_four + (fifth >> LENGTH_SHIFT)
        store(out, at, bits)
        at += as_int(n_bits >> _THREE)
        bits >>= n_bits & ~_SEVEN
        n_bits &= _SEVEN
        index += _PER_LOAD
    for last in range(index, symbols.size):
        entry = codes[symbols[last]]
        bits |= (entry & _CODE) << n_bits
        n_bits += entry >> LENGTH_SHIFT
        store(out, at, bits)
        at += as_int(n_bits >> _THREE)
        bits >>= n_bits & ~_SEVEN
        n_bits &= _SEVEN
    store(out, at, bits)
    return at + as_int((n_bits + _SEVEN) >> _THREE)


@kernel
def read_streams(
    data: Bytes,
    at: int,
    lengths: Bytes,
    codes: npt.NDArray[np.uint64],
    table: npt.NDArray[np.uint16],
    runs: npt.NDArray[np.uint64],
    chunk: Bytes,
) -> int:
    """Fill `chunk` and return where the last stream ends, or -1 where a stream does not end as stated.

    `table` is `decoding_table`'s; `runs` (uint64[RUNS_SIZE]) is `table_of_runs`' or begins with 0.
    """
    body = at + N_STREAMS * SIZE_BYTES
    if body > data.size:
        return -1
    quarter = (chunk.size + N_STREAMS - 1) // N_STREAMS
    bit = np.empty(N_STREAMS, np.int64)
    ends = np.empty(N_STREAMS, np.int64)
    to = np.empty(N_STREAMS, np.int64)
    end = body
    for stream in range(N_STREAMS):
        bit[stream] = end * 8
        to[stream] = min(stream * quarter, chunk.size)
        end += data[at + SIZE_BYTES * stream] + (as_int(data[at + SIZE_BYTES * stream + 1]) << 8)
        ends[stream] = end
    if end > data.size:
        return -1
    if chunk.size >= _RUN_CHUNK_MIN and (end - body) * 8 < chunk.size * _RUN_BITS_MAX:
        if not runs[0]:
            table_of_runs(lengths, codes, runs)
        _read_runs(data, runs, chunk, quarter, bit, to)
    else:
        _read_singles(data, table, chunk, quarter, bit, to)
    for stream in range(N_STREAMS):
        rest = chunk[to[stream] : max(to[stream], min((stream + 1) * quarter, chunk.size))]
        if _read_rest(data, bit[stream], table, rest) != ends[stream]:
            return -1
    return end


@kernel
def table_of_runs(lengths: Bytes, codes: npt.NDArray[np.uint64], runs: npt.NDArray[np.uint64]) -> None:
    """Fill `runs` (RUNS_SIZE) with the symbols that every index of CODE_BITS_MAX bits holds in full.

    The table of indices of n bits, made from those of fewer bits, stands at 2 ** n, and at 0 stands 1.
    """
    for index in range(runs.size):
        runs[index] = 0
    for n_bits in range(1, CODE_BITS_MAX + 1):
        for symbol in range(N_SYMBOLS):
            bits = as_int(lengths[symbol])
            if bits == 0 or bits > n_bits:
                continue
            first = np.uint64(symbol) | _ONE_SYMBOL | np.uint64(bits) << _BITS_SHIFT
            to = (1 << n_bits) + as_int(codes[symbol])
            rest = 1 << (n_bits - bits)
            for index in range(rest, 2 * rest):
                more = runs[index]
                if more & _COUNT >= _FULL:
                    last = more >> _LAST_SHIFT & _BYTE
                    more -= last << _LAST_SHIFT | _ONE_SYMBOL | np.uint64(lengths[last]) << _BITS_SHIFT
                runs[to] = first + ((more & _SYMBOLS) << np.uint64(8)) + (more & ~_SYMBOLS)
                to += 1 << bits
    runs[0] = 1


@kernel
def _read_runs(
    data: Bytes,
    runs: npt.NDArray[np.uint64],
    chunk: Bytes,
    quarter: int,
    bit: npt.NDArray[np.int64],
    to: npt.NDArray[np.int64],
) -> None:
    """Read most of the four streams, moving their positions `bit` and `to`."""
    last_bit = (data.size - 8) * 8
    while True:
        n_rounds = as_int(chunk.size)
        for stream in range(N_STREAMS):
            room = min((stream + 1) * quarter, chunk.size) - to[stream]
            n_rounds = min(n_rounds, room // _ROUND_MAX, (last_bit - bit[stream]) // _ROUND_BITS_MAX)
        if n_rounds <= 0:
            return
        bit_0, bit_1, bit_2, bit_3 = bit[0], bit[1], bit[2], bit[3]
        to_0, to_1, to_2, to_3 = to[0], to[1], to[2], to[3]
        for _ in range(n_rounds):
            bits_0 = load(data, bit_0 >> 3, LIKE_U64) >> np.uint64(bit_0 & 7)
            bits_1 = load(data, bit_1 >> 3, LIKE_U64) >> np.uint64(bit_1 & 7)
            bits_2 = load(data, bit_2 >> 3, LIKE_U64) >> np.uint64(bit_2 & 7)
            bits_3 = load(data, bit_3 >> 3, LIKE_U64) >> np.uint64(bit_3 & 7)
            for _ in range(_PER_LOAD):
                bits_0, bit_0, to_0 = _read_run(bits_0, bit_0, runs, chunk, to_0)
                bits_1, bit_1, to_1 = _read_run(bits_1, bit_1, runs, chunk, to_1)
                bits_2, bit_2, to_2 = _read_run(bits_2, bit_2, runs, chunk, to_2)
                bits_3, bit_3, to_3 = _read_run(bits_3, bit_3, runs, chunk, to_3)
        bit[0], bit[1], bit[2], bit[3] = bit_0, bit_1, bit_2, bit_3
        to[0], to[1], to[2], to[3] = to_0, to_1, to_2, to_3


@kernel
def _read_run(
    bits: np.uint64, bit: int, runs: npt.NDArray[np.uint64], out: Bytes, to: int
) -> tuple[np.uint64, int, int]:
    run = runs[(bits & _MASK) | _AT_RUNS]
    store(out, to, run)
    n_bits = run >> _BITS_SHIFT
    return bits >> n_bits, bit + as_int(n_bits), to + as_int(run >> _COUNT_SHIFT & _BYTE)


@kernel
def _read_singles(
    data: Bytes,
    table: npt.NDArray[np.uint16],
    chunk: Bytes,
    quarter: int,
    bit: npt.NDArray[np.int64],
    to: npt.NDArray[np.int64],
) -> None:
    """Read most of the four streams, moving their positions `bit` and `to`."""
    last_bit = (data.size - 8) * 8
    while True:
        n_rounds = (chunk.size - to[N_STREAMS - 1]) // _PER_LOAD
        for stream in range(N_STREAMS):
            n_rounds = min(n_rounds, (last_bit - bit[stream]) // _ROUND_BITS_MAX)
        if n_rounds <= 0:
            return
        bit_0, bit_1, bit_2, bit_3 = bit[0], bit[1], bit[2], bit[3]
        for done in range(to[0], to[0] + n_rounds * _PER_LOAD, _PER_LOAD):
            bits_0 = load(data, bit_0 >> 3, LIKE_U64) >> np.uint64(bit_0 & 7)
            bits_1 = load(data, bit_1 >> 3, LIKE_U64) >> np.uint64(bit_1 & 7)
            bits_2 = load(data, bit_2 >> 3, LIKE_U64) >> np.uint64(bit_2 & 7)
            bits_3 = load(data, bit_3 >> 3, LIKE_U64) >> np.uint64(bit_3 & 7)
            for place in range(done, done + _PER_LOAD):
                bits_0, bit_0 = _read_one(bits_0, bit_0, table, chunk, place)
                bits_1, bit_1 = _read_one(bits_1, bit_1, table, chunk, place + quarter)
                bits_2, bit_2 = _read_one(bits_2, bit_2, table, chunk, place + 2 * quarter)
                bits_3, bit_3 = _read_one(bits_3, bit_3, table, chunk, place + 3 * quarter)
        bit[0], bit[1], bit[2], bit[3] = bit_0, bit_1, bit_2, bit_3
        to += n_rounds * _PER_LOAD


@kernel
def _read_one(
    bits: np.uint64, bit: int, table: npt.NDArray[np.uint16], out: Bytes, to: int
) -> tuple[np.uint64, int]:
    entry = np.uint64(table[bits & _MASK])
    store(out, to, np.uint8(entry))
    n_bits = entry >> np.uint64(8)
    return bits >> n_bits, bit + as_int(n_bits)


@kernel
def _read_rest(data: Bytes, bit: int, table: npt.NDArray[np.uint16], out: Bytes) -> int:
    """Decode the symbols one by one, zeros behind the end of `data`; return the byte where they end."""
    for place in range(out.size):
        bits = as_int(0)
        for ahead in range(3):
            if (bit >> 3) + ahead < data.size:
                bits |= as_int(data[(bit >> 3) + ahead]) << (8 * ahead)
        entry = as_int(table[(bits >> (bit & 7)) & ((1 << CODE_BITS_MAX) - 1)])
        out[place] = entry & 0xFF
        bit += entry >> 8
    return (bit + 7) >> 3
