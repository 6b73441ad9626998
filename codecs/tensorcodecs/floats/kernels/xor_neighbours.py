"""Gorilla and Chimp: each word is XORed with an earlier one, and the zeros at both ends are left out.

All widths share one set of kernels: words come as uint64 with their width in bits beside them.
"""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import Words64, get, leading_zeros, put, trailing_zeros
from tensorcodecs.kernels.memory import as_int

VALUE_BITS_MAX = 88
"""More than either codec spends on one word: 64 bits, flags and fields."""
N_EARLIER_MAX = 128
# Indexed by log2 of the width in bytes.
GORILLA_LEADING_BITS = np.array([3, 4, 5, 5], np.int64)
GORILLA_LENGTH_BITS = np.array([3, 4, 5, 6], np.int64)
CHIMP_LENGTH_BITS = np.array([3, 4, 5, 6], np.int64)
CHIMP_TRAILING = np.array([3, 4, 5, 6], np.int64)
CHIMP_LEADING = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3, 4, 6, 8, 10],
        [0, 8, 12, 16, 18, 20, 22, 24],
        [0, 8, 12, 16, 18, 20, 22, 24],
    ],
    np.int64,
)
"""Numbers of leading zeros that three bits stand for."""
_SAME, _TRIMMED, _AS_BEFORE, _NEW = 0, 1, 2, 3


@kernel
def gorilla_encode(words: Words64, log2_bytes: int, out: Bytes) -> int:
    """Write `words` to `out`, room for VALUE_BITS_MAX each, and return the bits used."""
    width = 8 << log2_bytes
    leading_bits = GORILLA_LEADING_BITS[log2_bytes]
    length_bits = GORILLA_LENGTH_BITS[log2_bytes]
    most_leading = (1 << leading_bits) - 1
    if words.size == 0:
        return 0
    bit = put(out, 0, words[0], width)
    window_leading, window_trailing = width, 0  # no window yet
    for index in range(1, words.size):
        xor = words[index] ^ words[index - 1]
        if xor == 0:
            bit = put(out, bit, np.uint64(0), 1)
            continue
        leading = min(as_int(leading_zeros(xor)) - (64 - width), most_leading)
        trailing = as_int(trailing_zeros(xor))
        if leading >= window_leading and trailing >= window_trailing:
            bit = put(out, bit, np.uint64(1), 2)
        else:
            window_leading, window_trailing = leading, trailing
            fields = (leading << 2) | ((width - leading - trailing - 1) << (2 + leading_bits)) | 3
            bit = put(out, bit, np.uint64(fields), 2 + leading_bits + length_bits)
        n_bits = width - window_leading - window_trailing
        bit = put(out, bit, xor >> np.uint64(window_trailing), n_bits)
    return bit


@kernel
def gorilla_decode(data: Bytes, n_bits: int, log2_bytes: int, words: Words64) -> int:
    """Fill `words` from the `n_bits` in `data` (slack behind); return the bits read, or -1."""
    width = 8 << log2_bytes
    leading_bits = GORILLA_LEADING_BITS[log2_bytes]
    length_bits = GORILLA_LENGTH_BITS[log2_bytes]
    if words.size == 0:
        return 0
    if n_bits < width:
        return -1
    words[0] = get(data, 0, width)
    bit = width
    leading, length = width, 0
    for index in range(1, words.size):
        # Up to 13 bits of flags and fields lie within the slack behind the last bit.
        if bit >= n_bits:
            return -1
        head = as_int(get(data, bit, 2 + leading_bits + length_bits))
        if head & 1 == 0:
            bit += 1
            words[index] = words[index - 1]
            continue
        bit += 2
        if head & 2:
            leading = (head >> 2) & ((1 << leading_bits) - 1)
            length = (head >> (2 + leading_bits)) + 1
            bit += leading_bits + length_bits
        if length == 0 or leading + length > width or bit + length > n_bits:
            return -1
        words[index] = words[index - 1] ^ (get(data, bit, length) << np.uint64(width - leading - length))
        bit += length
    return bit


@kernel
def _leading_code(leading: int, log2_bytes: int) -> int:
    code = 7
    while CHIMP_LEADING[log2_bytes, code] > leading:
        code -= 1
    return code


