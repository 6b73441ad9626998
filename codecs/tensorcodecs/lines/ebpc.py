"""Extended bit-plane compression (EBPC): zero runs, and bit planes of the values between them."""

from __future__ import annotations

from tensorcodecs.lines.base import LineCodec, LineKernels
from tensorcodecs.lines.kernels import ebpc


class Ebpc(LineCodec):
    """EBPC over blocks of `block_bytes`, as words of the array's width; see docs/formats/ebpc.md.

    Words of 8 bytes are taken as two of 4. The shortest block, 64 bytes as 16 words of zeros, takes 5 bits.
    """

    name = "ebpc"
    codec_id = "squeezemark.ebpc"
    title = "extended bit-plane compression"
    source = "Cavigelli et al., EBPC, JETCAS 2019"
    version = "1"
    legal_line_bytes = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
    line_bits_min = 5
    kernels = LineKernels(ebpc.line_bits, ebpc.pack_lines, ebpc.unpack_lines)

    def __init__(self, block_bytes: int = 4096) -> None:
        super().__init__(block_bytes)
