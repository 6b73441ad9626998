"""Decode canonical prefix codes from how many there are of each length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Bytes
from tensorcodecs.kernels import kernel
from tensorcodecs.kernels.memory import as_int
from tensorcodecs.lines.kernels.bitfields import get

LENGTH_BITS_MAX = 15
RANK_BITS = 32


@kernel
def code_at(data: Bytes, bit: int, n_bits: int, book: npt.NDArray[np.int64]) -> int:
    """Return rank | length << RANK_BITS of the code at `bit`, or -1 where it ends behind `n_bits`.

    The book begins with the number of codes of 0 to LENGTH_BITS_MAX bits, which are complete.
    """
    ahead = as_int(get(data, bit, LENGTH_BITS_MAX))
    code = first = rank = as_int(0)
    for length in range(1, LENGTH_BITS_MAX + 1):
        code |= ahead & 1
        ahead >>= 1
        count = book[length]
        if code - first < count:
            return rank + code - first | length << RANK_BITS if bit + length <= n_bits else -1
        rank += count
        first = (first + count) << 1
        code <<= 1
    return -1
