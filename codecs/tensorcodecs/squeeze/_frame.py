"""Frames of `squeeze`: rows shifted, slices and rows taken out, then blocks of halves, words or nibbles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError
from tensorcodecs.frame import pack_header, unpack_header
from tensorcodecs.kernels.frequencies import BINS_MAX, DEPTH_MAX
from tensorcodecs.squeeze._slices import Slices, find_slices
from tensorcodecs.squeeze.kernels.contexts import PLAN_SIZE, SCORES
from tensorcodecs.squeeze.kernels.decode import decode_block
from tensorcodecs.squeeze.kernels.encode import (
    CODED,
    NARROW_SHIFT,
    ORDER_SHIFT,
    SLACK_BYTES,
    ZEROS_SHIFT,
    end_in_zeros,
    plan_block,
    store_words,
    write_coded,
)
from tensorcodecs.squeeze.kernels.keys import (
    FLOAT_FOLDED,
    FLOAT_ORDERED,
    PLAIN,
    SIGNED_FOLDED,
    SIGNED_ORDERED,
    to_keys,
)
from tensorcodecs.squeeze.kernels.rows import find_repeats, row_modes

BLOCK_WORDS = 1 << 17
_WORDS_PER_BYTE_MAX = BLOCK_WORDS // 8
"""A block of one value takes more than eight bytes, whatever its size."""
_ROW_BYTES_MIN = 16
_COLUMNS_MAX = BLOCK_WORDS // 2
_UNSHAPED_COLUMNS = 64
_NARROWER_MIN = 4
"""Fewer bits less do not pay for a width of a block's own."""
_ORDERS = {
    "unsigned": (PLAIN,),
    "signed": (SIGNED_FOLDED, SIGNED_ORDERED),
    "float": (FLOAT_FOLDED, FLOAT_ORDERED),
}

Words = npt.NDArray[np.uint32]


def pack(words: Array, numbers: NumberFormat, shape: tuple[int, ...], effort: int) -> bytes:
    """Return the frame of `words` (1-D, unsigned), which are `numbers` in an array of `shape`."""
    columns = _columns(words.size, shape)
    orders = _ORDERS[numbers.kind]
    mode_length = slice_length = slice_step = repeat_length = has_nibbles = 0
    parts: list[bytes] = []
    kept = _read_only(words)
    if effort > 1:
        mode_length, modes = _find_modes(kept, shape)
        if mode_length:
            parts.append(_encode(modes, 8, (PLAIN,), (1,), effort))
            kept = _read_only((kept.reshape(-1, mode_length) - modes[:, None]).reshape(-1))
            orders = _ORDERS["signed"]
        slices = find_slices(kept, shape)
        if slices:
            slice_length, slice_step = slices.length, slices.step
            values = slices.values.reshape(-1)
            parts += _encode_all(values, 0, orders, _columns(values.size, slices.values.shape), effort)
            kept = _read_only(slices.taken_out(kept))
        repeat_length, origins = _find_repeats(kept, columns)
        if repeat_length:
            parts.append(_encode(origins, 32, (PLAIN,), (1,), effort))
            kept = _read_only(kept.reshape(-1, repeat_length)[origins == 0].reshape(-1))
        if kept.itemsize == 1 and orders == (PLAIN,):
            has_nibbles = _are_nibbles_shorter(kept[:BLOCK_WORDS], columns, effort)
    parts += _encode_all(kept, has_nibbles, orders, columns, effort)
    del kept  # joining the parts needs memory for the frame once more
    parameters = mode_length, slice_length, slice_step, repeat_length, has_nibbles
    return b"".join((pack_header(words, *parameters), *parts))


def unpack(data: Bytes) -> Array:
    """Return the words of the frame `data`, or raise DecodeError."""
    header = unpack_header(data, _WORDS_PER_BYTE_MAX, n_parameters=5)
    mode_length, slice_length, slice_step, repeat_length, has_nibbles = header.parameters
    is_byte = header.word_dtype.itemsize == 1
    if has_nibbles > is_byte or (mode_length and not is_byte):
        raise DecodeError("only bytes have nibbles or rows that are shifted")
    reader = _Reader(header.payload, header.word_dtype)
    n_kept = header.n_words
    modes = reader.read(_n_rows(n_kept, mode_length), 8) if mode_length else None
    slices = None
    if slice_length:
        values = reader.read_all(_n_rows(n_kept, slice_length * slice_step) * slice_step, False)
        slices = Slices(slice_length, slice_step, values)
    origins = np.zeros(0, np.uint32)
    if repeat_length:
        origins = reader.read(_n_rows(n_kept, repeat_length), 32)
        n_kept = repeat_length * int(np.count_nonzero(origins == 0))
    words = reader.read_all(n_kept, bool(has_nibbles))
    reader.finish()
    if repeat_length:
        words = _repeat_rows(words, origins, repeat_length)
    if slices:
        slices.put_back(words)
    if modes is not None:
        words = (words.reshape(-1, mode_length) + modes.astype(np.uint8)[:, None]).reshape(-1)
    return words


