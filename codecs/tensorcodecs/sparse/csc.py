"""Compressed sparse columns, as EIE keeps its weights: column pointers, relative row indices, values."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.base import DecodeError
from tensorcodecs.frame import pack_header, unpack_header
from tensorcodecs.sparse._sparse_rows import WORDS_PER_BYTE_MAX, SparseRows


class Csc(SparseRows):
    """Columns along the first axis, and Csr over them; see docs/formats/csc.md.

    Deep Compression's widths are the settings `index_bits=8` for convolutions, `index_bits=5` for others.
    """

    name = "csc"
    codec_id = "squeezemark.csc"
    title = "compressed sparse columns, relative index"
    source = "Han et al., EIE, ISCA 2016 (4 bits); Han et al., Deep Compression, ICLR 2016 (5 and 8 bits)"
    version = "1"

    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return the frame: header, column ends, indices, values; or the words, where that is shorter."""
        n_rows = max(shape[0] if shape else 1, 1)
        columns = np.ascontiguousarray(words.reshape(n_rows, -1).T).reshape(-1)
        columns.flags.writeable = False
        return self.pack_rows(columns, n_rows, n_rows) or pack_header(words, 0, 0, 0) + words.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the rows of the matrix must divide the words."""
        header = unpack_header(data, WORDS_PER_BYTE_MAX, n_parameters=3)
        words, n_rows = self.unpack_rows(header), header.parameters[2]
        is_stored = header.parameters[0] == 0
        if (n_rows != 0) == is_stored or (n_rows and words.size % n_rows):
            raise DecodeError(f"{words.size} words are no matrix of {n_rows} rows")
        if not is_stored:
            words = np.ascontiguousarray(words.reshape(-1, n_rows).T)
        return words.reshape(-1).view(np.uint8)
