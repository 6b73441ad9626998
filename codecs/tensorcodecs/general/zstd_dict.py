"""Zstandard with a dictionary trained on samples: the first codec here that learns before it encodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import zstandard

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import FittedCodec, whole_number
from tensorcodecs.general.zstd import frame_content
from tensorcodecs.sampling import spread

# zstd's manual asks for a hundred times the dictionary; more than these 8 MiB makes training slower.
SAMPLE_BYTES, SAMPLES_MAX = 4096, 2048


class ZstdDict(FittedCodec):
    """Zstandard frames that refer to a trained dictionary; see docs/formats/zstd-dict.md."""

    name = "zstd-dict"
    codec_id = "squeezemark.zstd-dict"
    title = "Zstandard with a trained dictionary"
    source = "RFC 8878 (2021), section 5; training: fastCover of the zstd library, 2018"
    version = "1," + ".".join(map(str, zstandard.ZSTD_VERSION))
    sees_bytes = True

    def __init__(self, level: int = 3, dict_bytes: int = 16384) -> None:
        self.level = whole_number("level", level, -131072, zstandard.MAX_COMPRESSION_LEVEL)
        self.dict_bytes = whole_number("dict_bytes", dict_bytes, 1024, 1 << 20)
        self._dictionary: zstandard.ZstdCompressionDict | None = None

    def fit(self, samples: Iterable[Array]) -> bytes:
        """Return a dictionary; nothing where the samples are too few or too alike to train one."""
        parts = spread(samples, SAMPLE_BYTES, SAMPLES_MAX)
        try:
            return zstandard.train_dictionary(self.dict_bytes, parts, level=self.level).as_bytes()
        except zstandard.ZstdError:
            return b""

    def with_state(self, state: bytes) -> Self:
        """Return a codec of these settings with the dictionary `state`."""
        twin = super().with_state(state)
        twin._dictionary = zstandard.ZstdCompressionDict(state) if state else None
        try:
            if twin._dictionary:
                twin._dictionary.precompute_compress(level=self.level)
        except zstandard.ZstdError as error:
            raise ValueError(f"not a zstd dictionary: {error}") from error
        return twin

    def pack(self, words: Array) -> bytes:
        """Return the mark and one frame that declares its content size."""
        # The mark says which dictionary it is, so the frame need not.
        compressor = zstandard.ZstdCompressor(self.level, dict_data=self._dictionary, write_dict_id=False)
        return self.mark + compressor.compress(words.data)

    def unpack_body(self, body: Bytes) -> Bytes:
        """Return the frame's content."""
        return frame_content(body, self._dictionary)
