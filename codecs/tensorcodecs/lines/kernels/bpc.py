"""Bit-plane compression (BPC) of lines of 32-bit words, and Compresso's variant for lines of 64 bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int, load, store
from tensorcodecs.lines.kernels.bitfields import put
from tensorcodecs.lines.kernels.bitplanes import (
    MAX_PLANES,
    MAX_VALUES,
    Planes,
    differences,
    get_planes,
    peek,
    planes_bits,
    put_planes,
    undo_differences,
)

_LIKE_U32 = np.zeros(1, np.uint32)
_LIKE_U16 = np.zeros(1, np.uint16)
_WORD_BITS = 32
_ZERO_BITS, _RUN_BITS = 3, 7
_BASE_BITS = (4, 8, 16)
# Compresso codes the low 32 planes of 15 differences, or the 32 halfwords of the line as they are.
COMPRESSO_BYTES = 64
_WORDS, _HALFWORDS = 16, 32


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every line: base, then 33 planes of the signed differences."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    values, planes = np.empty(MAX_VALUES, np.uint64), np.empty(MAX_PLANES, np.uint64)
    n = line_bytes // 4
    for line in range(bits.size):
        _load_words(raw, line * line_bytes, n, values)
        differences(values, n, planes, _WORD_BITS)
        bits[line] = _base_bits(values[0]) + planes_bits(
            planes, MAX_PLANES, n - 1, _place_bits(n - 1), _ZERO_BITS, _RUN_BITS
        )
    return bits


@kernel
def pack_lines(raw: Bytes, line_bytes: int, _word_bytes: int, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    values, planes = np.empty(MAX_VALUES, np.uint64), np.empty(MAX_PLANES, np.uint64)
    n, bit = line_bytes // 4, 0
    for line in range(0, raw.size, line_bytes):
        _load_words(raw, line, n, values)
        differences(values, n, planes, _WORD_BITS)
        bit = _put_base(values[0], out, bit)
        bit = put_planes(
            planes, MAX_PLANES, n - 1, _place_bits(n - 1), _ZERO_BITS, _RUN_BITS, False, out, bit
        )
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, _word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` and return the bits read, or -1 where a line is not valid."""
    values, planes = np.empty(MAX_VALUES, np.uint64), np.empty(MAX_PLANES, np.uint64)
    n, bit = line_bytes // 4, 0
    for line in range(0, raw.size, line_bytes):
        bit = _get_base(data, n_bits, bit, values)
        bit = get_planes(
            data, n_bits, bit, planes, MAX_PLANES, n - 1, _place_bits(n - 1), _ZERO_BITS, _RUN_BITS, False
        )
        if bit < 0:
            return -1
        undo_differences(planes, _WORD_BITS, values, n)
        for word in range(n):
            store(raw, line + 4 * word, np.uint32(values[word]))
    return bit


