"""z4ai: bit fields of floats apart, each through the best of several coders."""

from __future__ import annotations

import importlib.metadata

import z4ai

from tensorcodecs.arrays import Array, ArrayOrBuffer, NumberFormat
from tensorcodecs.frame import Header
from tensorcodecs.peers.base import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, PeerCodec

_TYPES = {FLOAT16: "fp16", BFLOAT16: "bf16", FLOAT32: "fp32", FLOAT64: "fp64"}


class Z4ai(PeerCodec):
    """A z4ai frame in a checked one, made by one thread; what is no known float is bytes to it."""

    name = "z4ai"
    codec_id = "squeezemark.z4ai"
    title = "z4ai"
    source = "z4ai 0.2, 2026"
    version = importlib.metadata.version("z4ai")

    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return one z4ai frame."""
        return bytes(z4ai.compress(words.tobytes(), dtype=_TYPES.get(numbers), threads=1))

    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return the z4ai frame's bytes."""
        return bytes(z4ai.decompress(header.payload.tobytes()))
