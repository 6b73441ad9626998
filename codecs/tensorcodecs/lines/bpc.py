"""Bit-plane compression (BPC) of memory lines, and Compresso's variant."""

from __future__ import annotations

from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import bpc


class Bpc(LineCodec):
    """BPC over lines of `block_bytes` as 32-bit words, whatever the array's; see docs/formats/bpc.md.

    A line takes at least 10 bits: a base of 3 and one run of 33 zero planes.
    """

    name = "bpc"
    codec_id = "squeezemark.bpc"
    title = "bit-plane compression"
    source = "Kim et al., Bit-Plane Compression, ISCA 2016"
    version = "1"
    word_bytes = 4
    line_bits_min = 10
    kernels = LineKernels(bpc.line_bits, bpc.pack_lines, bpc.unpack_lines)

    def __init__(self, block_bytes: int = 128) -> None:
        super().__init__(block_bytes)


class BpcCompresso(LineCodec):
    """Compresso's BPC over lines of 64 bytes; see docs/formats/bpc-compresso.md.

    A line takes at least 8 bits: the selector and one run of 32 zero planes.
    """

    name = "bpc-compresso"
    codec_id = "squeezemark.bpc-compresso"
    title = "bit-plane compression in Compresso"
    source = "Choukse, Erez and Alameldeen, Compresso, MICRO 2018"
    version = "1"
    legal_line_bytes = (bpc.COMPRESSO_BYTES,)
    word_bytes = 4
    line_bits_min = 8
    kernels = LineKernels(bpc.compresso_bits, bpc.pack_compresso, bpc.unpack_compresso)
