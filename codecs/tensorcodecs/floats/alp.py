"""ALP: floats that were decimals become small integers; all else keeps its distance to the least word."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError, TypedCodec
from tensorcodecs.floats.kernels.alp import HEAD_BYTES, VECTOR_WORDS, alp_decode, alp_encode
from tensorcodecs.frame import join, pack_header, unpack_header
from tensorcodecs.kernels.bitpack import WORD_SLACK_BYTES

_UNSIGNED, _SIGNED, _FLOAT = 0, 1, 2
# The formats that the processor's own arithmetic knows.
_FLOATS = {("float", 8, 23): "f4", ("float", 11, 52): "f8"}


class Alp(TypedCodec):
    """Vectors of 1024 as decimals with exceptions, or as words over the least; see docs/formats/alp.md."""

    name = "alp"
    codec_id = "squeezemark.alp"
    title = "ALP adaptive decimal coding"
    source = "inspired by Afroozeh, Kuffo and Boncz, ALP, SIGMOD 2024"
    version = "1"

    def pack_typed(
        self,
        words: Array,
        numbers: NumberFormat,
        shape: tuple[int, ...],  # noqa: ARG002 -- a stream has none
    ) -> bytes:
        """Return the frame: header with the kind of numbers, then the vectors."""
        kind = _FLOAT if numbers in _FLOATS else _SIGNED if numbers.kind == "signed" else _UNSIGNED
        floats = words.view(_FLOATS[numbers]).astype(np.float64) if kind == _FLOAT else np.empty(0)
        wide = words.astype(np.uint64)
        if kind == _SIGNED:
            wide ^= np.uint64(1 << 8 * words.itemsize - 1)
        n_vectors = -(-words.size // VECTOR_WORDS)
        out = np.empty(words.size * (2 * words.itemsize + 10) + HEAD_BYTES * (n_vectors + 1), np.uint8)
        return join(pack_header(words, kind), out, alp_encode(wide, floats, 8 * words.itemsize, out))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the vectors must end exactly where the frame does."""
        header = unpack_header(data, VECTOR_WORDS // 2, n_parameters=1)
        kind, n_words, width = header.parameters[0], header.n_words, 8 * header.word_dtype.itemsize
        if kind > _FLOAT or (kind == _FLOAT and width < 32):
            raise DecodeError(f"no numbers of kind {kind} and {width} bits")
        payload = np.append(header.payload, np.zeros(WORD_SLACK_BYTES, np.uint8))
        wide = np.empty(n_words, np.uint64)
        floats = np.empty(n_words if kind == _FLOAT else 0)
        is_decimal = np.zeros(floats.size, np.uint8)
        used = alp_decode(payload, header.payload.size, width, wide, is_decimal, floats)
        if used != header.payload.size:
            raise DecodeError("the vectors do not end where the frame does")
        if kind == _SIGNED:
            wide ^= np.uint64(1 << width - 1)
        words = wide.astype(header.word_dtype)
        if kind == _FLOAT:
            with np.errstate(over="ignore", invalid="ignore"):  # decimals of damaged frames may be huge
                decimals = floats.astype(f"f{width // 8}").view(header.word_dtype)
            np.copyto(words, decimals, where=is_decimal.astype(bool))
        return words.view(np.uint8)
