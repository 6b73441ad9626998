"""Lanes of bits: a line's words side by side, one bit of each word in a lane, a simple code for each lane.

Lanes go from the highest bit to the lowest. A book holds for each lane, the lowest first, which view of it
is coded and how: N_CODES * view + code.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import population, trailing_zeros
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put

N_VIEWS, N_CODES = 3, 6
_AS_IS, _ABOVE, _BEFORE = 0, 1, 2
_RAW, _FLAG, _NIBBLES, _RICE = 0, 1, 2, 3
_RICE_STEP = 2
"""Codes 3, 4 and 5 are Rice codes with parameters 1, 3 and 5."""
_PIECES = 4
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOWEST_OF_4 = np.uint64(0x1111111111111111)

Book = npt.NDArray[np.int64]
Words64 = npt.NDArray[np.uint64]


@kernel
def line_bits(raw: Bytes, line_bytes: int, word_bytes: int, book: Book) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw`, a whole number of lines."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    n = line_bytes // word_bytes
    planes = np.zeros((8 * word_bytes + 1, _PIECES), np.uint64)
    view = np.zeros(_PIECES, np.uint64)
    for line in range(bits.size):
        _split_planes(raw, line * line_bytes, n, word_bytes, planes)
        n_bits = 0
        for lane in range(8 * word_bytes):
            _look(planes, lane, n, book[lane] // N_CODES, view)
            n_bits += _lane_bits(view, n, book[lane] % N_CODES)
        bits[line] = n_bits
    return bits


@kernel
def lane_costs(raw: Bytes, line_bytes: int, word_bytes: int, stride: int) -> npt.NDArray[np.int64]:
    """Return the bits of each lane under each code, int64[lanes, N_VIEWS * N_CODES], of every stride-th line.

    A Rice code that is sure to take more than the raw lane counts one bit more than that.
    """
    costs = np.zeros((8 * word_bytes, N_VIEWS * N_CODES), np.int64)
    n = line_bytes // word_bytes
    planes = np.zeros((8 * word_bytes + 1, _PIECES), np.uint64)
    view = np.zeros(_PIECES, np.uint64)
    for line in range(0, raw.size, stride * line_bytes):
        _split_planes(raw, line, n, word_bytes, planes)
        for lane in range(8 * word_bytes):
            for look in range(N_VIEWS):
                _look(planes, lane, n, look, view)
                ones = _ones(view, n)
                for code in range(N_CODES):
                    is_long = code >= _RICE and ones * (2 + _RICE_STEP * (code - _RICE)) > n
                    costs[lane, look * N_CODES + code] += n + 1 if is_long else _lane_bits(view, n, code)
    return costs


@kernel
def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, book: Book, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    n = line_bytes // word_bytes
    planes = np.zeros((8 * word_bytes + 1, _PIECES), np.uint64)
    view = np.zeros(_PIECES, np.uint64)
    for line in range(0, raw.size, line_bytes):
        _split_planes(raw, line, n, word_bytes, planes)
        for lane in range(8 * word_bytes - 1, -1, -1):
            _look(planes, lane, n, book[lane] // N_CODES, view)
            bit = _put_lane(view, n, book[lane] % N_CODES, out, bit)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, book: Book, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line is not valid."""
    bit = 0
    n = line_bytes // word_bytes
    planes = np.zeros((8 * word_bytes + 1, _PIECES), np.uint64)
    view = np.zeros(_PIECES, np.uint64)
    for line in range(0, raw.size, line_bytes):
        for lane in range(8 * word_bytes - 1, -1, -1):
            bit = _get_lane(data, n_bits, bit, n, book[lane] % N_CODES, view)
            if bit < 0:
                return -1
            _unlook(planes, lane, n, book[lane] // N_CODES, view)
        _join_planes(planes, n, word_bytes, raw, line)
    return bit


@kernel
def _transpose(rows: np.uint64) -> np.uint64:
    """Turn eight bytes so that bit i of byte j becomes bit j of byte i."""
    turn = (rows ^ rows >> np.uint64(7)) & np.uint64(0x00AA00AA00AA00AA)
    rows ^= turn ^ turn << np.uint64(7)
    turn = (rows ^ rows >> np.uint64(14)) & np.uint64(0x0000CCCC0000CCCC)
    rows ^= turn ^ turn << np.uint64(14)
    turn = (rows ^ rows >> np.uint64(28)) & np.uint64(0x00000000F0F0F0F0)
    return np.uint64(rows ^ turn ^ turn << np.uint64(28))


@kernel
def _split_planes(raw: Bytes, line: int, n: int, word_bytes: int, planes: Words64) -> None:
    """Fill `planes`, one row for each bit of a word; the row above the highest stays zero."""
    for lane in range(8 * word_bytes):
        for piece in range(_PIECES):
            planes[lane, piece] = 0
    for part in range(word_bytes):
        for first in range(0, n, 8):
            rows = np.uint64(0)
            for index in range(min(8, n - first)):
                rows |= np.uint64(raw[line + (first + index) * word_bytes + part]) << np.uint64(8 * index)
            if rows == 0:
                continue
            rows = _transpose(rows)
            for place in range(8):
                lane_byte = rows >> np.uint64(8 * place) & np.uint64(255)
                planes[8 * part + place, first >> 6] |= lane_byte << np.uint64(first & 63)


@kernel
def _join_planes(planes: Words64, n: int, word_bytes: int, raw: Bytes, line: int) -> None:
    """Undo `_split_planes`."""
    for part in range(word_bytes):
        for first in range(0, n, 8):
            rows = np.uint64(0)
            for place in range(8):
                lane_byte = planes[8 * part + place, first >> 6] >> np.uint64(first & 63) & np.uint64(255)
                rows |= lane_byte << np.uint64(8 * place)
            rows = _transpose(rows)
            for index in range(min(8, n - first)):
                raw[line + (first + index) * word_bytes + part] = rows >> np.uint64(8 * index) & np.uint64(
                    255
                )


@kernel
def _look(planes: Words64, lane: int, n: int, look: int, view: Words64) -> None:
    """Fill `view`: the lane, its difference from the one above, or from the word before."""
    carry = np.uint64(0)
    for piece in range((n + 63) >> 6):
        bits = planes[lane, piece]
        if look == _ABOVE:
            view[piece] = bits ^ planes[lane + 1, piece]
        elif look == _BEFORE:
            view[piece] = bits ^ (bits << np.uint64(1) | carry)
            carry = bits >> np.uint64(63)
        else:
            view[piece] = bits
    if look == _BEFORE and n & 63:
        view[n >> 6] &= _ALL >> np.uint64(64 - (n & 63))


@kernel
def _unlook(planes: Words64, lane: int, n: int, look: int, view: Words64) -> None:
    """Undo `_look`; the lane above is there already."""
    carry = np.uint64(0)
    for piece in range((n + 63) >> 6):
        bits = view[piece]
        if look == _ABOVE:
            bits ^= planes[lane + 1, piece]
        elif look == _BEFORE:
            for shift in (1, 2, 4, 8, 16, 32):
                bits ^= bits << np.uint64(shift)
            if carry:
                bits = ~bits
            carry = bits >> np.uint64(63)
        planes[lane, piece] = bits
    if look == _BEFORE and n & 63:
        planes[lane, n >> 6] &= _ALL >> np.uint64(64 - (n & 63))


@kernel
def _ones(view: Words64, n: int) -> int:
    count = 0
    for piece in range((n + 63) >> 6):
        count += population(view[piece])
    return count


@kernel
def _lane_bits(view: Words64, n: int, code: int) -> int:
    """The bits that `_put_lane` writes."""
    if code == _RAW:
        return n
    if code == _NIBBLES:
        used = 0
        for piece in range((n + 63) >> 6):
            pairs = view[piece] | view[piece] >> np.uint64(1)
            used += population((pairs | pairs >> np.uint64(2)) & _LOWEST_OF_4)
        return n // 4 + 4 * used
    any_bit = np.uint64(0)
    for piece in range((n + 63) >> 6):
        any_bit |= view[piece]
    if any_bit == 0:
        return 1
    if code == _FLAG:
        return 1 + n
    rice = 1 + _RICE_STEP * (code - _RICE)
    n_bits = 1
    begin = 0
    for piece in range((n + 63) >> 6):
        rest = view[piece]
        while rest:
            at = 64 * piece + as_int(trailing_zeros(rest))
            n_bits += ((at - begin) >> rice) + 1 + rice
            begin = at + 1
            rest &= rest - np.uint64(1)
    return n_bits + ((n - begin) >> rice) + 1 + rice


@kernel
def _put_lane(view: Words64, n: int, code: int, out: Bytes, bit: int) -> int:
    if code == _NIBBLES:
        for first in range(0, n, 4):
            nibble = view[first >> 6] >> np.uint64(first & 63) & np.uint64(15)
            bit = put(out, bit, np.uint64(nibble != 0), 1)
            if nibble:
                bit = put(out, bit, nibble, 4)
        return bit
    if code != _RAW:
        bit = put(out, bit, np.uint64(_ones(view, n) > 0), 1)
        if _ones(view, n) == 0:
            return bit
    if code <= _FLAG:
        for piece in range((n + 63) >> 6):
            bit = put(out, bit, view[piece], min(64, n - 64 * piece))
        return bit
    rice = 1 + _RICE_STEP * (code - _RICE)
    begin = 0
    for at in range(n + 1):
        if at == n or view[at >> 6] >> np.uint64(at & 63) & np.uint64(1):
            bit += (at - begin) >> rice  # zeros are there already
            bit = put(out, bit, np.uint64(1), 1)
            bit = put(out, bit, np.uint64(at - begin), rice)
            begin = at + 1
    return bit


@kernel
def _get_lane(data: Bytes, n_bits: int, bit: int, n: int, code: int, view: Words64) -> int:
    """Fill `view` and return the next bit, or -1 where the lane is not valid or ends behind `n_bits`."""
    for piece in range(_PIECES):
        view[piece] = 0
    if code == _NIBBLES:
        for first in range(0, n, 4):
            if bit + 5 > n_bits and (bit >= n_bits or get(data, bit, 1)):
                return -1
            bit += 1
            if get(data, bit - 1, 1):
                view[first >> 6] |= get(data, bit, 4) << np.uint64(first & 63)
                bit += 4
        return bit
    if code != _RAW:
        if bit >= n_bits:
            return -1
        bit += 1
        if get(data, bit - 1, 1) == 0:
            return bit
    if code >= _RICE:
        return _get_gaps(data, n_bits, bit, n, 1 + _RICE_STEP * (code - _RICE), view)
    if bit + n > n_bits:
        return -1
    for first in range(0, n, 32):
        view[first >> 6] |= get(data, bit + first, min(32, n - first)) << np.uint64(first & 63)
    return bit + n


@kernel
def _get_gaps(data: Bytes, n_bits: int, bit: int, n: int, rice: int, view: Words64) -> int:
    at = 0
    while True:
        begin = bit
        while bit < n_bits and get(data, bit, 1) == 0:
            bit += 1
        if bit + 1 + rice > n_bits:
            return -1
        at += (bit - begin) << rice | as_int(get(data, bit + 1, rice))
        bit += 1 + rice
        if at >= n:
            return bit if at == n else -1
        view[at >> 6] |= np.uint64(1) << np.uint64(at & 63)
        at += 1
