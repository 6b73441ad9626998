"""The header that our frames share: word width, number of words, and a codec's own parameters.

Byte 0 holds log2 of the word width in bytes (0..3), its other bits are 0. Then come unsigned LEB128
varints: the number of words, then each parameter. A decoder checks the count against what the payload
could hold before it allocates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tensorcodecs.arrays import WORD_DTYPES, Array, Bytes, Frame
from tensorcodecs.base import DecodeError

_VARINT_BYTES_MAX = 9  # 63 bits: every count fits a signed 64-bit integer
_LENGTH_BYTES = 4


class Header(NamedTuple):
    """What a frame begins with, and the payload behind it."""

    word_dtype: np.dtype[np.unsignedinteger]
    n_words: int
    parameters: tuple[int, ...]
    payload: Bytes


def pack_header(words: Array, *parameters: int) -> bytes:
    """Return the header of a frame that holds `words` (1-D, unsigned)."""
    log2_word_bytes = words.itemsize.bit_length() - 1
    return bytes([log2_word_bytes]) + b"".join(_varint(value) for value in (words.size, *parameters))


def join(header: bytes, payload: Bytes, used_bytes: int) -> bytes:
    """Return the frame of `header` and the first `used_bytes` of `payload`."""
    return b"".join((header, payload[:used_bytes].data))


def shortened(frame: Bytes, used_bytes: int) -> Frame:
    """Return the first `used_bytes` of `frame`, whose memory must be its own.

    It is a view where they are at least half of it, so that most is not copied, and a frame that is kept
    holds at most twice its size.
    """
    used = frame[:used_bytes]
    return used.data.toreadonly() if 2 * used_bytes >= frame.size else used.tobytes()


def unpack_header(data: Bytes, words_per_byte_max: int, n_parameters: int = 0) -> Header:
    """Read the header of the frame `data`.

    Raises DecodeError where it is not valid, or states more than `words_per_byte_max` words for each byte
    of payload.
    """
    if data.size == 0 or data[0] > 3:
        raise DecodeError("no frame header: it begins with log2 of the word width, 0 to 3")
    values = []
    at = 1
    for _ in range(1 + n_parameters):
        value, at = _read_varint(data, at)
        values.append(value)
    payload = data[at:]
    if values[0] > words_per_byte_max * payload.size:
        raise DecodeError(f"{payload.size} bytes of payload cannot hold {values[0]} words")
    return Header(WORD_DTYPES[1 << int(data[0])], values[0], tuple(values[1:]), payload)


class Cut(NamedTuple):
    """From where on an array is too large for a library, and the size of the pieces that it is cut into."""

    above_bytes: int
    piece_bytes: int = 1 << 30
    """A multiple of 8; the last piece is shorter."""

    def pieces(self, words: Array) -> list[Array]:
        """Return the pieces of `words` (1-D): one, where they are not too many."""
        if words.nbytes <= self.above_bytes:
            return [words]
        step = self.piece_bytes // words.itemsize
        return [words[at : at + step] for at in range(0, words.size, step)]


def join_pieces(coded: Iterable[Frame]) -> bytes:
    """Return the payload that holds several coded pieces, each behind its length."""
    return b"".join(part for piece in coded for part in (len(piece).to_bytes(_LENGTH_BYTES, "little"), piece))


def split_pieces(payload: Bytes, count: int) -> list[Bytes]:
    """Return the coded pieces in `payload`; DecodeError unless they are `count` and end where it does.

    A single one is the payload itself.
    """
    if count == 1:
        return [payload]
    coded, at = [], 0
    for _ in range(count):
        end = at + _LENGTH_BYTES
        length = int.from_bytes(payload[at:end].tobytes(), "little")
        coded.append(payload[end : end + length])
        at = end + length
    if at != payload.size:
        raise DecodeError(f"{payload.size} bytes are not {count} pieces, each behind its length")
    return coded


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def _read_varint(data: Bytes, at: int) -> tuple[int, int]:
    value = 0
    for position, byte in enumerate(data[at : at + _VARINT_BYTES_MAX].tolist()):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            if byte == 0 and position > 0:
                break
            return value, at + position + 1
    raise DecodeError("a number in the frame header is truncated, too long or not in its shortest form")
