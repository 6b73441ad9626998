"""Which values share a line: the order in which a 4-d array lies in memory.

Frameworks and papers call the dimensions of feature maps N, C, H, W (of filters O, I, H, W). `nchw` is the
order that the corpus keeps; `nhwc` moves the channels last, so that a line holds one pixel's channels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorcodecs.arrays import Array, did_you_mean, in_memory_order, raw_bytes
from tensorcodecs.base import DecodeError

STORED = "nchw"
LAYOUTS = (STORED, "nhwc")
_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
_MARK = struct.Struct("<B4Q")


def checked(layout: str) -> str:
    """Return `layout`, or raise ValueError with the nearest legal one."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout={layout!r} is not legal{did_you_mean(str(layout), LAYOUTS)}")
    return layout


def laid_out(array: Array, layout: str) -> Array:
    """Return `array` as it lies in memory, in C order; only 4-d arrays differ between layouts."""
    if layout == STORED or array.ndim != 4:
        return np.asarray(in_memory_order(array))
    return np.ascontiguousarray(array.transpose(_TO_NHWC))


def mark(array: Array, layout: str) -> bytes:
    """Return what `unmark` needs to give the array's own order back; nothing where they are the same."""
    if layout == STORED:
        return b""
    shape = array.shape if array.ndim == 4 else (0, 0, 0, 0)
    return _MARK.pack(array.itemsize, *shape)


def unmark(data: Any, decode: Callable[[Any], Any]) -> Array:  # noqa: ANN401 - any buffer
    """Return the raw bytes, 1-D uint8, of a marked frame; DecodeError where mark and frame do not agree."""
    frame = raw_bytes(data)
    if frame.size < _MARK.size:
        raise DecodeError(f"{frame.size} bytes hold no layout: it takes {_MARK.size}")
    item_bytes, n, channels, height, width = _MARK.unpack(frame[: _MARK.size].tobytes())
    raw = raw_bytes(decode(frame[_MARK.size :]))
    if n * channels * height * width == 0:
        return raw
    if raw.size != n * channels * height * width * item_bytes:
        raise DecodeError(f"{raw.size} bytes are not {n}x{channels}x{height}x{width} of {item_bytes}")
    items = raw.reshape(n, height, width, channels, item_bytes)
    return np.ascontiguousarray(items.transpose(*_TO_NCHW, 4)).reshape(-1)
