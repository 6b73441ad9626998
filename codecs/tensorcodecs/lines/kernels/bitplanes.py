"""Bit planes of differences, and the prefix code for them: what BPC and its relatives share.

A plane holds one bit of every difference. Planes are coded from the highest down, each as its XOR with the
one above (DBX): a run of zero planes, one or two neighbouring ones by their place, all ones, a plane that is
zero by itself (DBP), or its bits. The schemes differ in a few numbers, described at `put_planes`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import PIECE_BITS, get, put

Planes = npt.NDArray[np.uint64]

MAX_PLANES = 33
MAX_VALUES = 64
# The codes, first bit lowest: 00000, 00001, 00010, 00011 behind the zero runs' 01 and 001, and 1 for raw.
_ALL_ONES, _ZERO_DBP, _TWO_ONES, _ONE = 0, 16, 8, 24
SHORT_BITS = 5


@kernel
def differences(values: Planes, n: int, planes: Planes, n_low: int) -> None:
    """Fill `planes` with the bits of the n - 1 differences of `values` (sign-extended 64-bit numbers).

    n_low: how many bits of a difference, a multiple of 8; the sign becomes one plane more, `planes[n_low]`.
    """
    for plane in range(n_low + 1):
        planes[plane] = 0
    for first in range(0, n - 1, 8):
        count = min(8, n - 1 - first)
        for low in range(0, n_low, 8):
            rows = np.uint64(0)
            for i in range(count):
                delta = values[first + i + 1] - values[first + i]
                rows |= ((delta >> np.uint64(low)) & np.uint64(0xFF)) << np.uint64(8 * i)
            columns = transposed(rows)
            for i in range(8):
                bits = (columns >> np.uint64(8 * i)) & np.uint64(0xFF)
                planes[low + i] |= bits << np.uint64(first)
        for i in range(count):
            delta = values[first + i + 1] - values[first + i]
            planes[n_low] |= (delta >> np.uint64(63)) << np.uint64(first + i)


@kernel
def undo_differences(planes: Planes, n_low: int, values: Planes, n: int) -> None:
    """Fill `values[1:n]` from `values[0]` and the planes; what is above `n_low` bits is not meaningful."""
    for first in range(0, n - 1, 8):
        count = min(8, n - 1 - first)
        for i in range(count):
            values[first + i + 1] = 0
        for low in range(0, n_low, 8):
            columns = np.uint64(0)
            for i in range(8):
                columns |= ((planes[low + i] >> np.uint64(first)) & np.uint64(0xFF)) << np.uint64(8 * i)
            rows = transposed(columns)
            for i in range(count):
                byte = (rows >> np.uint64(8 * i)) & np.uint64(0xFF)
                values[first + i + 1] |= byte << np.uint64(low)
        for i in range(count):
            values[first + i + 1] += values[first + i]


@kernel
def transposed(rows: np.uint64) -> np.uint64:
    """Transpose 8 x 8 bits: bit j of byte i becomes bit i of byte j."""
    swap = (rows ^ (rows >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
    rows ^= swap ^ (swap << np.uint64(7))
    swap = (rows ^ (rows >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
    rows ^= swap ^ (swap << np.uint64(14))
    swap = (rows ^ (rows >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
    return np.uint64(rows ^ swap ^ (swap << np.uint64(28)))


@kernel
def _all_ones(width: int) -> np.uint64:
    """The plane that the code for all ones means: Compresso's planes of 16 halfwords keep the code of 15."""
    return np.uint64((np.uint64(1) << np.uint64(15 if width == 16 else width)) - np.uint64(1))


@kernel
def planes_bits(
    planes: Planes, n_planes: int, width: int, place_bits: int, zero_bits: int, run_bits: int
) -> int:
    """Return the bits that `put_planes` writes, the highest plane first."""
    bits, zeros = 0, 0
    above = np.uint64(0)
    ones = _all_ones(width)
    for plane in range(n_planes - 1, -1, -1):
        dbp = planes[plane]
        dbx = dbp ^ above
        above = dbp
        if dbx == 0:
            zeros += 1
            continue
        if zeros != 0:
            bits += zero_bits if zeros == 1 else run_bits
            zeros = 0
        lowest = dbx & (~dbx + np.uint64(1))
        few = dbx == lowest or dbx == lowest | lowest << np.uint64(1)
        if few:
            bits += SHORT_BITS + place_bits
        else:
            bits += SHORT_BITS if dbx == ones or dbp == 0 else 1 + width
    if zeros != 0:
        bits += zero_bits if zeros == 1 else run_bits
    return bits


