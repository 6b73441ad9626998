"""Zstandard: the general-purpose codec to beat."""

from __future__ import annotations

import threading
from typing import Any, Self

import numpy as np
import zstandard

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, whole_number

# The densest thing a frame can hold is a run-length block: 3 + 1 bytes stand for at most 128 KiB.
_RLE_BLOCK_CODED_BYTES = 4
_BLOCK_BYTES_MAX = 128 * 1024


class Zstd(TensorCodec):
    """Zstandard frames with their content size, interchangeable with numcodecs' `zstd`."""

    name = "zstd"
    family = "general-purpose"
    codec_id = "zstd"
    title = "Zstandard"
    source = "RFC 8878"
    version = ".".join(map(str, zstandard.ZSTD_VERSION))

    def __init__(self, level: int = 3) -> None:
        self.level = whole_number("level", level, -131072, zstandard.MAX_COMPRESSION_LEVEL)

    def pack(self, words: Array) -> bytes:
        """Return one frame that declares its content size."""
        return _contexts.compressor(self.level).compress(words.data)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the frame's content; a size that its blocks could not hold is refused unallocated."""
        return frame_content(data)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Accept numcodecs' configuration too, whose `checksum` we do not write."""
        settings = dict(config)
        if settings.pop("checksum", False):
            raise ValueError("checksum=true is not legal here: use numcodecs.zstd:checksum=true")
        return cls(**settings)


class _OfThread(threading.local):
    """Each thread's own contexts, none of which may be shared.

    Making one costs as much time as coding some tens of kilobytes.
    """

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}

    def compressor(self, level: int) -> zstandard.ZstdCompressor:
        """The one of the last level asked for: those of high levels hold hundreds of megabytes."""
        if level not in self.compressors:
            self.compressors = {level: zstandard.ZstdCompressor(level=level)}
        return self.compressors[level]


_contexts = _OfThread()


def frame_content(data: Bytes, dictionary: zstandard.ZstdCompressionDict | None = None) -> Bytes:
    """Return the content of one whole zstd frame; DecodeError before what it could not hold is allocated."""
    try:
        content_bytes = zstandard.get_frame_parameters(data.data).content_size
        if content_bytes > _BLOCK_BYTES_MAX * (data.size // _RLE_BLOCK_CODED_BYTES):
            raise DecodeError(f"a zstd frame of {data.size} bytes cannot hold {content_bytes}")
        decompressor = (
            zstandard.ZstdDecompressor(dict_data=dictionary) if dictionary else _contexts.decompressor
        )
        content = decompressor.decompress(data.data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DecodeError(f"not a zstd frame: {error}") from error
    return np.frombuffer(content, np.uint8)