@kernel
def compresso_bits(raw: Bytes, line_bytes: int, _word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every line of 64 bytes: the selector and the smaller of the two codes."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    values, planes = np.empty(MAX_VALUES, np.uint64), np.empty(MAX_PLANES, np.uint64)
    for line in range(bits.size):
        bits[line] = 1 + min(*_both_bits(raw, line * line_bytes, values, planes))
    return bits


@kernel
def pack_compresso(raw: Bytes, line_bytes: int, _word_bytes: int, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    values, planes = np.empty(MAX_VALUES, np.uint64), np.empty(MAX_PLANES, np.uint64)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        of_differences, of_halfwords = _both_bits(raw, line, values, planes)
        is_raw = of_halfwords < of_differences  # then `planes` holds the halfwords already
        bit = put(out, bit, np.uint64(is_raw), 1)
        if not is_raw:
            differences(values, _WORDS, planes, _WORD_BITS)
            bit = _put_base(values[0], out, bit)
        width = _HALFWORDS // 2 - (0 if is_raw else 1)
        bit = put_planes(planes, _HALFWORDS, width, 4, _ZERO_BITS, _RUN_BITS, False, out, bit)
    return bit


@kernel
def unpack_compresso(data: Bytes, n_bits: int, line_bytes: int, _word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` and return the bits read, or -1 where a line is not valid."""
    values, planes = np.empty(MAX_VALUES, np.uint64), np.empty(MAX_PLANES, np.uint64)
    bit = 0
    for line in range(0, raw.size, line_bytes):
        is_raw = peek(data, n_bits, bit, 1) != 0
        bit += 1
        if not is_raw:
            bit = _get_base(data, n_bits, bit, values)
        width = _HALFWORDS // 2 - (0 if is_raw else 1)
        bit = get_planes(data, n_bits, bit, planes, _HALFWORDS, width, 4, _ZERO_BITS, _RUN_BITS, False)
        if bit < 0:
            return -1
        if is_raw:
            for half in range(_HALFWORDS):
                store(raw, line + 2 * half, np.uint16(planes[half]))
        else:
            undo_differences(planes, _WORD_BITS, values, _WORDS)
            for word in range(_WORDS):
                store(raw, line + 4 * word, np.uint32(values[word]))
    return bit


@kernel
def _both_bits(raw: Bytes, line: int, values: Planes, planes: Planes) -> tuple[int, int]:
    """Bits of a line by differences and by halfwords; leaves the words in `values`, halfwords in `planes`."""
    _load_words(raw, line, _WORDS, values)
    differences(values, _WORDS, planes, _WORD_BITS)
    width = _WORDS - 1
    by_differences = _base_bits(values[0]) + planes_bits(planes, _HALFWORDS, width, 4, _ZERO_BITS, _RUN_BITS)
    for half in range(_HALFWORDS):
        planes[half] = np.uint64(load(raw, line + 2 * half, _LIKE_U16))
    return by_differences, planes_bits(planes, _HALFWORDS, width + 1, 4, _ZERO_BITS, _RUN_BITS)


@kernel
def _load_words(raw: Bytes, line: int, n: int, values: Planes) -> None:
    """Words as signed numbers: a difference has 33 bits."""
    for word in range(n):
        values[word] = np.uint64(np.int64(np.int32(load(raw, line + 4 * word, _LIKE_U32))))


@kernel
def _place_bits(width: int) -> int:
    n_bits = 0
    while width >> n_bits:
        n_bits += 1
    return n_bits


@kernel
def _base_class(base: np.uint64) -> int:
    """0 for a zero base, 1 to 3 for 4, 8, 16 bits of two's complement, 4 for all 32."""
    if base == 0:
        return 0
    for size in range(3):
        half = np.uint64(1) << np.uint64(_BASE_BITS[size] - 1)
        if base + half < half + half:
            return size + 1
    return 4


@kernel
def _base_bits(base: np.uint64) -> int:
    size = _base_class(base)
    if size == 4:
        return 1 + _WORD_BITS
    return 3 + (_BASE_BITS[size - 1] if size else 0)


@kernel
def _put_base(base: np.uint64, out: Bytes, bit: int) -> int:
    """Write 000, or 001, 010, 011 and the base's low bits, or 1 and the base; first bit lowest."""
    size = _base_class(base)
    if size == 4:
        bit = put(out, bit, np.uint64(1), 1)
        return put(out, bit, base, _WORD_BITS)
    bit = put(out, bit, np.uint64(0), 1)
    bit = put(out, bit, np.uint64(size >> 1), 1)
    bit = put(out, bit, np.uint64(size & 1), 1)
    return put(out, bit, base, _BASE_BITS[size - 1]) if size else bit


@kernel
def _get_base(data: Bytes, n_bits: int, bit: int, values: Planes) -> int:
    """Read the base into `values[0]`, sign-extended; return the next bit."""
    prefix = as_int(peek(data, n_bits, bit, 3))
    if prefix & 1:
        values[0] = np.uint64(np.int64(np.int32(np.uint32(peek(data, n_bits, bit + 1, _WORD_BITS)))))
        return bit + 1 + _WORD_BITS
    size = (prefix & 2) + (prefix >> 2)
    values[0] = 0
    if size == 0:
        return bit + 3
    count = _BASE_BITS[size - 1]
    sign = np.uint64(1) << np.uint64(count - 1)
    values[0] = (peek(data, n_bits, bit + 3, count) ^ sign) - sign
    return bit + 3 + count
