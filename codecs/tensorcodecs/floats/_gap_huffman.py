"""What DFloat11 and ECF8 share: coded exponents with what parallel decoders need, and the other bits."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError, TypedCodec
from tensorcodecs.floats.kernels.gap_huffman import (
    BLOCK_BITS,
    BLOCK_THREADS,
    N_TABLES_MAX,
    gap_code,
    gap_decode,
    gap_encode,
)
from tensorcodecs.frame import pack_header, unpack_header

_WORDS_PER_BYTE_MAX = 2


class GapHuffman(TypedCodec):
    """Floats of one format, others stored; see docs/formats/dfloat11.md."""

    numbers: ClassVar[NumberFormat]
    gap_bits: ClassVar[int]
    position_dtype: ClassVar[str]
    tables_max: ClassVar[int] = N_TABLES_MAX
    """Look-up tables of 8 bits that a frame has room for."""

    @abstractmethod
    def split(self, words: Array) -> tuple[Bytes, Bytes]:
        """Return the exponents, a byte each, and the other bits, packed."""

    @abstractmethod
    def merge(self, exponents: Bytes, others: Bytes) -> Array:
        """Undo `split`."""

    @abstractmethod
    def others_bytes(self, n_words: int) -> int:
        """Return how many bytes the other bits of so many words take."""

    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return the frame: header, tables, gaps, positions, stream, other bits; or words as they are."""
        is_countable = 0 < words.size <= np.iinfo(self.position_dtype).max
        coded = self._coded(words) if numbers == self.numbers and is_countable else None
        if coded is None or len(coded) >= words.nbytes:
            return pack_header(words, 0, 0) + words.tobytes()
        return coded

    def warm_up(self) -> None:
        """Compile all that encoding and decoding need."""
        super().warm_up()
        word_bytes = (1 + self.numbers.exponent_bits + self.numbers.mantissa_bits) // 8
        words = np.resize(np.arange(40, dtype=f"u{word_bytes}"), 20_000)
        words.flags.writeable = False
        self.decode(self.pack_typed(words, self.numbers, words.shape))

    def _coded(self, words: Array) -> bytes | None:
        exponents, others = self.split(words)
        tables = np.zeros((N_TABLES_MAX, 256), np.uint8)
        codes = np.empty(256, np.int64)
        exponents.flags.writeable = False
        n_tables = gap_code(exponents, tables, codes)
        if n_tables == 0:
            return None
        lengths = tables[n_tables - 1]
        n_bits = int(np.bincount(exponents, minlength=256) @ lengths.astype(np.int64))
        n_bytes, n_blocks = -(-n_bits // 8), -(-n_bits // BLOCK_BITS)
        stream, gaps = np.zeros(n_bytes, np.uint8), np.zeros(n_blocks * BLOCK_THREADS, np.uint8)
        positions = np.zeros(n_blocks + 1, np.int64)
        gap_encode(exponents, lengths, codes, stream, gaps, positions)
        positions[n_blocks] = words.size
        packed_gaps = np.packbits(np.unpackbits(gaps[:, None], axis=1)[:, -self.gap_bits :])
        parts = (tables[:n_tables], packed_gaps, positions.astype(self.position_dtype), stream, others)
        return b"".join((pack_header(words, n_tables, n_bytes), *(part.tobytes() for part in parts)))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; stream, gaps and positions must say the same."""
        header = unpack_header(data, _WORDS_PER_BYTE_MAX, n_parameters=2)
        n_tables, n_bytes = header.parameters
        n, payload = header.n_words, header.payload
        if n_tables == 0:
            if n_bytes or payload.size != n * header.word_dtype.itemsize:
                raise DecodeError(f"{payload.size} bytes are not {n} stored words")
            return payload.copy()
        return self._decoded(header.word_dtype.itemsize, n, n_tables, n_bytes, payload)

    def _decoded(self, width: int, n: int, n_tables: int, n_bytes: int, payload: Bytes) -> Bytes:
        n_blocks = -(-8 * n_bytes // BLOCK_BITS)
        position_bytes = np.dtype(self.position_dtype).itemsize
        gaps_bytes = n_blocks * BLOCK_THREADS * self.gap_bits // 8
        positions_bytes = (n_blocks + 1) * position_bytes
        sizes = (256 * n_tables, gaps_bytes, positions_bytes, n_bytes, self.others_bytes(n))
        word_bits = 1 + self.numbers.exponent_bits + self.numbers.mantissa_bits
        if not 2 <= n_tables <= N_TABLES_MAX or 8 * width != word_bits or sum(sizes) != payload.size or not n:
            raise DecodeError(f"the parts of the frame do not fill its {payload.size} bytes")
        tables, gaps, positions, stream, others = np.split(payload, np.cumsum(sizes)[:-1])
        bits = np.unpackbits(gaps).reshape(-1, self.gap_bits)
        starts = np.ascontiguousarray(positions).copy().view(self.position_dtype)
        exponents = np.empty(n, np.uint8)
        unpacked_gaps = (np.packbits(bits, axis=1).ravel() >> (8 - self.gap_bits)).astype(np.uint8)
        rows = tables.reshape(n_tables, 256)
        used = gap_decode(stream, rows, unpacked_gaps, starts.astype(np.int64), exponents)
        if used != n_bytes or int(starts[-1]) != n:
            raise DecodeError("stream, gaps and positions do not say the same")
        return self.merge(exponents, others).view(np.uint8)
