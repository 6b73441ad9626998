"""Zstandard: the general-purpose codec to beat."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import zstandard

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, whole_number
from tensorcodecs.general._zstd_contexts import contexts

# The densest thing a frame can hold is a run-length block: 3 + 1 bytes stand for at most 128 KiB.
_RLE_BLOCK_CODED_BYTES = 4
_BLOCK_BYTES_MAX = 128 * 1024


class Zstd(TensorCodec):
    """Zstandard frames with their content size, interchangeable with numcodecs' `zstd`."""

    name = "zstd"
    codec_id = "zstd"
    title = "Zstandard"
    source = "RFC 8878"
    version = ".".join(map(str, zstandard.ZSTD_VERSION))
    sees_bytes = True

    def __init__(self, level: int = 3) -> None:
        self.level = whole_number("level", level, -131072, zstandard.MAX_COMPRESSION_LEVEL)

    def pack(self, words: Array) -> bytes:
        """Return one frame that declares its content size."""
        return contexts.compressor(self.level).compress(words.data)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the frame's content; a size that its blocks could not hold is refused unallocated."""
        return frame_content(data)

    def get_config(self) -> dict[str, Any]:
        """Return numcodecs' configuration: Zarr looks for its `checksum`."""
        return {**super().get_config(), "checksum": False}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Accept numcodecs' configuration too, whose `checksum` we do not write."""
        settings = dict(config)
        if settings.pop("checksum", False):
            raise ValueError("checksum=true is not legal here: use numcodecs.zstd:checksum=true")
        return cls(**settings)


def frame_content(data: Bytes, dictionary: zstandard.ZstdCompressionDict | None = None) -> Bytes:
    """Return the content of one whole zstd frame; DecodeError before what it could not hold is allocated."""
    try:
        content_bytes = zstandard.get_frame_parameters(data.data).content_size
        if content_bytes > _BLOCK_BYTES_MAX * (data.size // _RLE_BLOCK_CODED_BYTES):
            raise DecodeError(f"a zstd frame of {data.size} bytes cannot hold {content_bytes}")
        own = zstandard.ZstdDecompressor(dict_data=dictionary) if dictionary else contexts.decompressor
        content = own.decompress(data.data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DecodeError(f"not a zstd frame: {error}") from error
    return np.frombuffer(content, np.uint8)
