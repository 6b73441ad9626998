"""OpenZL: graphs of transforms, here those that take floats apart, tried one after the other."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

import openzl.ext as zl

from tensorcodecs.arrays import Array, ArrayOrBuffer, NumberFormat
from tensorcodecs.frame import Cut, Header
from tensorcodecs.peers.base import BFLOAT16, FLOAT16, FLOAT32, PeerCodec

_FORMAT_VERSION = 27  # stays, so that frames stay the same with newer libraries
_DECONSTRUCT = {
    FLOAT16: zl.nodes.Float16Deconstruct,
    BFLOAT16: zl.nodes.BFloat16Deconstruct,
    FLOAT32: zl.nodes.Float32Deconstruct,
}
Build = Callable[[zl.Compressor], zl.GraphID]


class OpenZL(PeerCodec):
    """An OpenZL frame in a checked one: the smallest that some fixed graphs give; nothing is trained."""

    name = "openzl"
    codec_id = "squeezemark.openzl"
    title = "OpenZL, float deconstruct"
    source = "Collet et al., OpenZL: A Graph-Based Model for Compression, 2025"
    version = importlib.metadata.version("openzl")
    # FieldLz ends at 4 GB, and a graph at some 16,000 nodes: two for every 32 KiB of each part of a float.
    cut = Cut(1 << 27, 1 << 27)

    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return the smallest frame."""
        return min((_compressed(words, build) for build in _graphs(numbers)), key=len)

    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return the frame's one output."""
        (output,) = zl.DCtx().decompress(header.payload.tobytes())
        return bytes(output.content.as_bytes())


def _graphs(numbers: NumberFormat) -> tuple[Build, ...]:
    compress, entropy, field_lz = zl.graphs.Compress(), zl.graphs.Entropy(), zl.graphs.FieldLz()
    if numbers not in _DECONSTRUCT:
        return compress, field_lz
    apart, transpose = _DECONSTRUCT[numbers](), zl.nodes.TransposeSplit()
    return (
        compress,
        lambda to: apart(to, transpose(to, entropy(to)), entropy(to)),
        lambda to: apart(to, compress(to), entropy(to)),
    )


def _compressed(words: Array, build: Build) -> bytes:
    compressor, context = zl.Compressor(), zl.CCtx()
    compressor.select_starting_graph(build(compressor))
    context.set_parameter(zl.CParam.FormatVersion, _FORMAT_VERSION)
    context.ref_compressor(compressor)
    try:
        return bytes(context.compress([zl.Input(zl.Type.Numeric, words)]))  # `words` outlives the input
    except RuntimeError as error:
        if "Allocation" in str(error):  # said in many lines, none of which names memory
            raise MemoryError("OpenZL could not allocate what it needs") from error
        raise
