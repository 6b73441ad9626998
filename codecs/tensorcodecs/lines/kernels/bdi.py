"""Base-delta-immediate lines: which encoding fits, how many bits it takes, and the bits themselves.

An element is an immediate where it is itself a small two's-complement number, otherwise a delta to the
line's base, the first element that is no immediate. Differences wrap, as a subtractor's do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import LIKE_U64, as_int, load, store
from tensorcodecs.lines.kernels.bitfields import PIECE_BITS, get, put

TAG_BITS = 4
# The paper's tags (PACT 2012, table 2).
ZEROS, REPEATED, RAW = 0, 1, 15
_B8_D1, _B8_D2, _B8_D4, _B4_D1, _B4_D2, _B2_D1 = 2, 3, 4, 5, 6, 7
# Ascending sizes on lines of 32 and 64 bytes, so that few of them are tried.
_IN_ORDER = np.array([_B8_D1, _B4_D1, _B8_D2, _B2_D1, _B4_D2, _B8_D4], np.int64)
BASE_BYTES = np.array([0, 8, 8, 8, 8, 4, 4, 2], np.int64)
DELTA_BYTES = np.array([0, 0, 1, 2, 4, 1, 2, 1], np.int64)
_LIKE_U32 = np.zeros(1, np.uint32)
_LIKE_U16 = np.zeros(1, np.uint16)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel
def line_bits(raw: Bytes, line_bytes: int, _word_bytes: int) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw` (a whole number of lines), tag included."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    for line in range(bits.size):
        bits[line] = TAG_BITS + payload_bits(smallest_tag(raw, line * line_bytes, line_bytes), line_bytes)
    return bits


@kernel
def pack_lines(raw: Bytes, line_bytes: int, _word_bytes: int, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    for line in range(0, raw.size, line_bytes):
        tag = smallest_tag(raw, line, line_bytes)
        bit = put(out, bit, np.uint64(tag), TAG_BITS)
        if tag == RAW:
            for at in range(line, line + line_bytes, 8):
                bit = put(out, bit, load(raw, at, LIKE_U64), 64)
        elif tag == REPEATED:
            bit = put(out, bit, load(raw, line, LIKE_U64), 64)
        elif tag != ZEROS:
            bit = put_deltas(raw, line, line_bytes, BASE_BYTES[tag], DELTA_BYTES[tag], out, bit)
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, _word_bytes: int, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line is not valid.

    `data` holds `n_bits` bits and SLACK_BYTES more.
    """
    bit = 0
    for line in range(0, raw.size, line_bytes):
        if bit + TAG_BITS > n_bits:
            return -1
        tag = as_int(get(data, bit, TAG_BITS))
        bit += TAG_BITS
        if _B2_D1 < tag < RAW or bit + payload_bits(tag, line_bytes) > n_bits:
            return -1
        if tag <= REPEATED or tag == RAW:
            for at in range(line, line + line_bytes, 8):
                word = np.uint64(0)
                if tag != ZEROS:
                    source = bit + 8 * (at - line) if tag == RAW else bit
                    word = get(data, source, 32) | get(data, source + 32, 32) << np.uint64(32)
                store(raw, at, word)
        else:
            get_deltas(data, bit, line_bytes, BASE_BYTES[tag], DELTA_BYTES[tag], raw, line)
        bit += payload_bits(tag, line_bytes)
    return bit


@kernel
def payload_bits(tag: int, line_bytes: int) -> int:
    """Return the bits behind the tag of a line."""
    if tag == RAW:
        return 8 * line_bytes
    base_bytes = as_int(BASE_BYTES[tag])
    if tag <= REPEATED:
        return 8 * base_bytes
    n_elements = line_bytes // base_bytes
    return 8 * base_bytes + n_elements * (1 + 8 * as_int(DELTA_BYTES[tag]))


