"""Small numbers as bits, lowest bit first: what a coded block says about itself.

The position, in bits, stands in `cursor` (int64[1]). Reading behind the end gives zeros and moves the
cursor on, so a reader compares it with the size once, at the end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int

Cursor = npt.NDArray[np.int64]
UNARY_MAX = 24
_RICE_PARAMETERS = 4
_LENGTH_BITS = 6


@kernel
def write_bits(out: Bytes, cursor: Cursor, value: int, n_bits: int) -> None:
    """Write the lowest `n_bits` bits of `value`; bytes are set as they are begun."""
    for place in range(n_bits):
        at = cursor[0] >> 3
        if cursor[0] & 7 == 0:
            out[at] = 0
        out[at] |= ((value >> place) & 1) << (cursor[0] & 7)
        cursor[0] += 1


@kernel
def read_bits(data: Bytes, cursor: Cursor, n_bits: int) -> int:
    """Return the number that the next `n_bits` bits are."""
    value = as_int(0)
    for place in range(n_bits):
        at = cursor[0] >> 3
        if at < data.size:
            value |= as_int((data[at] >> (cursor[0] & 7)) & 1) << place
        cursor[0] += 1
    return value


@kernel
def write_number(out: Bytes, cursor: Cursor, value: int) -> None:
    """Write any number from 0 to 2**62: how many bits it has, then those."""
    n_bits = 0
    while value >> n_bits:
        n_bits += 1
    write_bits(out, cursor, n_bits, _LENGTH_BITS)
    write_bits(out, cursor, value, n_bits)


@kernel
def read_number(data: Bytes, cursor: Cursor) -> int:
    """Undo `write_number`."""
    return read_bits(data, cursor, min(read_bits(data, cursor, _LENGTH_BITS), 62))


@kernel
def write_rice(out: Bytes, cursor: Cursor, values: npt.NDArray[np.int64]) -> None:
    """Write `values` (not negative), Rice-coded with the best of a few parameters."""
    best = 0
    best_bits = as_int(1) << 62
    for parameter in range(_RICE_PARAMETERS):
        n_bits = as_int(0)
        for value in values:
            n_bits += _rice_bits(value, parameter)
        if n_bits < best_bits:
            best, best_bits = parameter, n_bits
    write_bits(out, cursor, best, 2)
    for value in values:
        quotient = value >> best
        if quotient >= UNARY_MAX:
            write_bits(out, cursor, (1 << UNARY_MAX) - 1, UNARY_MAX)
            write_number(out, cursor, value)
        else:
            write_bits(out, cursor, (1 << quotient) - 1, quotient + 1)
            write_bits(out, cursor, value, best)


@kernel
def _rice_bits(value: int, parameter: int) -> int:
    quotient = value >> parameter
    return UNARY_MAX + 40 if quotient >= UNARY_MAX else quotient + 1 + parameter


@kernel
def read_rice(data: Bytes, cursor: Cursor, values: npt.NDArray[np.int64]) -> None:
    """Undo `write_rice`: fill `values`."""
    parameter = read_bits(data, cursor, 2)
    for index in range(values.size):
        quotient = 0
        while quotient < UNARY_MAX and read_bits(data, cursor, 1):
            quotient += 1
        if quotient == UNARY_MAX:
            values[index] = read_number(data, cursor)
        else:
            values[index] = quotient << parameter | read_bits(data, cursor, parameter)


@kernel
def zigzag(value: int) -> int:
    """Return 0, 1, 2, 3, ... for 0, -1, 1, -2, ..."""
    return (value << 1) ^ (value >> 63)


@kernel
def unzigzag(value: int) -> int:
    """Undo `zigzag`."""
    return (value >> 1) ^ -(value & 1)
