"""Deflate page by page, as engines beside memory controllers do: every page decodes alone."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import BlockCodec, DecodeError, one_of, whole_number
from tensorcodecs.frame import pack_header, unpack_header

_PAGE_BYTES = (1024, 2048, 4096)
_OVERHEAD_BYTES_MAX = 64  # what a stream may be longer than its page


class DeflatePages(BlockCodec):
    """A bare Deflate stream for each page, windows of 4 KiB; see docs/formats/deflate-pages.md."""

    name = "deflate-pages"
    codec_id = "squeezemark.deflate-pages"
    title = "raw Deflate, page by page"
    source = "RFC 1951"
    version = zlib.ZLIB_RUNTIME_VERSION

    def __init__(self, level: int = 6, block_bytes: int = 4096) -> None:
        self.level = whole_number("level", level, 0, 9)
        self.block_bytes = one_of("block_bytes", block_bytes, _PAGE_BYTES)

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, then the pages' streams without gaps."""
        return pack_header(words, self.block_bytes) + b"".join(self._streams(words))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; every stream must hold one page, and the last end where the frame does."""
        header = unpack_header(data, words_per_byte_max=1032, n_parameters=1)
        page_bytes, n_bytes = header.parameters[0], header.n_words * header.word_dtype.itemsize
        if page_bytes not in _PAGE_BYTES:
            raise DecodeError(f"pages of {page_bytes} bytes")
        rest, pages, at = header.payload.tobytes(), [], 0
        for _ in range(0, n_bytes, page_bytes):
            page, used_bytes = _inflate(rest[at : at + page_bytes + _OVERHEAD_BYTES_MAX], page_bytes)
            pages.append(page)
            at += used_bytes
        if at != len(rest):
            raise DecodeError("the streams do not end where the frame does")
        return np.frombuffer(b"".join(pages), np.uint8)[:n_bytes]

    def count_bits(self, words: Array) -> npt.NDArray[np.int32]:
        """Return the bits of each page's stream, whole bytes, int32[n_pages]; it packs them to know."""
        return np.array([8 * len(stream) for stream in self._streams(words)], np.int32)

    def _streams(self, words: Array) -> list[bytes]:
        raw = words.tobytes() + bytes(-words.nbytes % self.block_bytes)
        pages = (raw[at : at + self.block_bytes] for at in range(0, len(raw), self.block_bytes))
        return [zlib.compress(page, self.level, -12) for page in pages]


def _inflate(data: bytes, page_bytes: int) -> tuple[bytes, int]:
    """Return the page in the stream that `data` begins with, and how long this is."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        page = stream.decompress(data, page_bytes + 1)
    except zlib.error as error:
        raise DecodeError(f"not a Deflate stream: {error}") from error
    if not stream.eof or len(page) != page_bytes:
        raise DecodeError(f"no whole Deflate stream of one page of {page_bytes} bytes")
    return page, len(data) - len(stream.unused_data)