@kernel
def put_planes(
    planes: Planes,
    n_planes: int,
    width: int,
    place_bits: int,
    zero_bits: int,
    run_bits: int,
    extended: bool,
    out: Bytes,
    bit: int,
) -> int:
    """Write the planes, the highest first, at `bit` of `out`; return the next bit.

    width: bits of a plane. place_bits: bits of a place in it. zero_bits, run_bits: length of the codes of one
    zero plane and of a run, 3 and 7 for `001` and `01` + 5 bits, or 2 and 3 + k for `01` and `001` + k bits.
    extended: EBPC's order, the lowest plane first, and where two codes fit the one without a place.
    """
    zeros = 0
    above = np.uint64(0)
    ones = _all_ones(width)
    for step in range(n_planes):
        dbp = planes[step if extended else n_planes - 1 - step]
        dbx = dbp ^ above
        above = dbp
        if dbx == 0:
            zeros += 1
            continue
        bit = _put_zeros(out, bit, zeros, zero_bits, run_bits)
        zeros = 0
        lowest = dbx & (~dbx + np.uint64(1))
        few = dbx == lowest or dbx == lowest | lowest << np.uint64(1)
        short = dbx == ones or dbp == 0
        if few and not (extended and short):
            bit = put(out, bit, np.uint64(_ONE if dbx == lowest else _TWO_ONES), SHORT_BITS)
            place = 0
            while lowest >> np.uint64(place) != 1:
                place += 1
            bit = put(out, bit, np.uint64(place), place_bits)
        elif short:
            bit = put(out, bit, np.uint64(_ALL_ONES if dbx == ones else _ZERO_DBP), SHORT_BITS)
        else:
            bit = put(out, bit, np.uint64(1), 1)
            bit = put(out, bit, dbx, width)
    return _put_zeros(out, bit, zeros, zero_bits, run_bits)


@kernel
def _put_zeros(out: Bytes, bit: int, zeros: int, zero_bits: int, run_bits: int) -> int:
    if zeros == 0:
        return bit
    # 01 is two bits (value 2, first bit lowest), 001 is three (value 4).
    if zeros == 1:
        return put(out, bit, np.uint64(1 << (zero_bits - 1)), zero_bits)
    prefix_bits = 5 - zero_bits
    bit = put(out, bit, np.uint64(1 << (prefix_bits - 1)), prefix_bits)
    return put(out, bit, np.uint64(zeros - 2), run_bits - prefix_bits)


@kernel
def get_planes(
    data: Bytes,
    n_bits: int,
    bit: int,
    planes: Planes,
    n_planes: int,
    width: int,
    place_bits: int,
    zero_bits: int,
    run_bits: int,
    extended: bool,
) -> int:
    """Read what `put_planes` wrote; return the next bit, or -1 where the code is not valid.

    Bits behind `n_bits` read as zeros: the caller compares the end.
    """
    above = np.uint64(0)
    ones = _all_ones(width)
    step = 0
    while step < n_planes:
        prefix = as_int(peek(data, n_bits, bit, SHORT_BITS))
        zeros = 0
        if prefix & 1:
            above ^= peek(data, n_bits, bit + 1, width)
            bit += 1 + width
        elif prefix & 6:
            zeros = 1
            if (zero_bits == 2) == (prefix & 2 != 0):
                bit += zero_bits
            else:
                prefix_bits = 5 - zero_bits
                zeros = 2 + as_int(peek(data, n_bits, bit + prefix_bits, run_bits - prefix_bits))
                bit += run_bits
            if step + zeros > n_planes:
                return -1
        else:
            bit += SHORT_BITS
            if prefix == _ALL_ONES:
                above ^= ones
            elif prefix == _ZERO_DBP:
                above = np.uint64(0)
            else:
                place = as_int(peek(data, n_bits, bit, place_bits))
                bit += place_bits
                if place + (prefix == _TWO_ONES) >= width:
                    return -1
                above ^= np.uint64(3 if prefix == _TWO_ONES else 1) << np.uint64(place)
        for _ in range(max(zeros, 1)):
            planes[step if extended else n_planes - 1 - step] = above
            step += 1
    return bit if bit <= n_bits else -1


@kernel
def peek(data: Bytes, n_bits: int, bit: int, count: int) -> np.uint64:
    """Return the `count` bits at `bit`; what lies behind `n_bits` is zeros."""
    count = min(count, n_bits - bit)
    if count <= 0:
        return np.uint64(0)
    if count <= PIECE_BITS:
        return get(data, bit, count)
    return get(data, bit, PIECE_BITS) | get(data, bit + PIECE_BITS, count - PIECE_BITS) << np.uint64(
        PIECE_BITS
    )
