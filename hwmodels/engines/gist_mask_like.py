"""A mask of one bit a word and the non-zero words, after Gist (ISCA 2018)."""

from __future__ import annotations

from typing import ClassVar

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED
from tensorcodecs.sparse.zvc import Zvc


class GistMaskEngine(HardwareModel):
    """The bits of zero-value compression, in blocks as long as a buffer of activations.

    Gist keeps of a ReLU's output the mask alone where the backward pass asks for no more; here every bit
    comes back, so the non-zero words follow, and that is `zvc`. Gist runs on a GPU; the circuit is this
    project's: one lane, which keeps the mask of a whole block.
    """

    name: ClassVar[str] = "hw/gist-mask-like"
    title: ClassVar[str] = "ReLU mask and non-zero words"
    source: ClassVar[str] = "after Jain et al., ISCA 2018"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = (64, 128, 256, 512, 1024, 2048, 4096)

    def __init__(self, line_bytes: int = 4096, layout: str = STORED) -> None:
        """Raises ValueError for a line size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: Zvc = Zvc(block_bytes=line_bytes)
        word = "a word of 32 bits each cycle"
        self.figures = {
            "compress_latency_cycles": Figure(
                1 + line_bytes // 4, "cycles", "estimate", "the whole mask goes before the words"
            ),
            "decompress_latency_cycles": Figure(2, "cycles", "estimate", "a bit of the mask, then its word"),
            "compress_bytes_per_cycle": Figure(4, "B/cycle", "estimate", word),
            "decompress_bytes_per_cycle": Figure(4, "B/cycle", "estimate", word),
            **circuit_figures(*_circuits(line_bytes), line_bytes),
        }


def _circuits(line_bytes: int) -> tuple[Circuit, Circuit]:
    """A lane of 32 bits with a zero test, a counter into the mask; the compressor also buffers the block."""
    lane = {"mux2_bit": 32, "register_bit": 2 * 32 + 16, "adder16": 1, "sram_bit": 8 * line_bytes / 8}
    buffer = {"sram_bit": 8 * line_bytes * 9 / 8, "sram_access32": 2}
    cycles = line_bytes / 4
    return Circuit({**lane, "or2": 31, **buffer}, cycles), Circuit({**lane, "sram_access32": 1 / 32}, cycles)
