"""DeepCABAC's binarisation of integers with a context-adaptive binary arithmetic coder."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError, TypedCodec
from tensorcodecs.entropy.kernels.deepcabac import VALUE_BYTES_MAX, deepcabac_decode, deepcabac_encode
from tensorcodecs.frame import join, pack_header, unpack_header

_STORED, _CODED = 0, 1
# The surest decision that a context can learn takes 0.0015 bits, so a byte holds fewer than 5500.
_WORDS_PER_BYTE_MAX = 8192


class DeepCabac(TypedCodec):
    """Small integers in adaptive binary decisions; floats are stored. See docs/formats/deepcabac.md."""

    name = "deepcabac"
    codec_id = "squeezemark.deepcabac"
    title = "DeepCABAC binarisation"
    source = "inspired by Wiedemann et al., DeepCABAC, arXiv 1907.11900, 2019"
    version = "1"

    def pack_typed(
        self,
        words: Array,
        numbers: NumberFormat,
        shape: tuple[int, ...],  # noqa: ARG002 -- a stream has none
    ) -> bytes:
        """Return the frame: header with the kind, then the decisions or the words."""
        used_bytes = -1
        if numbers.kind != "float":
            out = np.empty(words.nbytes + VALUE_BYTES_MAX, np.uint8)
            signed = words.view(f"i{words.itemsize}").astype(np.int64)
            used_bytes = deepcabac_encode(signed, out)
        if 0 <= used_bytes < words.nbytes:
            return join(pack_header(words, _CODED), out, used_bytes)
        return pack_header(words, _STORED) + words.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the decisions must end exactly where the frame does."""
        header = unpack_header(data, _WORDS_PER_BYTE_MAX, n_parameters=1)
        kind, payload = header.parameters[0], header.payload
        if kind == _STORED and payload.size == header.n_words * header.word_dtype.itemsize:
            return payload.copy()
        if kind != _CODED:
            raise DecodeError(f"no frame of kind {kind} with {payload.size} bytes for {header.n_words} words")
        values = np.empty(header.n_words, np.int64)
        if deepcabac_decode(payload, values) != payload.size:
            raise DecodeError("the values do not end where the frame does")
        return values.astype(header.word_dtype).view(np.uint8)