@kernel
def smallest_tag(raw: Bytes, line: int, line_bytes: int) -> int:
    """Return the tag with the fewest bits."""
    first = load(raw, line, LIKE_U64)
    repeated = True
    for at in range(line + 8, line + line_bytes, 8):
        repeated &= load(raw, at, LIKE_U64) == first
    if repeated:
        return REPEATED if first != 0 else ZEROS
    best_tag, best_bits = RAW, 8 * line_bytes
    for tag in _IN_ORDER:
        n_bits = payload_bits(as_int(tag), line_bytes)
        if n_bits < best_bits and _fits(
            raw, line, line_bytes, as_int(BASE_BYTES[tag]), as_int(DELTA_BYTES[tag])
        ):
            best_tag, best_bits = as_int(tag), n_bits
    return best_tag


@kernel
def _fits(raw: Bytes, line: int, line_bytes: int, base_bytes: int, delta_bytes: int) -> bool:
    has_base = False
    base = np.uint64(0)
    for at in range(line, line + line_bytes, base_bytes):
        element = _element(raw, at, base_bytes)
        if not _is_small(element, base_bytes, delta_bytes):
            if not has_base:
                has_base = True
                base = element
            elif not _is_small(element - base, base_bytes, delta_bytes):
                return False
    return True


@kernel
def _element(raw: Bytes, at: int, n_bytes: int) -> np.uint64:
    if n_bytes == 8:
        return np.uint64(load(raw, at, LIKE_U64))
    if n_bytes == 4:
        return np.uint64(load(raw, at, _LIKE_U32))
    return np.uint64(load(raw, at, _LIKE_U16))


@kernel
def _is_small(value: np.uint64, n_bytes: int, delta_bytes: int) -> bool:
    """Tell whether `value`, taken as `n_bytes` of two's complement, fits `delta_bytes` of it."""
    half = np.uint64(1) << np.uint64(8 * delta_bytes - 1)
    return bool(((value + half) & (_ALL >> np.uint64(64 - 8 * n_bytes))) < half + half)


@kernel
def put_deltas(
    raw: Bytes, line: int, line_bytes: int, base_bytes: int, delta_bytes: int, out: Bytes, bit: int
) -> int:
    """Write base, one bit for each element (1 = delta to the base), and the deltas and immediates."""
    base = np.uint64(0)
    for at in range(line, line + line_bytes, base_bytes):
        element = _element(raw, at, base_bytes)
        if not _is_small(element, base_bytes, delta_bytes):
            base = element
            break
    bit = put(out, bit, base, 8 * base_bytes)
    delta_bit = bit + line_bytes // base_bytes
    for at in range(line, line + line_bytes, base_bytes):
        element = _element(raw, at, base_bytes)
        is_delta = not _is_small(element, base_bytes, delta_bytes)
        bit = put(out, bit, np.uint64(is_delta), 1)
        delta_bit = put(out, delta_bit, element - base if is_delta else element, 8 * delta_bytes)
    return delta_bit


@kernel
def get_deltas(
    data: Bytes, bit: int, line_bytes: int, base_bytes: int, delta_bytes: int, raw: Bytes, line: int
) -> None:
    """Fill the line of `raw` from its base, mask and deltas at `bit`."""
    base = get(data, bit, min(8 * base_bytes, PIECE_BITS))
    if base_bytes == 8:
        base |= get(data, bit + PIECE_BITS, PIECE_BITS) << np.uint64(PIECE_BITS)
    mask_bit = bit + 8 * base_bytes
    delta_bit = mask_bit + line_bytes // base_bytes
    sign = np.uint64(1) << np.uint64(8 * delta_bytes - 1)
    for at in range(line, line + line_bytes, base_bytes):
        value = (get(data, delta_bit, 8 * delta_bytes) ^ sign) - sign
        if get(data, mask_bit, 1) != 0:
            value += base
        for place in range(base_bytes):
            raw[at + place] = np.uint8(value >> np.uint64(8 * place))
        mask_bit += 1
        delta_bit += 8 * delta_bytes
