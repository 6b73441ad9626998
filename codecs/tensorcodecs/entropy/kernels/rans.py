"""Range ANS over bytes in chunks: four states of 63 bits take turns and give off 32 bits at a time.

Frequencies are of 2 ** 14: of 2 ** 12, as small tables have, the rarest of 256 values would take a share that
costs all others some hundredths of a bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bits import Cursor, read_number, write_number
from tensorcodecs.kernels.frequencies import frequencies, levels_of, read_levels, write_levels
from tensorcodecs.kernels.memory import LIKE_U64, as_index, as_int, load, store

CHUNK_BYTES = 1 << 18
CHUNK_CODED_BYTES_MIN = 2
SLACK_BYTES = 1 << 12
STORED, RUN, CODED = 0, 1, 2
_N_SYMBOLS = 256
_N_STATES = 4
_STATE_BYTES = 8
_WORD_BYTES = 4
_TOTAL_BITS = 14
_SHIFT = np.uint64(_TOTAL_BITS)
_SLOT = np.uint64((1 << _TOTAL_BITS) - 1)
_STATE_MIN = np.uint64(1 << 31)
_WORD_BITS = np.uint64(32)
_WORD = np.uint64(0xFFFFFFFF)
# A state of this times a symbol's frequency would grow beyond 63 bits.
_RENORM_SHIFT = np.uint64(31 - _TOTAL_BITS + 32)

Counts = npt.NDArray[np.int64]


@kernel
def rans_encode(raw: Bytes, out: Bytes) -> int:
    """Write the chunks of `raw` to `out` and return the bytes used.

    `out` has room for `raw`, one byte more for each chunk, and SLACK_BYTES.
    """
    counts = np.empty(_N_SYMBOLS, np.int64)
    levels = np.empty(_N_SYMBOLS, np.int64)
    at = 0
    for start in range(0, raw.size, CHUNK_BYTES):
        chunk = raw[start : start + CHUNK_BYTES]
        counts[:] = 0
        for value in chunk:
            counts[value] += 1
        if counts[chunk[0]] == chunk.size:
            out[at] = RUN
            out[at + 1] = chunk[0]
            at += 2
            continue
        levels_of(counts, _N_SYMBOLS, chunk.size, levels)
        coded = _encode_chunk(chunk, levels)
        if coded.size < chunk.size:
            out[at] = CODED
            out[at + 1 : at + 1 + coded.size] = coded
            at += 1 + coded.size
        else:
            out[at] = STORED
            out[at + 1 : at + 1 + chunk.size] = chunk
            at += 1 + chunk.size
    return at


@kernel
def _encode_chunk(chunk: Bytes, levels: Counts) -> Bytes:
    """Return the chunk coded: levels, number of words, states, words."""
    frequency = _frequency_of(levels)
    counts = frequency.astype(np.uint64)
    firsts = np.zeros(_N_SYMBOLS, np.uint64)
    for symbol in range(1, _N_SYMBOLS):
        firsts[symbol] = firsts[symbol - 1] + counts[symbol - 1]
    words = np.empty(chunk.size // 2 + _N_STATES + 1, np.uint32)
    states = np.full(_N_STATES, _STATE_MIN, np.uint64)
    first = words.size
    for index in range(chunk.size - 1, -1, -1):
        symbol = chunk[index]
        state = states[index & 3]
        count = counts[symbol]
        if state >= count << _RENORM_SHIFT:
            first -= 1
            words[first] = np.uint32(state & _WORD)
            state >>= _WORD_BITS
        quotient = state // count
        states[index & 3] = (quotient << _SHIFT) + (state - quotient * count) + firsts[symbol]
    out = np.empty(SLACK_BYTES + _WORD_BYTES * (words.size - first), np.uint8)
    cursor = np.zeros(1, np.int64)
    write_levels(levels, out, cursor)
    write_number(out, cursor, words.size - first)
    at = (cursor[0] + 7) >> 3
    for place in range(_N_STATES):
        store(out, at, states[place])
        at += _STATE_BYTES
    for index in range(first, words.size):
        store(out, at, words[index])
        at += _WORD_BYTES
    return out[:at]


@kernel
def _frequency_of(levels: Counts) -> Counts:
    """Return the frequency of each symbol, int64[256], summing to 2 ** _TOTAL_BITS."""
    frequency = np.empty(_N_SYMBOLS, np.int64)
    no_groups = np.zeros(_N_SYMBOLS, np.uint8)
    frequencies(levels, no_groups, np.zeros(1, np.int64), 1 << _TOTAL_BITS, frequency)
    return frequency


@kernel
def rans_decode(data: Bytes, raw: Bytes) -> int:
    """Fill `raw` from the chunks in `data` and return the bytes read, or -1 where a chunk is not valid."""
    cursor = np.empty(1, np.int64)
    at = 0
    for start in range(0, raw.size, CHUNK_BYTES):
        chunk = raw[start : start + CHUNK_BYTES]
        if at + CHUNK_CODED_BYTES_MIN > data.size:
            return -1
        kind = data[at]
        at += 1
        if kind == RUN:
            chunk[:] = data[at]
            at += 1
        elif kind == STORED:
            if at + chunk.size > data.size:
                return -1
            chunk[:] = data[at : at + chunk.size]
            at += chunk.size
        elif kind == CODED:
            cursor[0] = 8 * at
            at = _decode_chunk(data, cursor, chunk)
            if at < 0:
                return -1
        else:
            return -1
    return at


@kernel
def _decode_chunk(data: Bytes, cursor: Cursor, chunk: Bytes) -> int:
    """Undo `_encode_chunk`: fill `chunk`; the next byte, or -1 where the chunk is not valid."""
    levels = np.empty(_N_SYMBOLS, np.int64)
    if not read_levels(data, cursor, levels):
        return -1
    n_words = read_number(data, cursor)
    at = as_int((cursor[0] + 7) >> 3)
    end = at + _N_STATES * _STATE_BYTES + _WORD_BYTES * n_words
    if n_words > chunk.size or end > data.size:
        return -1
    symbols, factors, places = _decoding_tables(_frequency_of(levels))
    state_0, state_1 = load(data, at, LIKE_U64), load(data, at + 8, LIKE_U64)
    state_2, state_3 = load(data, at + 16, LIKE_U64), load(data, at + 24, LIKE_U64)
    words = np.zeros(n_words + _N_STATES, np.uint64)
    for index in range(n_words):
        word_at = at + _N_STATES * _STATE_BYTES + _WORD_BYTES * index
        for byte in range(_WORD_BYTES):
            words[index] |= np.uint64(data[word_at + byte]) << np.uint64(8 * byte)
    position = 0
    n_whole = chunk.size // _N_STATES * _N_STATES
    for index in range(0, n_whole, _N_STATES):
        chunk[index], state_0, position = _decode_one(state_0, words, position, symbols, factors, places)
        chunk[index + 1], state_1, position = _decode_one(state_1, words, position, symbols, factors, places)
        chunk[index + 2], state_2, position = _decode_one(state_2, words, position, symbols, factors, places)
        chunk[index + 3], state_3, position = _decode_one(state_3, words, position, symbols, factors, places)
        if position > n_words:
            return -1
    for index in range(n_whole, chunk.size):
        chunk[index], state_0, position = _decode_one(state_0, words, position, symbols, factors, places)
        if position > n_words:
            return -1
        state_0, state_1, state_2 = state_1, state_2, state_0
    return end if position == n_words else -1


@kernel
def _decoding_tables(frequency: Counts) -> tuple[Bytes, npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Return, for every slot, its symbol, the symbol's frequency and the slot's place in it."""
    symbols = np.empty(1 << _TOTAL_BITS, np.uint8)
    factors = np.empty(1 << _TOTAL_BITS, np.uint16)
    places = np.empty(1 << _TOTAL_BITS, np.uint16)
    at = 0
    for symbol in range(_N_SYMBOLS):
        for place in range(frequency[symbol]):
            symbols[at] = symbol
            factors[at] = frequency[symbol]
            places[at] = place
            at += 1
    return symbols, factors, places


@kernel
def _decode_one(
    state: np.uint64,
    words: npt.NDArray[np.uint64],
    position: int,
    symbols: Bytes,
    factors: npt.NDArray[np.uint16],
    places: npt.NDArray[np.uint16],
) -> tuple[np.uint8, np.uint64, int]:
    """Return the symbol that `state` tells, the state behind it, and the next word's position."""
    slot = state & _SLOT
    state = np.uint64(factors[slot]) * (state >> _SHIFT) + np.uint64(places[slot])
    is_low = np.uint64(state < _STATE_MIN)
    # Taken in without a branch: there is no telling when it is due.
    state = (state << (is_low * _WORD_BITS)) | (words[as_index(position)] * is_low)
    return symbols[slot], state, position + as_int(is_low)
