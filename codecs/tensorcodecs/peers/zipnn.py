"""ZipNN: bytes of floats grouped, the exponents' through Huffman coding."""

from __future__ import annotations

import importlib.metadata
import warnings

from tensorcodecs.arrays import Array, ArrayOrBuffer, NumberFormat
from tensorcodecs.frame import Header
from tensorcodecs.peers.base import BFLOAT16, FLOAT8_E5M2, FLOAT16, FLOAT32, PeerCodec

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of torch, at the import of ZipNN
    from zipnn import ZipNN as Library

_TYPES = {FLOAT8_E5M2: "float8_e5m2", FLOAT16: "float16", BFLOAT16: "bfloat16", FLOAT32: "float32"}
_TYPES_BY_WIDTH = {1: "float8_e4m3fn", 2: "bfloat16", 4: "float32", 8: "float32"}


class ZipNN(PeerCodec):
    """A ZipNN buffer in a checked frame, made by one thread.

    ZipNN knows floats of 8 to 32 bits; other words are coded as if they were floats, of 32 bits if wider.
    """

    name = "zipnn"
    codec_id = "squeezemark.zipnn"
    title = "ZipNN"
    source = "Hershcovitch et al., ZipNN: Lossless Compression for AI Models, 2024"
    version = importlib.metadata.version("zipnn")

    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return one ZipNN buffer."""
        kind = _TYPES.get(numbers, _TYPES_BY_WIDTH[words.itemsize])
        library = Library(input_format="byte", bytearray_dtype=kind, threads=1)
        return bytes(library.compress(bytearray(words.tobytes())))  # a copy: ZipNN overwrites its input

    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return the ZipNN buffer's bytes."""
        return bytes(Library(input_format="byte", threads=1).decompress(header.payload.tobytes()))
