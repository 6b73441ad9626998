"""APack-like lines: an arithmetic code of each byte's range, then each byte's place in its range.

The coder is Witten, Neal and Cleary's (CACM 1987) with registers of 16 bits and probabilities of 10 bits. A
book holds, for each byte of a word: the ranges' first values, bits of a place, cumulated probabilities (one
more), and the range of each of the 256 values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.bitpack import leading_zeros
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get, put

N_RANGES = 16
N_VALUES = 256
PROBABILITY_BITS = 10
TOTAL = 1 << PROBABILITY_BITS
FLUSH_BITS = 2
"""What ends a line's arithmetic code, so that any bits may follow."""

_PLACE, _CUM, _RANGE = N_RANGES, 2 * N_RANGES, 3 * N_RANGES + 1
BOOK_SIZE = _RANGE + N_VALUES
_CODE_BITS = 16
_TOP = 1 << _CODE_BITS
_HALF, _QUARTER = _TOP >> 1, _TOP >> 2
_LOG_BITS = 12

Book = npt.NDArray[np.int64]


@kernel
def line_bits(raw: Bytes, line_bytes: int, word_bytes: int, book: Book) -> npt.NDArray[np.int32]:
    """Return the bits of every line of `raw`, a whole number of lines."""
    bits = np.empty(raw.size // line_bytes, np.int32)
    for line in range(bits.size):
        low, high = as_int(0), as_int(_TOP - 1)
        n_bits = as_int(FLUSH_BITS)
        part = 0
        for at in range(line * line_bytes, (line + 1) * line_bytes):
            symbol = book[part + _RANGE + raw[at]]
            width = high - low + 1
            high = low + (width * book[part + _CUM + symbol + 1] >> PROBABILITY_BITS) - 1
            low += width * book[part + _CUM + symbol] >> PROBABILITY_BITS
            shared = _shared_bits(low, high)
            low = low << shared & (_TOP - 1)
            high = (high << shared & (_TOP - 1)) | ((1 << shared) - 1)
            middle = _middle_bits(low, high)
            low = low << middle & (_HALF - 1)
            high = (high << middle & (_TOP - 1)) | ((1 << middle) - 1) | _HALF
            n_bits += shared + middle + book[part + _PLACE + symbol]
            part += BOOK_SIZE
            if part == word_bytes * BOOK_SIZE:
                part = 0
        bits[line] = n_bits
    return bits


@kernel
def pack_lines(raw: Bytes, line_bytes: int, word_bytes: int, book: Book, out: Bytes) -> int:
    """Write the lines of `raw` to `out` (zeros, with SLACK_BYTES of room) and return the bits used."""
    bit = 0
    for line in range(0, raw.size, line_bytes):
        low, high, waiting = as_int(0), as_int(_TOP - 1), as_int(0)
        for at in range(line, line + line_bytes):
            part = (at - line) % word_bytes * BOOK_SIZE
            symbol = book[part + _RANGE + raw[at]]
            width = high - low + 1
            high = low + (width * book[part + _CUM + symbol + 1] >> PROBABILITY_BITS) - 1
            low += width * book[part + _CUM + symbol] >> PROBABILITY_BITS
            while low >= _HALF or high < _HALF:
                bit = _put_bit(out, bit, low >> (_CODE_BITS - 1), waiting)
                waiting = as_int(0)
                low, high = low << 1 & (_TOP - 1), (high << 1 & (_TOP - 1)) | 1
            while low >= _QUARTER and high < _HALF + _QUARTER:
                waiting += 1
                low, high = (low - _QUARTER) << 1, (high - _QUARTER) << 1 | 1
        bit = _put_bit(out, bit, as_int(low >= _QUARTER), waiting + 1)
        for at in range(line, line + line_bytes):
            part = (at - line) % word_bytes * BOOK_SIZE
            symbol = book[part + _RANGE + raw[at]]
            bit = put(out, bit, np.uint64(raw[at] - book[part + symbol]), book[part + _PLACE + symbol])
    return bit


@kernel
def unpack_lines(data: Bytes, n_bits: int, line_bytes: int, word_bytes: int, book: Book, raw: Bytes) -> int:
    """Fill `raw` (a whole number of lines) and return the bits read, or -1 where a line is not valid."""
    bit = 0
    symbols = np.empty(line_bytes, np.uint8)
    for line in range(0, raw.size, line_bytes):
        bit = _get_symbols(data, n_bits, bit, word_bytes, book, symbols)
        if bit < 0:
            return -1
        for place in range(line_bytes):
            part = place % word_bytes * BOOK_SIZE
            symbol = as_int(symbols[place])
            place_bits = book[part + _PLACE + symbol]
            if bit + place_bits > n_bits:
                return -1
            value = book[part + symbol]
            if place_bits > 0:
                value += as_int(get(data, bit, place_bits))
            bit += place_bits
            if value >= N_VALUES or book[part + _RANGE + value] != symbol:
                return -1
            raw[line + place] = value
    return bit


@kernel
def _get_symbols(data: Bytes, n_bits: int, bit: int, word_bytes: int, book: Book, symbols: Bytes) -> int:
    """Fill `symbols` from the arithmetic code at `bit` and return where it ends, or -1 behind `n_bits`."""
    low, high, code = as_int(0), as_int(_TOP - 1), as_int(0)
    if bit + FLUSH_BITS > n_bits:
        return -1
    for place in range(_CODE_BITS):
        code = code << 1 | as_int(get(data, bit + place, 1))
    for index in range(symbols.size):
        part = index % word_bytes * BOOK_SIZE
        width = high - low + 1
        target = ((code - low + 1) * TOTAL - 1) // width
        symbol = 0
        while book[part + _CUM + symbol + 1] <= target:
            symbol += 1
        symbols[index] = symbol
        high = low + (width * book[part + _CUM + symbol + 1] >> PROBABILITY_BITS) - 1
        low += width * book[part + _CUM + symbol] >> PROBABILITY_BITS
        while True:
            if low >= _HALF or high < _HALF:
                low, high, code = low & (_HALF - 1), high & (_HALF - 1), code & (_HALF - 1)
            elif low >= _QUARTER and high < _HALF + _QUARTER:
                low, high, code = low - _QUARTER, high - _QUARTER, code - _QUARTER
            else:
                break
            if bit + 1 + FLUSH_BITS > n_bits:
                return -1
            low, high = low << 1, high << 1 | 1
            code = code << 1 | as_int(get(data, bit + _CODE_BITS, 1))
            bit += 1
    return bit + FLUSH_BITS


@kernel
def _shared_bits(low: int, high: int) -> int:
    """How many of the highest of 16 bits are the same in both."""
    return as_int(leading_zeros(np.uint64(low ^ high))) - (64 - _CODE_BITS)


@kernel
def _middle_bits(low: int, high: int) -> int:
    """How many bits behind the highest are 1 in `low` and 0 in `high`: the coder cannot tell them yet."""
    other = ~(low & ~high) & (_HALF - 1)
    return as_int(leading_zeros(np.uint64(other))) - (64 - _CODE_BITS + 1)


@kernel
def _put_bit(out: Bytes, bit: int, value: int, waiting: int) -> int:
    """Write `value` and the opposite of it `waiting` times."""
    bit = put(out, bit, np.uint64(value), 1)
    for _ in range(waiting):
        bit = put(out, bit, np.uint64(1 - value), 1)
    return bit


@kernel
def byte_counts(raw: Bytes, word_bytes: int) -> npt.NDArray[np.int64]:
    """Return how often each value occurs in each byte of the words, int64[word_bytes, 256]."""
    counts = np.zeros((word_bytes, N_VALUES), np.int64)
    for at in range(0, raw.size, word_bytes):
        for part in range(word_bytes):
            counts[part, raw[at + part]] += 1
    return counts


@kernel
def best_ranges(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the first values of the N_RANGES ranges that take fewest bits, int64[N_RANGES], ascending.

    Dynamic programming over where a range ends; bits in fixed point, so that every machine finds the same.
    """
    total = np.zeros(N_VALUES + 1, np.int64)
    for value in range(N_VALUES):
        total[value + 1] = total[value] + counts[value]
    log_total = _log2(total[N_VALUES])
    far = as_int(1) << 62
    best = np.full((N_RANGES + 1, N_VALUES + 1), far, np.int64)
    begin = np.zeros((N_RANGES + 1, N_VALUES + 1), np.int64)
    best[0, 0] = 0
    for end in range(1, N_VALUES + 1):
        for start in range(end):
            inside = total[end] - total[start]
            cost = inside * (log_total - _log2(inside) + (_place_bits(end - start) << _LOG_BITS))
            for n in range(1, N_RANGES + 1):
                if best[n - 1, start] + cost < best[n, end]:
                    best[n, end] = best[n - 1, start] + cost
                    begin[n, end] = start
    starts = np.zeros(N_RANGES, np.int64)
    end = N_VALUES
    for n in range(N_RANGES, 0, -1):
        end = begin[n, end]
        starts[n - 1] = end
    return starts


@kernel
def _place_bits(n_values: int) -> int:
    return 64 - as_int(leading_zeros(np.uint64(n_values - 1)))


@kernel
def _log2(count: int) -> int:
    """The logarithm to base 2 in units of 2**-_LOG_BITS; 0 of 0."""
    if count <= 0:
        return 0
    whole = 63 - as_int(leading_zeros(np.uint64(count)))
    # A mantissa of 30 bits, squared once for each bit of the fraction.
    mantissa = count << (30 - whole) if whole <= 30 else count >> (whole - 30)
    fraction = 0
    for _ in range(_LOG_BITS):
        mantissa = mantissa * mantissa >> 30
        fraction <<= 1
        if mantissa >= 1 << 31:
            mantissa >>= 1
            fraction |= 1
    return whole << _LOG_BITS | fraction
