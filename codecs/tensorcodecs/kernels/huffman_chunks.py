"""Where one Huffman code should end and the next begin: chunks as large as the data stays alike.

A block is halved again and again wherever two codes, tables included, take fewer bits than one. So the
byte planes behind a shuffle, an exponent here and a mantissa there, each get a code of their own.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.huffman_code import N_SYMBOLS

PIECE_BYTES = 1 << 13
"""The smallest chunk; its code takes at most 2 % of it."""
LEVEL_MAX = 4
"""A chunk of level k has PIECE_BYTES << k bytes."""
BLOCK_BYTES = PIECE_BYTES << LEVEL_MAX
N_PIECES = 1 << LEVEL_MAX
N_NODES = 2 * N_PIECES
"""Nodes of the tree of halves: node 1 is the block, the halves of node k are 2 k and 2 k + 1."""
N_LANES = 4
_RUN_BITS = 16
_TABLE_BITS = 8.0 * (1 + N_SYMBOLS // 8 + N_LANES * 3)


@kernel
def plan_chunks(
    block: Bytes, counts: npt.NDArray[np.int64], bits: npt.NDArray[np.int64], is_chunk: Bytes
) -> None:
    """Decide how to cut `block` (at most BLOCK_BYTES bytes).

    Fills, for every node of the tree, `counts` (int64[N_NODES, 256]), the estimated `bits` of its best cut
    (int64[N_NODES]), and `is_chunk` (uint8[N_NODES]), whether that is to leave it whole.
    """
    for piece in range(N_PIECES):
        histogram(block[piece * PIECE_BYTES : (piece + 1) * PIECE_BYTES], counts[N_PIECES + piece])
    for node in range(N_NODES - 1, 0, -1):
        if node < N_PIECES:
            for symbol in range(N_SYMBOLS):
                counts[node, symbol] = counts[2 * node, symbol] + counts[2 * node + 1, symbol]
        bits[node] = coded_bits(counts[node])
        is_chunk[node] = 1
        if node < N_PIECES and bits[2 * node] + bits[2 * node + 1] < bits[node]:
            bits[node] = bits[2 * node] + bits[2 * node + 1]
            is_chunk[node] = 0


@kernel
def chunk_at(is_chunk: Bytes, piece: int) -> tuple[int, int]:
    """Return the node and the level of the chunk that begins at `piece`."""
    node = 1
    level = LEVEL_MAX
    while not is_chunk[node]:
        level -= 1
        node = 2 * node + ((piece >> level) & 1)
    return node, level


@kernel
def histogram(chunk: Bytes, counts: npt.NDArray[np.int64]) -> None:
    """Fill `counts` (int64[256]) with how often each byte value occurs in `chunk`."""
    # Four lanes: like neighbours would otherwise wait for each other's store.
    lanes = np.zeros((N_LANES, N_SYMBOLS), np.int64)
    n_whole = chunk.size // N_LANES * N_LANES
    for index in range(0, n_whole, N_LANES):
        for lane in range(N_LANES):
            lanes[lane, chunk[index + lane]] += 1
    for index in range(n_whole, chunk.size):
        lanes[0, chunk[index]] += 1
    for symbol in range(N_SYMBOLS):
        counts[symbol] = lanes[0, symbol] + lanes[1, symbol] + lanes[2, symbol] + lanes[3, symbol]


@kernel
def coded_bits(counts: npt.NDArray[np.int64]) -> int:
    """Estimate the bits of a chunk with these counts: entropy and table, or raw, or a run."""
    total = 0
    n_present = 0
    saved = 0.0
    for symbol in range(N_SYMBOLS):
        count = counts[symbol]
        if count > 0:
            total += count
            n_present += 1
            saved += count * math.log2(count)
    if n_present == 0:
        return 0
    if n_present == 1:
        return _RUN_BITS
    coded = total * math.log2(total) - saved + _TABLE_BITS + 4 * n_present
    return int(min(coded, 8 * (total + 1)))
