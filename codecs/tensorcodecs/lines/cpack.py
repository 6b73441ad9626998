"""C-Pack: 32-bit words as zero patterns or matches in a small dictionary."""

from __future__ import annotations

from typing import ClassVar

from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import cpack


class CPack(LineCodec):
    """C-Pack over lines of `block_bytes` as 32-bit words, whatever the array's; see docs/formats/cpack.md."""

    name = "cpack"
    codec_id = "squeezemark.cpack"
    title = "C-Pack"
    source = "Chen et al., C-Pack: A High-Performance Microprocessor Cache Compression Algorithm, TVLSI 2010"
    version = "1"
    word_bytes = 1
    entries: ClassVar[int] = cpack.ENTRIES
    """Words of 32 bits in the dictionary."""
    line_bits_min = 8 * cpack.ZERO_BITS  # a line of 32 bytes
    kernels = LineKernels(cpack.line_bits, cpack.pack_lines, cpack.unpack_lines)
