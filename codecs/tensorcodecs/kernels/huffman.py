"""Huffman coding of bytes in chunks, each with a code of its own and four streams side by side.

Four streams are four chains of dependent loads that a processor follows at once; each holds a quarter of
the chunk. A chunk that would not shrink is stored, one of a single value is a run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.huffman_chunks import (
    BLOCK_BYTES,
    LEVEL_MAX,
    N_NODES,
    PIECE_BYTES,
    chunk_at,
    plan_chunks,
)
from tensorcodecs.kernels.huffman_code import (
    CODE_BITS_MAX,
    N_SYMBOLS,
    canonical_codes,
    code_lengths,
    decoding_table,
)
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store

CHUNK_CODED_BYTES_MIN = 2
SLACK_BYTES = 1024
"""What encoding a chunk may write past its raw size before it is seen not to shrink."""
STORED, RUN, CODED = 0, 1, 2
_KIND = 3
_LEVEL_SHIFT = 2
_N_STREAMS = 4
_PRESENCE_BYTES = N_SYMBOLS // 8
_SIZE_BYTES = 2
"""A quarter of the largest chunk at CODE_BITS_MAX bits stays below 64 KiB."""
_PER_LOAD = 5
_MASK = np.uint64((1 << CODE_BITS_MAX) - 1)
_THREE = np.uint64(3)
_SEVEN = np.uint64(7)
# A code and its length in one table entry.
_CODE = np.uint64(0xFFFF)
_LENGTH_SHIFT = np.uint64(16)


@kernel
def huffman_encode(raw: Bytes, out: Bytes) -> int:
    """Write the chunks of `raw` to `out` and return the bytes used.

    `out` has room for `raw`, one byte more for each PIECE_BYTES of it, and twice SLACK_BYTES.
    """
    counts = np.empty((N_NODES, N_SYMBOLS), np.int64)
    bits = np.empty(N_NODES, np.int64)
    is_chunk = np.empty(N_NODES, np.uint8)
    codes = np.empty(N_SYMBOLS, np.uint64)
    lengths = np.empty(N_SYMBOLS, np.uint8)
    at = 0
    for start in range(0, raw.size, BLOCK_BYTES):
        block = raw[start : start + BLOCK_BYTES]
        plan_chunks(block, counts, bits, is_chunk)
        piece = 0
        while piece * PIECE_BYTES < block.size:
            node, level = chunk_at(is_chunk, piece)
            chunk = block[piece * PIECE_BYTES : (piece + (1 << level)) * PIECE_BYTES]
            at = _encode_chunk(chunk, level, counts[node], lengths, codes, out, at)
            piece += 1 << level
    return at


@kernel
def _encode_chunk(
    chunk: Bytes,
    level: int,
    counts: npt.NDArray[np.int64],
    lengths: Bytes,
    codes: npt.NDArray[np.uint64],
    out: Bytes,
    at: int,
) -> int:
    """Write one chunk, in the shortest of its three kinds; `lengths` and `codes` are room to work in."""
    head = level << _LEVEL_SHIFT
    if counts[chunk[0]] == chunk.size:
        out[at] = head | RUN
        out[at + 1] = chunk[0]
        return at + 2
    n_present = code_lengths(counts, lengths)
    n_bits = 0
    for symbol in range(N_SYMBOLS):
        n_bits += counts[symbol] * lengths[symbol]
    table_bytes = _PRESENCE_BYTES + (n_present + 1) // 2
    if table_bytes + _N_STREAMS * (_SIZE_BYTES + 1) + n_bits // 8 < chunk.size:
        canonical_codes(lengths, codes)
        for symbol in range(N_SYMBOLS):
            codes[symbol] |= np.uint64(lengths[symbol]) << _LENGTH_SHIFT
        out[at] = head | CODED
        return _write_streams(chunk, codes, out, _write_lengths(lengths, out, at + 1))
    out[at] = head | STORED
    _copy(chunk, 0, out[at + 1 : at + 1 + chunk.size])
    return at + 1 + chunk.size


@kernel
def huffman_decode(data: Bytes, raw: Bytes) -> int:
    """Fill `raw` from the chunks in `data` and return the bytes read, or -1 where a chunk is not valid."""
    codes = np.empty(N_SYMBOLS, np.uint64)
    lengths = np.empty(N_SYMBOLS, np.uint8)
    table = np.empty(1 << CODE_BITS_MAX, np.uint16)
    at = 0
    start = 0
    while start < raw.size:
        if at + CHUNK_CODED_BYTES_MIN > data.size or data[at] >> _LEVEL_SHIFT > LEVEL_MAX:
            return -1
        kind = data[at] & _KIND
        chunk = raw[start : start + (PIECE_BYTES << (data[at] >> _LEVEL_SHIFT))]
        start += chunk.size
        at += 1
        if kind == STORED:
            if at + chunk.size > data.size:
                return -1
            _copy(data, at, chunk)
            at += chunk.size
        elif kind == RUN:
            _fill(chunk, data[at])
            at += 1
        elif kind == CODED:
            at = _read_lengths(data, at, lengths)
            if at < 0 or not canonical_codes(lengths, codes):
                return -1
            decoding_table(lengths, codes, table)
            at = _read_streams(data, at, table, chunk)
            if at < 0:
                return -1
        else:
            return -1
    return at


@kernel
def _copy(source: Bytes, at: int, target: Bytes) -> None:
    for index in range(target.size):
        target[index] = source[at + index]


@kernel
def _fill(target: Bytes, value: int) -> None:
    for index in range(target.size):
        target[index] = value


@kernel
def _write_lengths(lengths: Bytes, out: Bytes, at: int) -> int:
    """Write which symbols are present (a bit each) and their lengths (a nibble each, low one first)."""
    nibbles_at = at + _PRESENCE_BYTES
    _fill(out[at : nibbles_at + N_SYMBOLS // 2], 0)
    n_present = 0
    for symbol in range(N_SYMBOLS):
        if lengths[symbol] > 0:
            out[at + (symbol >> 3)] |= 1 << (symbol & 7)
            out[nibbles_at + (n_present >> 1)] |= lengths[symbol] << (4 * (n_present & 1))
            n_present += 1
    return nibbles_at + (n_present + 1) // 2


@kernel
def _read_lengths(data: Bytes, at: int, lengths: Bytes) -> int:
    """Undo `_write_lengths`; return the next position, or -1 where `data` ends too early."""
    nibbles_at = at + _PRESENCE_BYTES
    if nibbles_at > data.size:
        return -1
    n_present = 0
    for symbol in range(N_SYMBOLS):
        lengths[symbol] = 0
        if data[at + (symbol >> 3)] >> (symbol & 7) & 1:
            nibble_at = nibbles_at + (n_present >> 1)
            if nibble_at >= data.size:
                return -1
            lengths[symbol] = data[nibble_at] >> (4 * (n_present & 1)) & 0xF
            n_present += 1
    return nibbles_at + (n_present + 1) // 2


@kernel
def _write_streams(chunk: Bytes, codes: npt.NDArray[np.uint64], out: Bytes, at: int) -> int:
    """Write the sizes of the four streams, 16 bits each, and the streams; `codes` has length << 16 | code."""
    quarter = (chunk.size + _N_STREAMS - 1) // _N_STREAMS
    body = at + _N_STREAMS * _SIZE_BYTES
    for stream in range(_N_STREAMS):
        first = min(stream * quarter, chunk.size)
        end = _write_stream(chunk[first : first + quarter], codes, out, body)
        out[at + _SIZE_BYTES * stream] = (end - body) & 0xFF
        out[at + _SIZE_BYTES * stream + 1] = (end - body) >> 8
        body = end
    return body


@kernel
def _write_stream(symbols: Bytes, codes: npt.NDArray[np.uint64], out: Bytes, at: int) -> int:
    bits = np.uint64(0)
    n_bits = np.uint64(0)
    n_whole = symbols.size // _PER_LOAD * _PER_LOAD
    for index in range(0, n_whole, _PER_LOAD):
        for place in range(_PER_LOAD):
            entry = codes[symbols[index + place]]
            bits |= (entry & _CODE) << n_bits
            n_bits += entry >> _LENGTH_SHIFT
        store(out, at, bits)
        at += as_int(n_bits >> _THREE)
        bits >>= n_bits & ~_SEVEN
        n_bits &= _SEVEN
    for index in range(n_whole, symbols.size):
        entry = codes[symbols[index]]
        bits |= (entry & _CODE) << n_bits
        n_bits += entry >> _LENGTH_SHIFT
    store(out, at, bits)
    return at + as_int((n_bits + _SEVEN) >> _THREE)


@kernel
def _read_streams(data: Bytes, at: int, table: npt.NDArray[np.uint16], chunk: Bytes) -> int:
    """Fill `chunk` and return where the last stream ends, or -1 where a stream does not end as stated."""
    body = at + _N_STREAMS * _SIZE_BYTES
    if body > data.size:
        return -1
    quarter = (chunk.size + _N_STREAMS - 1) // _N_STREAMS
    ends = np.empty(_N_STREAMS, np.int64)
    end = body
    for stream in range(_N_STREAMS):
        end += data[at + _SIZE_BYTES * stream] + (as_int(data[at + _SIZE_BYTES * stream + 1]) << 8)
        ends[stream] = end
    if end > data.size:
        return -1
    bit_0, bit_1, bit_2, bit_3 = body * 8, ends[0] * 8, ends[1] * 8, ends[2] * 8
    last_bit = (data.size - 8) * 8
    done = 0
    while 3 * quarter + done + _PER_LOAD <= chunk.size and max(bit_0, bit_1, bit_2, bit_3) <= last_bit:
        bit_0 = _read_five(data, bit_0, table, chunk, done)
        bit_1 = _read_five(data, bit_1, table, chunk, quarter + done)
        bit_2 = _read_five(data, bit_2, table, chunk, 2 * quarter + done)
        bit_3 = _read_five(data, bit_3, table, chunk, 3 * quarter + done)
        done += _PER_LOAD
    for stream, bit in enumerate((bit_0, bit_1, bit_2, bit_3)):
        first = min(stream * quarter, chunk.size)
        last = min(first + quarter, chunk.size)
        if _read_rest(data, bit, table, chunk[first + min(done, last - first) : last]) != ends[stream]:
            return -1
    return end


@kernel
def _read_five(data: Bytes, bit: int, table: npt.NDArray[np.uint16], out: Bytes, to: int) -> int:
    bits = load(data, bit >> 3, LIKE_U64) >> np.uint64(bit & 7)
    for place in range(_PER_LOAD):
        entry = np.uint64(table[bits & _MASK])
        out[to + place] = np.uint8(entry)
        bits >>= entry >> np.uint64(8)
        bit += as_int(entry >> np.uint64(8))
    return bit


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
