"""Zero-value compression (ZVC): a mask of the non-zero words, then those words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import BlockCodec, DecodeError, one_of
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.zeros import nonzero_masks
from tensorcodecs.sparse.kernels.zvc import SLACK_BYTES, pack_blocks, unpack_blocks

# From 64 B on, the mask of a block is whole bytes for every word width.
_BLOCK_BYTES = (64, 128, 256, 512, 1024, 2048, 4096)


class Zvc(BlockCodec):
    """ZVC over the array's own words; see docs/formats/zvc.md. It expands at most 64 times."""

    name = "zvc"
    codec_id = "squeezemark.zvc"
    title = "zero-value compression"
    source = "Rhu et al., Compressing DMA Engine, HPCA 2018"
    version = "1"

    def __init__(self, block_bytes: int = 64) -> None:
        self.block_bytes = one_of("block_bytes", block_bytes, _BLOCK_BYTES)

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then for each block its mask and its non-zero words."""
        masks = self._masks(words)
        out = np.empty(masks.size + words.nbytes + SLACK_BYTES, np.uint8)
        mask_bytes = self.block_bytes // words.itemsize // 8
        used_bytes = pack_blocks(words, masks, 0, masks.size, mask_bytes, out, 0)
        return join(pack_header(words, self.block_bytes), out, used_bytes)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; every mask bit stands for one word at most."""
        header = unpack_header(data, words_per_byte_max=8, n_parameters=1)
        block_bytes = header.parameters[0]
        if block_bytes not in _BLOCK_BYTES:
            raise DecodeError(f"blocks of {block_bytes} bytes")
        words = np.empty(header.n_words, header.word_dtype)
        mask_bytes = block_bytes // words.itemsize // 8
        if unpack_blocks(header.payload, 0, mask_bytes, words, 0, words.size) != header.payload.size:
            raise DecodeError("the blocks do not end where the frame does")
        return words.view(np.uint8)

    def count_bits(self, words: Array) -> npt.NDArray[np.int32]:
        """Return 8 * (mask bytes + bytes of non-zero words) of each block, int32[n_blocks]."""
        masks = self._masks(words)
        mask_bytes = self.block_bytes // words.itemsize // 8
        counts: npt.NDArray[Any] = np.bitwise_count(masks.view(f"u{min(mask_bytes, 8)}"))
        if mask_bytes > 8:
            counts = counts.reshape(-1, mask_bytes // 8).sum(axis=1)
        coded_bytes: npt.NDArray[np.int32] = mask_bytes + words.itemsize * counts.astype(np.int32)
        return 8 * coded_bytes

    def _masks(self, words: Array) -> Bytes:
        n_blocks = -(-words.nbytes // self.block_bytes)
        masks = np.empty(n_blocks * (self.block_bytes // words.itemsize // 8), np.uint8)
        nonzero_masks(words, masks)
        return masks
