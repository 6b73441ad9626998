"""Huffman coding of bytes in chunks, each with a code of its own and four streams side by side.

Four streams are four chains of dependent loads that a processor follows at once; each holds a quarter of
the chunk. A chunk that would not shrink is stored, one of a single value is a run.
"""

from __future__ import annotations

from typing import TypeAlias

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
from tensorcodecs.kernels.huffman_streams import (
    LENGTH_SHIFT,
    N_STREAMS,
    RUNS_SIZE,
    SIZE_BYTES,
    read_streams,
    write_streams,
)

CHUNK_CODED_BYTES_MIN = 2
SLACK_BYTES = 1024
"""What encoding a chunk may write past its raw size before it is seen not to shrink."""
STORED, RUN, CODED = 0, 1, 2
_KIND = 3
LEVEL_SHIFT = 2
_PRESENCE_BYTES = N_SYMBOLS // 8

Room: TypeAlias = tuple[Bytes, Bytes, npt.NDArray[np.uint64], npt.NDArray[np.uint16], npt.NDArray[np.uint64]]


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
            at = encode_chunk(chunk, level, counts[node], lengths, codes, out, at)
            piece += 1 << level
    return at


@kernel
def encode_chunk(
    chunk: Bytes,
    level: int,
    counts: npt.NDArray[np.int64],
    lengths: Bytes,
    codes: npt.NDArray[np.uint64],
    out: Bytes,
    at: int,
) -> int:
    """Write one chunk with these `counts`, in the shortest of its three kinds.

    `lengths` and `codes` are room to work in.
    """
    head = level << LEVEL_SHIFT
    if counts[chunk[0]] == chunk.size:
        out[at] = head | RUN
        out[at + 1] = chunk[0]
        return at + 2
    n_present = code_lengths(counts, lengths)
    n_bits = 0
    for symbol in range(N_SYMBOLS):
        n_bits += counts[symbol] * lengths[symbol]
    table_bytes = _PRESENCE_BYTES + (n_present + 1) // 2
    if table_bytes + N_STREAMS * (SIZE_BYTES + 1) + n_bits // 8 < chunk.size:
        canonical_codes(lengths, codes)
        for symbol in range(N_SYMBOLS):
            codes[symbol] |= np.uint64(lengths[symbol]) << LENGTH_SHIFT
        out[at] = head | CODED
        return write_streams(chunk, codes, out, _write_lengths(lengths, out, at + 1))
    return store_chunk(chunk, level, out, at)


@kernel
def store_chunk(chunk: Bytes, level: int, out: Bytes, at: int) -> int:
    """Write `chunk` as it is and return where it ends."""
    out[at] = level << LEVEL_SHIFT | STORED
    _copy(chunk, 0, out[at + 1 : at + 1 + chunk.size])
    return at + 1 + chunk.size


@kernel
def huffman_decode(data: Bytes, raw: Bytes) -> int:
    """Fill `raw` from the chunks in `data` and return the bytes read, or -1 where a chunk is not valid."""
    room = decoding_room()
    at = 0
    start = 0
    while start < raw.size:
        if at + CHUNK_CODED_BYTES_MIN > data.size or data[at] >> LEVEL_SHIFT > LEVEL_MAX:
            return -1
        chunk = raw[start : start + (PIECE_BYTES << (data[at] >> LEVEL_SHIFT))]
        start += chunk.size
        at = decode_chunk(data, at, chunk, room)
        if at < 0:
            return -1
    return at


@kernel
def decoding_room() -> Room:
    """Return what `decode_chunk` needs to work in: lengths, codes and two tables, of the code before, too."""
    lengths = np.zeros((2, N_SYMBOLS), np.uint8)
    codes = np.empty(N_SYMBOLS, np.uint64)
    table = np.empty(1 << CODE_BITS_MAX, np.uint16)
    runs = np.empty(RUNS_SIZE, np.uint64)
    return lengths[0], lengths[1], codes, table, runs


@kernel
def decode_chunk(data: Bytes, at: int, chunk: Bytes, room: Room) -> int:
    """Fill `chunk` (at most BLOCK_BYTES) from what stands at `at`, two bytes or more.

    Returns where it ends, or -1 where it is not valid; `room` is `decoding_room`'s.
    """
    lengths, known_lengths, codes, table, runs = room
    kind = data[at] & _KIND
    at += 1
    if kind == STORED:
        if at + chunk.size > data.size:
            return -1
        _copy(data, at, chunk)
        return at + chunk.size
    if kind == RUN:
        _fill(chunk, data[at])
        return at + 1
    if kind != CODED:
        return -1
    at = _read_lengths(data, at, lengths)
    if at < 0:
        return -1
    if not _are_equal(lengths, known_lengths):
        if not canonical_codes(lengths, codes):
            return -1
        decoding_table(lengths, codes, table)
        runs[0] = 0
        _copy(lengths, 0, known_lengths)
    return read_streams(data, at, lengths, codes, table, runs, chunk)


@kernel
def _are_equal(lengths: Bytes, others: Bytes) -> bool:
    n_different = 0
    for symbol in range(N_SYMBOLS):
        n_different += lengths[symbol] != others[symbol]
    return n_different == 0


@kernel
def _copy(source: Bytes, at: int, target: Bytes) -> None:
    part = source[at : at + target.size]  # an index that begins at 0 is seen to be in order
    for index in range(target.size):
        target[index] = part[index]


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
