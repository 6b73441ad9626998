"""Eight bytes at a time: close the gaps where bytes are zero, and open them again.

Each byte that stays moves down by the number of zeros below it. As in Hacker's Delight, section 7-4, it
moves in three steps of 1, 2 and 4 places; which bytes take which step depends on the mask alone and stands
in a table. So there is no branch to mispredict, however random the zeros are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.kernels import kernel

_STEPS = (1, 2, 4)


def _make_movers() -> npt.NDArray[np.uint64]:
    """Return, uint64[256, 3], the bytes that take each step, for every mask of eight."""
    movers = np.zeros((256, len(_STEPS)), np.uint64)
    for mask in range(256):
        kept = [lane for lane in range(8) if mask >> lane & 1]
        for rank, lane in enumerate(kept):
            place = lane
            for column, step in enumerate(_STEPS):
                if (lane - rank) & step:
                    movers[mask, column] |= np.uint64(0xFF << 8 * place)
                    place -= step
    return movers


_MOVERS = _make_movers()
ONES = np.bitwise_count(np.arange(256, dtype=np.uint8))
"""The number of ones in every byte, uint8[256]."""
_LOW_BYTES = np.array([(1 << 8 * int(n)) - 1 for n in ONES], np.uint64)
_BITS_1, _BITS_2, _BITS_4 = (np.uint64(8 * step) for step in _STEPS)


@kernel
def close_gaps(eight: np.uint64, mask: np.uint8) -> np.uint64:
    """Return the bytes of `eight` whose bit in `mask` is 1, lowest first; the other bytes must be 0."""
    moving = eight & _MOVERS[mask, 0]
    eight = (eight ^ moving) | (moving >> _BITS_1)
    moving = eight & _MOVERS[mask, 1]
    eight = (eight ^ moving) | (moving >> _BITS_2)
    moving = eight & _MOVERS[mask, 2]
    return np.uint64((eight ^ moving) | (moving >> _BITS_4))


@kernel
def open_gaps(packed: np.uint64, mask: np.uint8) -> np.uint64:
    """Undo `close_gaps`; bytes of `packed` beyond the ones in `mask` are ignored."""
    eight = packed & _LOW_BYTES[mask]
    moving = eight & (_MOVERS[mask, 2] >> _BITS_4)
    eight = (eight ^ moving) | (moving << _BITS_4)
    moving = eight & (_MOVERS[mask, 1] >> _BITS_2)
    eight = (eight ^ moving) | (moving << _BITS_2)
    moving = eight & (_MOVERS[mask, 0] >> _BITS_1)
    return np.uint64((eight ^ moving) | (moving << _BITS_1))