@kernel
def chimp_encode(words: Words64, log2_bytes: int, earlier_bits: int, out: Bytes) -> int:
    """Write `words` to `out`, room for VALUE_BITS_MAX each, and return the bits used.

    `earlier_bits` is 0 to XOR with the word before, 7 to choose among the last 128.
    """
    width = 8 << log2_bytes
    length_bits = CHIMP_LENGTH_BITS[log2_bytes]
    threshold = CHIMP_TRAILING[log2_bytes] + earlier_bits
    key_mask = np.uint64((1 << (threshold + 1)) - 1)
    last_with = np.full(1 << (threshold + 1) if earlier_bits else 1, -N_EARLIER_MAX - 1, np.int64)
    if words.size == 0:
        return 0
    bit = put(out, 0, words[0], width)
    last_with[words[0] & key_mask if earlier_bits else np.uint64(0)] = 0
    stored_code = -1
    for index in range(1, words.size):
        word = words[index]
        distance = 1
        if earlier_bits:
            key = word & key_mask
            found = index - last_with[key]
            last_with[key] = index
            if found <= N_EARLIER_MAX and (
                words[index - found] == word
                or as_int(trailing_zeros(words[index - found] ^ word)) > threshold
            ):
                distance = found
        xor = word ^ words[index - distance]
        if xor == 0:
            bit = put(out, bit, np.uint64(_SAME | ((distance - 1) << 2)), 2 + earlier_bits)
            stored_code = -1
            continue
        code = _leading_code(as_int(leading_zeros(xor)) - (64 - width), log2_bytes)
        leading = CHIMP_LEADING[log2_bytes, code]
        trailing = as_int(trailing_zeros(xor))
        if trailing > threshold:
            length = width - leading - trailing
            head = _TRIMMED | ((distance - 1) << 2) | (code << (2 + earlier_bits))
            head |= length << (5 + earlier_bits)
            bit = put(out, bit, np.uint64(head), 5 + earlier_bits + length_bits)
            bit = put(out, bit, xor >> np.uint64(trailing), length)
            stored_code = -1
        elif code == stored_code:
            bit = put(out, bit, np.uint64(_AS_BEFORE), 2)
            bit = put(out, bit, xor, width - leading)
        else:
            stored_code = code
            bit = put(out, bit, np.uint64(_NEW | (code << 2)), 5)
            bit = put(out, bit, xor, width - leading)
    return bit


@kernel
def chimp_decode(data: Bytes, n_bits: int, log2_bytes: int, earlier_bits: int, words: Words64) -> int:
    """Fill `words` from the `n_bits` in `data` (slack behind); return the bits read, or -1."""
    width = 8 << log2_bytes
    length_bits = CHIMP_LENGTH_BITS[log2_bytes]
    if words.size == 0:
        return 0
    if n_bits < width:
        return -1
    words[0] = get(data, 0, width)
    bit = width
    stored = -1
    for index in range(1, words.size):
        # Up to 18 bits of flags and fields lie within the slack behind the last bit.
        if bit >= n_bits:
            return -1
        head = as_int(get(data, bit, 5 + earlier_bits + length_bits))
        flag = head & 3
        distance = 1
        trailing = 0
        if flag <= _TRIMMED:
            distance = 1 + ((head >> 2) & ((1 << earlier_bits) - 1))
            stored = -1
            bit += 2 + earlier_bits
            if distance > index:
                return -1
        if flag == _SAME:
            words[index] = words[index - distance]
            continue
        if flag == _TRIMMED:
            leading = CHIMP_LEADING[log2_bytes, (head >> (2 + earlier_bits)) & 7]
            length = head >> (5 + earlier_bits)
            trailing = width - leading - length
            bit += 3 + length_bits
        else:
            if flag == _NEW:
                stored = CHIMP_LEADING[log2_bytes, (head >> 2) & 7]
            bit += 5 if flag == _NEW else 2
            leading = stored
            length = width - leading
        if leading < 0 or length == 0 or trailing < 0 or bit + length > n_bits:
            return -1
        words[index] = words[index - distance] ^ (get(data, bit, length) << np.uint64(trailing))
        bit += length
    return bit
