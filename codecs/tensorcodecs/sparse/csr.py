"""Compressed sparse rows: row pointers, relative column indices of few bits, values."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes, NumberFormat
from tensorcodecs.frame import pack_header, unpack_header
from tensorcodecs.sparse._sparse_rows import WORDS_PER_BYTE_MAX, SparseRows


class Csr(SparseRows):
    """Rows along the last axis; see docs/formats/csr.md. It expands at most 16384 words a byte."""

    name = "csr"
    codec_id = "squeezemark.csr"
    title = "compressed sparse rows, relative index"
    source = "Han et al., EIE, ISCA 2016 (4 bits); Han et al., Deep Compression, ICLR 2016 (5 and 8 bits)"
    version = "1"

    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return the frame: header, row ends, indices, values; or the words, where that is shorter."""
        n_columns = words.size // max(int(np.prod(shape[:-1])), 1)
        return self.pack_rows(words, n_columns) or pack_header(words, 0, 0) + words.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the entries must fit their rows and fill the payload."""
        return self.unpack_rows(unpack_header(data, WORDS_PER_BYTE_MAX, n_parameters=2)).view(np.uint8)
