"""zstd's contexts, kept between calls: making one costs as much time as coding some tens of kilobytes."""

from __future__ import annotations

import threading

import zstandard

_KEPT_LEVEL_MAX = 12
"""Contexts of higher levels hold up to hundreds of megabytes, and take a small part of those levels' time."""


class Contexts(threading.local):
    """Each thread's own contexts, none of which may be shared."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()
        self._compressors: dict[int, zstandard.ZstdCompressor] = {}

    def compressor(self, level: int) -> zstandard.ZstdCompressor:
        """The kept one of the last level asked for; a new one for another or a high level."""
        if level in self._compressors:
            return self._compressors[level]
        made = zstandard.ZstdCompressor(level=level)
        if level <= _KEPT_LEVEL_MAX:
            self._compressors = {level: made}
        return made


contexts = Contexts()
