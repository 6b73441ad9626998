"""Extended bit-plane compression (EBPC): where the zeros are, and bit planes of the values that are none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import population
from tensorcodecs.kernels.memory import as_int, load, store
from tensorcodecs.kernels.zeros import LOW_ONES, gathered, nonzero_bytes
from tensorcodecs.lines.kernels.bitfields import put
from tensorcodecs.lines.kernels.bitplanes import (
    MAX_PLANES,
    SHORT_BITS,
    Planes,
    differences,
    get_planes,
    peek,
    put_planes,
    transposed,
    undo_differences,
)

GROUP = 8
"""Non-zero values that share their bit planes."""
_RUN_MAX = 16
_RUN_CODE_BITS = 5
_PLACE_BITS = 3
_ZERO_BITS = 2
_WIDTH = GROUP - 1
_LIKE_U32 = np.zeros(1, np.uint32)
_LIKE_U16 = np.zeros(1, np.uint16)


def _plane_bits() -> npt.NDArray[np.uint8]:
    """Bits of a plane, by its DBX and, above that, whether the plane itself is zero; a zero DBX adds none."""
    table = np.full(1 << GROUP, 1 + _WIDTH, np.uint8)
    for place in range(_WIDTH):
        table[1 << place] = SHORT_BITS + _PLACE_BITS
        table[(3 << place) & ((1 << _WIDTH) - 1)] = SHORT_BITS + _PLACE_BITS
    table[(1 << _WIDTH) - 1 :] = SHORT_BITS
    table[[0, 1 << _WIDTH]] = 0
    return table


_PLANE_BITS = _plane_bits()
_LOW_SEVEN = np.uint64(0x7F7F7F7F7F7F7F7F)


@kernel
def line_bits(raw: Bytes, line_bytes: int, word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every block: zero runs and marks of non-zeros, then their bit planes."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    values = np.empty(GROUP + 1, np.uint64)
    for line in range(bits.size):
        znz, bpc = stream_bits(raw, line * line_bytes, line_bytes, word_bytes, values)
        bits[line] = znz + bpc
    return bits


@kernel
def stream_bits(raw: Bytes, line: int, line_bytes: int, word_bytes: int, values: Planes) -> tuple[int, int]:
    """Return the bits of the two streams of one block; `values` is room for GROUP + 1 of them."""
    width = min(word_bytes, 4)
    word_bits = 8 * width
    znz, bpc, zeros, held = 0, 0, 0, 0
    for at in range(line, line + line_bytes, width):
        # Without branches on the value: whether it is zero is not to be foreseen.
        value = _signed(raw, at, width)
        is_zero = as_int(value == 0)
        znz += 1 + is_zero * (_RUN_CODE_BITS * as_int(zeros & (_RUN_MAX - 1) == 0) - 1)
        zeros = (zeros + 1) * is_zero
        values[held] = value
        held += 1 - is_zero
        if held == GROUP:
            bpc += _group_bits(values, word_bits)
            held = 0
    if held:
        values[held:] = 0
        bpc += _group_bits(values, word_bits)
    return znz, bpc


@kernel
def _group_bits(values: Planes, word_bits: int) -> int:
    """Return the bits of a group: the first value, then eight planes at a time, one in each byte."""
    bits = word_bits
    sign, above, zero_planes = np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(_WIDTH):
        sign |= ((values[i + 1] - values[i]) >> np.uint64(63)) << np.uint64(i)
    for low in range(0, word_bits, 8):
        rows = np.uint64(0)
        for i in range(_WIDTH):
            rows |= (((values[i + 1] - values[i]) >> np.uint64(low)) & np.uint64(0xFF)) << np.uint64(8 * i)
        dbp = transposed(rows) & _LOW_SEVEN
        dbx = dbp ^ (dbp << np.uint64(8) | above)
        above = dbp >> np.uint64(56)
        codes = dbx | (nonzero_bytes(dbp) ^ LOW_ONES) << np.uint64(_WIDTH)
        for _ in range(8):
            bits += as_int(_PLANE_BITS[codes & np.uint64(0xFF)])
            codes >>= np.uint64(8)
        zero_planes |= gathered(nonzero_bytes(dbx) ^ LOW_ONES) << np.uint64(low)
    dbx = sign ^ above
    bits += as_int(_PLANE_BITS[dbx | as_int(sign == 0) << _WIDTH])
    zero_planes |= np.uint64(dbx == 0) << np.uint64(word_bits)
    starts = zero_planes & ~(zero_planes << np.uint64(1))
    alone = starts & ~(zero_planes >> np.uint64(1))
    n_alone = population(alone)
    return bits + _ZERO_BITS * n_alone + _run_bits(word_bits) * (population(starts) - n_alone)


@kernel
def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, out: Bytes) -> int:
    """Write the blocks of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    values, planes = np.empty(GROUP, np.uint64), np.empty(MAX_PLANES, np.uint64)
    width = min(word_bytes, 4)
    word_bits = 8 * width
    bit = 0
    for line in range(0, raw.size, line_bytes):
        zeros = 0
        for at in range(line, line + line_bytes, width):
            if _signed(raw, at, width) == 0:
                zeros += 1
                continue
            bit = put(out, _put_runs(out, bit, zeros), np.uint64(1), 1)
            zeros = 0
        bit = _put_runs(out, bit, zeros)
        held = 0
        for at in range(line, line + line_bytes, width):
            value = _signed(raw, at, width)
            if value != 0:
                values[held] = value
                held += 1
            if held == GROUP:
                bit = _put_group(values, planes, word_bits, out, bit)
                held = 0
        if held:
            values[held:] = 0
            bit = _put_group(values, planes, word_bits, out, bit)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` and return the bits read, or -1 where a block is not valid."""
    values, planes = np.empty(GROUP, np.uint64), np.empty(MAX_PLANES, np.uint64)
    width = min(word_bytes, 4)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        bit = _get_marks(data, n_bits, bit, raw, line, line + line_bytes, width)
        held = GROUP
        for at in range(line, line + line_bytes, width):
            if bit < 0:
                return -1
            if raw[at] == 0:
                _store(raw, at, np.uint64(0), width)
                continue
            if held == GROUP:
                bit = _get_group(data, n_bits, bit, values, planes, 8 * width)
                held = 0
            _store(raw, at, values[held], width)
            held += 1
        if bit < 0:
            return -1
    return bit


@kernel
def _get_marks(data: Bytes, n_bits: int, bit: int, raw: Bytes, at: int, end: int, width: int) -> int:
    """Set the first byte of each word of raw[at:end] to 1 for a non-zero; return the next bit or -1."""
    while at < end:
        if bit >= n_bits:
            return -1
        if peek(data, n_bits, bit, 1) != 0:
            raw[at] = 1
            at += width
            bit += 1
            continue
        run = 1 + as_int(peek(data, n_bits, bit + 1, _RUN_CODE_BITS - 1))
        bit += _RUN_CODE_BITS
        if at + run * width > end:
            return -1
        for _ in range(run):
            raw[at] = 0
            at += width
    return bit


@kernel
def _put_runs(out: Bytes, bit: int, zeros: int) -> int:
    while zeros > 0:
        run = min(zeros, _RUN_MAX)
        bit = put(out, bit, np.uint64((run - 1) << 1), _RUN_CODE_BITS)
        zeros -= run
    return bit


@kernel
def _run_bits(word_bits: int) -> int:
    """Bits of the code of a run of 2 to word_bits + 1 zero planes: 001 and log2 of the width."""
    return 6 if word_bits == 8 else (7 if word_bits == 16 else 8)


@kernel
def _put_group(values: Planes, planes: Planes, word_bits: int, out: Bytes, bit: int) -> int:
    differences(values, GROUP, planes, word_bits)
    bit = put(out, bit, values[0], word_bits)
    return put_planes(
        planes, word_bits + 1, _WIDTH, _PLACE_BITS, _ZERO_BITS, _run_bits(word_bits), True, out, bit
    )


@kernel
def _get_group(data: Bytes, n_bits: int, bit: int, values: Planes, planes: Planes, word_bits: int) -> int:
    values[0] = peek(data, n_bits, bit, word_bits)
    bit = get_planes(
        data,
        n_bits,
        bit + word_bits,
        planes,
        word_bits + 1,
        _WIDTH,
        _PLACE_BITS,
        _ZERO_BITS,
        _run_bits(word_bits),
        True,
    )
    if bit >= 0:
        undo_differences(planes, word_bits, values, GROUP)
    return bit


@kernel
def _signed(raw: Bytes, at: int, width: int) -> np.uint64:
    """The word at `at`, sign-extended."""
    if width == 1:
        return np.uint64(np.int64(np.int8(raw[at])))
    if width == 2:
        return np.uint64(np.int64(np.int16(load(raw, at, _LIKE_U16))))
    return np.uint64(np.int64(np.int32(load(raw, at, _LIKE_U32))))


@kernel
def _store(raw: Bytes, at: int, value: np.uint64, width: int) -> None:
    if width == 1:
        raw[at] = np.uint8(value)
    elif width == 2:
        store(raw, at, np.uint16(value))
    else:
        store(raw, at, np.uint32(value))