def _read_only(words: Array) -> Array:
    # A type of its own for numba: with one of the two kinds, each kernel is compiled once.
    words.flags.writeable = False
    return words


def _n_rows(n_words: int, length: int) -> int:
    if not 0 < length <= n_words or n_words % length:
        raise DecodeError(f"{n_words} words are not rows of {length}")
    return n_words // length


def _columns(n_words: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the row lengths that may be meant: what one step along each axis but the last jumps over."""
    lengths: list[int] = []
    length = 1
    for extent in reversed(shape):
        length *= extent
        if 1 < length <= min(n_words // 2, _COLUMNS_MAX) and length not in lengths:
            lengths.append(length)
    return tuple(lengths[-3:]) or (min(_UNSHAPED_COLUMNS, max(n_words, 1)),)


def _find_repeats(words: Array, columns: tuple[int, ...]) -> tuple[int, Words]:
    """Return a row length and the rows' origins, as `find_repeats` gives them; 0 if few rows repeat."""
    for length in columns:
        row_bytes = length * words.itemsize
        n_rows = words.size // length
        if row_bytes < _ROW_BYTES_MIN or n_rows * length != words.size:
            continue
        origins = np.zeros(n_rows, np.uint32)
        if find_repeats(words.view(np.uint8), row_bytes, origins) < n_rows:
            # Rows of zeros repeat, too, but contexts make them as cheap.
            n_values = np.count_nonzero(words)
            n_saved = n_values - np.count_nonzero(words.reshape(n_rows, length)[origins == 0])
            if n_saved * words.itemsize > 2 * n_rows + n_values * words.itemsize // 50:
                return length, origins
    return 0, np.zeros(0, np.uint32)


def _find_modes(words: Array, shape: tuple[int, ...]) -> tuple[int, Bytes]:
    """Return the length of the rows of the first axis and their most common bytes; 0 if that is no help."""
    n_rows = shape[0] if len(shape) > 1 else 0
    if words.itemsize > 1 or n_rows < 2 or words.size < 16 * n_rows:
        return 0, np.zeros(0, np.uint8)
    modes = np.empty(n_rows, np.uint8)
    length = words.size // n_rows
    n_hits, n_hits_of_one = row_modes(words, length, modes)
    return (length if 4 * n_hits > words.size and n_hits > 2 * n_hits_of_one else 0), modes


def _are_nibbles_shorter(block: Bytes, columns: tuple[int, ...], effort: int) -> bool:
    sizes = [
        sum(map(len, _encode_words(block, has_nibbles, (PLAIN,), columns, effort)))
        for has_nibbles in (False, True)
    ]
    return sizes[1] < sizes[0]


def _encode_all(
    words: Array, has_nibbles: int, orders: tuple[int, ...], columns: tuple[int, ...], effort: int
) -> list[bytes]:
    """Return the coded parts of all blocks of `words`."""
    blocks = (words[start : start + BLOCK_WORDS] for start in range(0, words.size, BLOCK_WORDS))
    return [part for block in blocks for part in _encode_words(block, has_nibbles, orders, columns, effort)]


def _encode_words(
    block: Array, has_nibbles: int, orders: tuple[int, ...], columns: tuple[int, ...], effort: int
) -> list[bytes]:
    """Return the coded parts of a block: its nibbles, its words, or their upper and lower halves."""
    if has_nibbles:
        pairs = np.stack((block & 15, block >> 4), axis=1).reshape(-1)
        return [_encode(pairs, 4, orders, tuple(2 * length for length in columns), effort)]
    if block.itemsize == 8:
        upper, lower = block >> np.uint64(32), block & np.uint64(0xFFFFFFFF)
        return [
            _encode(upper, 32, orders, columns, effort),
            _encode(lower, 32, (PLAIN,), columns, effort),
        ]
    return [_encode(block, 8 * block.itemsize, orders, columns, effort)]


def _encode(block: Array, bits: int, orders: tuple[int, ...], columns: tuple[int, ...], effort: int) -> bytes:
    """Return the coded block of values of `bits` bits: in the best of `orders`, or stored."""
    words = block.astype(np.uint32)
    room = np.empty(words.size * max(bits, 8) // 8 + SLACK_BYTES, np.uint8)
    rows = np.array([min(length, words.size) for length in columns], np.int64)
    stored = 1 + words.size * max(bits, 8) // 8
    best = _encode_in(orders, False, words, bits, rows, effort, room)
    if effort > 1 and bits > 8 and end_in_zeros(words):
        best = min(best, _encode_in((PLAIN,), True, words, bits, rows, effort, room), key=len)
    return best if len(best) < stored else room[: store_words(words, bits, room, 0)].tobytes()


def _encode_in(
    orders: tuple[int, ...], has_zeros: bool, words: Words, bits: int, rows: Array, effort: int, room: Bytes
) -> bytes:
    """Return the block coded in the order of keys that promises the fewest bits."""
    plan = np.zeros(PLAN_SIZE, np.int64)
    best: tuple[float, int, int, Words, Bytes, Array, Bytes] | None = None
    for order in orders:
        keys, depths = np.empty_like(words), np.empty(BINS_MAX, np.uint8)
        context_of = np.zeros(SCORES, np.uint8)
        to_keys(words, order, bits, keys)
        width = _width(keys, bits)
        cost, n_bins = plan_block(keys, width, rows, effort, depths, plan, context_of)
        if best is None or cost < best[0]:
            best = cost, order, width, keys, depths[:n_bins], plan.copy(), context_of
    assert best is not None  # noqa: S101 - there is an order for every number format
    _, order, width, keys, depths, plan, context_of = best
    head = CODED | order << ORDER_SHIFT | has_zeros << ZEROS_SHIFT | (width < bits) << NARROW_SHIFT
    end = write_coded(keys, width, head, depths, depths.size, plan, context_of, room, 0)
    return room[:end].tobytes()


def _width(keys: Words, bits: int) -> int:
    """Return how many bits of the keys to look at: all, or up to the highest 1 where many are 0."""
    width = int(keys.max()).bit_length() if bits > DEPTH_MAX else bits
    return max(width, 1) if width <= bits - _NARROWER_MIN else bits


class _Reader:
    """Reads one block after the other; DecodeError where one is not valid."""

    def __init__(self, data: Bytes, word_dtype: np.dtype[Any]) -> None:
        self._data = data
        self._word_dtype = word_dtype
        self._at = 0

    def read(self, n_values: int, bits: int) -> Words:
        values = np.empty(n_values, np.uint32)
        if n_values:
            self._at = decode_block(self._data, self._at, bits, values)
            if self._at < 0:
                raise DecodeError("a block is truncated or damaged")
        return values

    def read_all(self, n_words: int, has_nibbles: bool) -> Array:
        """The words that `_encode_all` coded."""
        words = np.empty(n_words, self._word_dtype)
        for start in range(0, n_words, BLOCK_WORDS):
            self._read_words(words[start : start + BLOCK_WORDS], has_nibbles)
        return words

    def _read_words(self, block: Array, has_nibbles: bool) -> None:
        if has_nibbles:
            pairs = self.read(2 * block.size, 4)
            block[:] = pairs[0::2] | pairs[1::2] << 4
        elif block.itemsize == 8:
            upper = self.read(block.size, 32).astype(np.uint64)
            block[:] = upper << np.uint64(32) | self.read(block.size, 32)
        else:
            block[:] = self.read(block.size, 8 * block.itemsize)

    def finish(self) -> None:
        if self._at != self._data.size:
            raise DecodeError("the blocks do not end where the frame does")


def _repeat_rows(kept: Array, origins: Words, length: int) -> Array:
    """Return all rows: the new ones in their places, and behind them those that repeat them."""
    is_new = origins == 0
    n_before = np.cumsum(is_new)
    sources = np.where(is_new, n_before, origins) - 1
    if np.any(sources >= n_before):
        raise DecodeError("a row repeats one that comes later")
    rows: Array = kept.reshape(-1, length)[sources].reshape(-1)
    return rows
