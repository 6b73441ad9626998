"""Squeeze: this project's own codec, for tensors of any kind."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import TypedCodec, whole_number
from tensorcodecs.squeeze import _frame


class Squeeze(TypedCodec):
    """Dyadic bins, chosen block by block, coded by interleaved rANS in contexts; see docs/formats/squeeze.md.

    `effort` 1 codes without contexts, 2 with those of the best neighbours.
    """

    name = "squeeze"
    codec_id = "squeezemark.squeeze"
    title = "squeeze (dyadic bins, contexts, rANS)"
    source = (
        "this project, 2026; bins after pcodec (Loncaric, 2023), coder after Duda, 2013, and Giesen, 2014"
    )
    version = "2"

    def __init__(self, effort: int = 2) -> None:
        self.effort = whole_number("effort", effort, 1, 2)

    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:
        """Return the frame: header, what is known of rows, then the blocks."""
        return _frame.pack(words, numbers, shape, self.effort)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the blocks must end exactly where the frame does."""
        words: Array = _frame.unpack(data)
        return words.view(np.uint8)

    def warm_up(self) -> None:
        """Compile what rows and number formats need, too."""
        super().warm_up()
        steps = np.arange(64)
        shifted = (steps[:, None] + (steps[None, :] * steps[:, None] % 5 == 1)).astype(np.int8)
        products = np.outer(steps, steps[1:]).astype(np.float32)
        for array in (shifted, products, np.repeat(products, 2, axis=0)):
            self.decode(self.encode(array))
