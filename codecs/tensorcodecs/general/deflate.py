"""Deflate: as a zlib stream, the codec everybody has, and bare with a window as small as hardware has."""

from __future__ import annotations

import zlib

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec, one_of, whole_number

_WINDOWS = tuple(1 << bits for bits in range(9, 16))


class Zlib(TensorCodec):
    """zlib streams, interchangeable with numcodecs' `zlib`. Deflate expands at most 1032 times."""

    name = "zlib"
    codec_id = "zlib"
    title = "zlib (Deflate)"
    source = "RFC 1950, RFC 1951"
    version = zlib.ZLIB_RUNTIME_VERSION
    sees_bytes = True

    def __init__(self, level: int = 6) -> None:
        self.level = whole_number("level", level, 0, 9)

    def pack(self, words: Array) -> bytes:
        """Return one zlib stream."""
        return zlib.compress(words.data, self.level)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the stream's content; it must end exactly where `data` does."""
        return _content(data, zlib.MAX_WBITS, "zlib")


class Deflate(TensorCodec):
    """Deflate streams without header and checksum, with matches from the last `window_bytes` alone."""

    name = "deflate"
    codec_id = "squeezemark.deflate"
    title = "raw Deflate, window of some KiB"
    source = "RFC 1951"
    version = zlib.ZLIB_RUNTIME_VERSION
    sees_bytes = True

    def __init__(self, level: int = 6, window_bytes: int = 4096) -> None:
        self.level = whole_number("level", level, 0, 9)
        self.window_bytes = one_of("window_bytes", window_bytes, _WINDOWS)

    def pack(self, words: Array) -> bytes:
        """Return one Deflate stream."""
        log2_window = self.window_bytes.bit_length() - 1
        stream = zlib.compressobj(self.level, zlib.DEFLATED, -log2_window)
        return stream.compress(words.data) + stream.flush()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the stream's content, whatever its window was; it must end exactly where `data` does."""
        return _content(data, -zlib.MAX_WBITS, "Deflate")


def _content(data: Bytes, window_bits: int, kind: str) -> Bytes:
    stream = zlib.decompressobj(window_bits)
    try:
        content = stream.decompress(data.data)
    except zlib.error as error:
        raise DecodeError(f"not a {kind} stream: {error}") from error
    if not stream.eof or stream.unused_data:
        raise DecodeError(f"bytes behind the {kind} stream" if stream.eof else f"{kind} stream is truncated")
    return np.frombuffer(content, np.uint8)
