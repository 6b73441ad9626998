"""FPC with a dictionary (FPC-D): 32-bit words as a pattern, or as one of the two words before them."""

from __future__ import annotations

from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import fpcd


class FpcD(LineCodec):
    """FPC-D over lines of `block_bytes` as 32-bit words, whatever the array's; see docs/formats/fpcd.md."""

    name = "fpcd"
    codec_id = "squeezemark.fpcd"
    title = "frequent-pattern compression with a dictionary"
    source = "Alameldeen & Agarwal, Opportunistic Compression for Direct-Mapped DRAM Caches, MEMSYS 2018"
    version = "1"
    word_bytes = 1
    line_bits_min = 8 * fpcd.PREFIX_BITS  # a line of 32 bytes
    kernels = LineKernels(fpcd.line_bits, fpcd.pack_lines, fpcd.unpack_lines)
