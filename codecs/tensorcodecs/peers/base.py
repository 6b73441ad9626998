"""Codecs around libraries that trust their input: our header with a checksum, then the library's bytes.

See docs/formats/README.md, "Frames of libraries".
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from tensorcodecs.arrays import Array, ArrayOrBuffer, Bytes, NumberFormat, number_format, raw_bytes
from tensorcodecs.base import DecodeError, TypedCodec
from tensorcodecs.frame import Cut, Header, join_pieces, pack_header, split_pieces, unpack_header

FLOAT16, BFLOAT16 = NumberFormat("float", 5, 10), NumberFormat("float", 8, 7)
FLOAT32, FLOAT64 = NumberFormat("float", 8, 23), NumberFormat("float", 11, 52)
FLOAT8_E4M3, FLOAT8_E5M2 = NumberFormat("float", 4, 3), NumberFormat("float", 5, 2)

# Libraries write constants in a few bytes, however many there are.
_WORDS_PER_BYTE_MAX = 1 << 26


class PeerCodec(TypedCodec):
    """A codec around a library: give `compress` and `decompress`, neither of which sees an empty array."""

    numbers_taken: ClassVar[tuple[NumberFormat, ...]] = ()
    """What it takes, if it does not take all: arrays of other numbers raise TypeError."""

    def takes(self, array: ArrayOrBuffer) -> bool:
        """Return whether the library has a notion of `array`'s numbers."""
        return not self.numbers_taken or number_format(array) in self.numbers_taken

    cut: ClassVar[Cut | None] = None
    """The library's limit, if it has one."""

    @abstractmethod
    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:
        """Return the library's bytes for `words` (at least one), as in `pack_typed`."""

    @abstractmethod
    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return what the payload holds; any exception means that it is not valid."""

    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:
        """Return the header with the checksum, and the library's bytes."""
        if self.numbers_taken and numbers not in self.numbers_taken:
            legal = " and ".join(f"{1 + n.exponent_bits + n.mantissa_bits}-bit" for n in self.numbers_taken)
            raise TypeError(f"{self.name} takes {legal} floats alone")
        pieces = self.cut.pieces(words) if self.cut else [words]
        if len(pieces) > 1:
            payload = join_pieces(self.compress(piece, numbers, piece.shape) for piece in pieces)
        else:
            payload = self.compress(words, numbers, shape) if words.size else b""
        return pack_header(words, _checksum(words.dtype, words.size, payload)) + payload

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the library sees only what its own encoder wrote."""
        header = unpack_header(data, _WORDS_PER_BYTE_MAX, n_parameters=1)
        if header.parameters[0] != _checksum(header.word_dtype, header.n_words, header.payload.tobytes()):
            raise DecodeError(f"the checksum of the {self.name} frame does not match")
        try:
            content = self._content(header)
        except Exception as error:  # libraries raise what they like
            raise DecodeError(f"not a {self.name} frame: {error}") from error
        if content.size != header.n_words * header.word_dtype.itemsize:
            raise DecodeError(f"the {self.name} frame holds {content.size} bytes, its header says otherwise")
        return content

    def _content(self, header: Header) -> Bytes:
        if not header.n_words:
            return header.payload
        n_bytes = header.n_words * header.word_dtype.itemsize
        if self.cut is None or n_bytes <= self.cut.above_bytes:
            return raw_bytes(self.decompress(header))
        words = np.empty(header.n_words, header.word_dtype)
        rooms = self.cut.pieces(words)
        for payload, room in zip(split_pieces(header.payload, len(rooms)), rooms, strict=True):
            piece = raw_bytes(self.decompress(header._replace(n_words=room.size, payload=payload)))
            if piece.size != room.nbytes:
                raise DecodeError(f"a piece holds {piece.size} bytes, not {room.nbytes}")
            room.view(np.uint8)[:] = piece
        return words.view(np.uint8)

    def warm_up(self) -> None:
        """Run tiny arrays of what it takes, so that the library has made its tables."""
        for numbers in self.numbers_taken:
            zeros = np.zeros(300, f"f{(1 + numbers.exponent_bits + numbers.mantissa_bits) // 8}")
            self.decode(self.encode(zeros))
        if not self.numbers_taken:
            super().warm_up()


def _checksum(dtype: np.dtype[Any], n_words: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(f"{dtype.itemsize} {n_words}".encode()))
