"""Frequent-pattern compression (FPC): 32-bit words as one of eight patterns."""

from __future__ import annotations

from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import fpc


class Fpc(LineCodec):
    """FPC over lines of `block_bytes` as 32-bit words, whatever the array's; see docs/formats/fpc.md."""

    name = "fpc"
    codec_id = "squeezemark.fpc"
    title = "frequent-pattern compression"
    source = "Alameldeen & Wood, Frequent Pattern Compression, UW-Madison TR-1500, 2004"
    version = "1"
    word_bytes = 1
    line_bits_min = fpc.PREFIX_BITS + fpc.RUN_BITS
    kernels = LineKernels(fpc.line_bits, fpc.pack_lines, fpc.unpack_lines)
