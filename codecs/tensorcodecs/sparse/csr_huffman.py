"""Compressed sparse rows whose indices and values are Huffman-coded, as in Deep Compression."""

from __future__ import annotations

import numpy as np

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import DecodeError
from tensorcodecs.kernels.huffman import SLACK_BYTES, huffman_decode, huffman_encode
from tensorcodecs.kernels.huffman_chunks import PIECE_BYTES
from tensorcodecs.kernels.shuffle import shuffle, unshuffle
from tensorcodecs.sparse.csr import Csr


class CsrHuffman(Csr):
    """Csr with Huffman chunks for indices and byte planes; see docs/formats/csr-huffman.md."""

    name = "csr-huffman"
    codec_id = "squeezemark.csr-huffman"
    title = "compressed sparse rows, Huffman-coded"
    source = "inspired by Han et al., Deep Compression, ICLR 2016; layout of this project"
    version = "1"

    def __init__(self, index_bits: int = 8) -> None:
        super().__init__(index_bits)

    def pack_entries(self, gaps: Bytes, values: Array) -> bytes:
        """Return the chunks of the indices, then those of the values' byte planes."""
        planes = np.empty(values.nbytes, np.uint8)
        shuffle(_frozen(values), planes)
        return _coded(gaps) + b"".join(map(_coded, np.split(planes, values.itemsize)))

    def unpack_entries(self, data: Bytes, n: int, dtype: np.dtype[np.unsignedinteger]) -> tuple[Bytes, Array]:
        """Undo `pack_entries`, of `n` entries."""
        planes = np.empty((1 + dtype.itemsize, n), np.uint8)
        for plane in planes:
            used = huffman_decode(data, plane)
            if used < 0:
                raise DecodeError("the chunks of the indices or of a plane are not valid")
            data = data[used:]
        if data.size:
            raise DecodeError(f"{data.size} bytes behind the last chunk")
        values = np.empty(n, dtype)
        unshuffle(_frozen(planes[1:].reshape(-1)), values)
        return planes[0], _frozen(values)


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _coded(raw: Bytes) -> bytes:
    out = np.empty(raw.size + -(-raw.size // PIECE_BYTES) + 2 * SLACK_BYTES, np.uint8)
    return out[: huffman_encode(_frozen(raw), out)].tobytes()
