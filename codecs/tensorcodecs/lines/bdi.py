"""Base-delta-immediate (BDI): cache lines as one base and small differences."""

from __future__ import annotations

from typing import ClassVar

from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import bdi


class Bdi(LineCodec):
    """BDI over lines of `block_bytes`, whatever the word width; see docs/formats/bdi.md.

    A line of zeros is a tag of 4 bits.
    """

    name = "bdi"
    codec_id = "squeezemark.bdi"
    title = "base-delta-immediate"
    source = "Pekhimenko et al., Base-Delta-Immediate Compression, PACT 2012"
    version = "1"
    word_bytes = 1
    tag_bits: ClassVar[int] = bdi.TAG_BITS
    """Bits of a line's tag, which a cache keeps beside the line."""
    line_bits_min = tag_bits
    kernels = LineKernels(bdi.line_bits, bdi.pack_lines, bdi.unpack_lines)
