"""What formats of sparse rows share: row ends, relative indices of few bits, values."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError, TypedCodec, whole_number
from tensorcodecs.frame import Header, pack_header
from tensorcodecs.sparse.kernels.csr import count_entries, pack_bits, put_entries, take_entries, unpack_bits

_COLUMNS_MAX = 1 << 16
WORDS_PER_BYTE_MAX = _COLUMNS_MAX // 4


class SparseRows(TypedCodec):
    """Rows of words behind one another; see docs/formats/csr.md. What is a row, subclasses say."""

    def __init__(self, index_bits: int = 4) -> None:
        self.index_bits = whole_number("index_bits", index_bits, 1, 8)

    def pack_rows(self, words: Array, n_columns: int, *parameters: int) -> bytes | None:
        """Return a frame of rows whose header ends in `parameters`, or None where the words are shorter."""
        n_columns = min(max(n_columns, 1), _COLUMNS_MAX)
        ends = np.empty(-(-words.size // n_columns), np.int64)
        n_entries = count_entries(words, n_columns, (1 << self.index_bits) - 1, ends)
        gaps, values = np.empty(n_entries, np.uint8), np.empty(n_entries, words.dtype)
        take_entries(words, n_columns, (1 << self.index_bits) - 1, gaps, values)
        coded = pack_header(words, n_columns, n_entries, *parameters) + ends.astype("<u4").tobytes()
        coded += self.pack_entries(gaps, values)
        return coded if len(coded) < words.nbytes and n_entries < 1 << 32 else None

    def unpack_rows(self, header: Header) -> Array:
        """Return the words, row after row, of a frame whose first parameters are columns and entries."""
        (n_columns, n_entries), payload = header.parameters[:2], header.payload
        if n_columns == n_entries == 0 and payload.size == header.n_words * header.word_dtype.itemsize:
            return payload.copy().view(header.word_dtype)
        ends_bytes = 4 * -(-header.n_words // max(n_columns, 1))
        if not 0 < n_columns <= _COLUMNS_MAX or n_entries > header.n_words or ends_bytes > payload.size:
            raise DecodeError(f"{n_entries} entries in rows of {n_columns} do not fit {header.n_words} words")
        ends = np.frombuffer(payload[:ends_bytes].tobytes(), "<u4").astype(np.int64)
        gaps, values = self.unpack_entries(payload[ends_bytes:], n_entries, header.word_dtype)
        words = np.zeros(header.n_words, header.word_dtype)
        if not put_entries(gaps, values, n_columns, ends, words):
            raise DecodeError("the entries do not fit their rows")
        return words

    def pack_entries(self, gaps: Bytes, values: Array) -> bytes:
        """Return the indices, packed, and the values."""
        packed = np.zeros(-(-gaps.size * self.index_bits // 8), np.uint8)
        pack_bits(gaps, self.index_bits, packed)
        return bytes([self.index_bits]) + packed.tobytes() + values.tobytes()

    def unpack_entries(self, data: Bytes, n: int, dtype: np.dtype[np.unsignedinteger]) -> tuple[Bytes, Array]:
        """Undo `pack_entries`, of `n` entries."""
        index_bits = int(data[0]) if data.size else 0
        values_at = 1 + -(-n * index_bits // 8)
        if not 1 <= index_bits <= 8 or data.size != values_at + n * dtype.itemsize:
            raise DecodeError(f"{data.size} bytes are not {n} entries with indices of {index_bits} bits")
        gaps = np.empty(n, np.uint8)
        unpack_bits(data[1:values_at], index_bits, gaps)
        return gaps, np.frombuffer(data[values_at:].tobytes(), dtype)
