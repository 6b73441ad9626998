"""Extended bit-plane compression beside an accelerator's buffer (Cavigelli et al., JETCAS 2019)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hwmodels.base import HardwareModel
from hwmodels.figures import Circuit, Figure, circuit_figures
from hwmodels.layouts import STORED, laid_out
from tensorcodecs.arrays import Array, as_words
from tensorcodecs.lines.ebpc import Ebpc

_PAPER = "Cavigelli et al., JETCAS 2019: encoder 2.8 kGE, decoder 1.7 kGE"
_RTL = "stream-ebpc, the authors' RTL, simulated: 0.80 words a cycle dense, 1.00 at 62 % zeros"
_DENSE_WORDS_PER_CYCLE, _SPARSE_WORDS_PER_CYCLE, _SPARSE = 0.80, 1.00, 0.62
_FIRST_WORD_CYCLES = 12


class EbpcEngine(HardwareModel):
    """Blocks of 4 KB, each with both its streams: a block decodes alone, a line within it does not."""

    name: ClassVar[str] = "hw/ebpc"
    title: ClassVar[str] = "extended bit-plane compression engine"
    source: ClassVar[str] = "Cavigelli et al., JETCAS 2019"
    revision: ClassVar[str] = "1"
    legal_line_bytes: ClassVar[tuple[int, ...]] = Ebpc.legal_line_bytes

    def __init__(self, line_bytes: int = 4096, layout: str = STORED) -> None:
        """Raises ValueError for a block size that the codec does not have."""
        super().__init__(line_bytes, layout)
        self.codec: Ebpc = Ebpc(block_bytes=line_bytes)
        # One word after another through an 8-bit data path: difference, planes of a group of eight, coder.
        path = {"adder16": 1, "register_bit": 8 * 9 * 2 + 64, "comparator8": 8, "shifter32": 2}
        circuit = Circuit(path, cycles_per_line=line_bytes / _DENSE_WORDS_PER_CYCLE, activity=0.5)
        speed = Figure(_DENSE_WORDS_PER_CYCLE, "B/cycle", "published", f"{_RTL}; words of 8 bits")
        self.figures = {
            "compress_latency_cycles": Figure(_FIRST_WORD_CYCLES, "cycles", "estimate", "as the decoder's"),
            "decompress_latency_cycles": Figure(
                _FIRST_WORD_CYCLES, "cycles", "published", f"{_RTL}; first word"
            ),
            "compress_bytes_per_cycle": speed,
            "decompress_bytes_per_cycle": speed,
            **circuit_figures(circuit, circuit, line_bytes),
            "compressor_area_ge": Figure(2800, "GE", "published", _PAPER),
            "decompressor_area_ge": Figure(1700, "GE", "published", _PAPER),
        }

    def decompress_cycles(self, array: Array) -> float:
        """Cycles for all words: the more zeros, the nearer to one word a cycle."""
        words = as_words(laid_out(array, self.layout))
        if words.size == 0:
            return 0.0
        sparse = min(1.0, (1 - np.count_nonzero(words) / words.size) / _SPARSE)
        rate = _DENSE_WORDS_PER_CYCLE + (_SPARSE_WORDS_PER_CYCLE - _DENSE_WORDS_PER_CYCLE) * sparse
        return _FIRST_WORD_CYCLES + (words.size - 1) / rate
