"""Codecs one after the other, such as a byte shuffle and then an entropy coder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numcodecs.abc import Codec

from tensorcodecs import anycodec, registry
from tensorcodecs.arrays import Array, ArrayOrBuffer, Bytes, Frame, as_words, in_memory_order, raw_bytes
from tensorcodecs.base import TensorCodec


class Pipeline(TensorCodec):
    """The stages in order: the first sees the array, each other the bytes of the one before.

    Behind a filter that keeps words, a stage sees words as wide as those that the filter got.
    `stages` are codecs or specs; a pipeline among them is replaced by its stages.
    """

    name = "pipeline"
    codec_id = "squeezemark.pipeline"
    title = "pipeline of codecs"
    source = "Zarr's filters and compressor"

    def __init__(self, stages: Sequence[Codec | str]) -> None:
        if not stages:
            raise ValueError("stages=[] is not legal: a pipeline has at least one stage")
        self._codecs: list[Codec] = []
        for stage in stages:
            codec = registry.get_codec(stage) if isinstance(stage, str) else stage
            self._codecs += codec._codecs if isinstance(codec, Pipeline) else [codec]
        self.stages = [anycodec.codec_spec(codec) for codec in self._codecs]
        self.version = ",".join(anycodec.codec_version(codec) for codec in self._codecs)
        self.lossless = all(anycodec.is_lossless(codec) for codec in self._codecs)

    @property
    def settings(self) -> dict[str, Any]:
        """The stages' specs."""
        return {"stages": self.stages}

    @property
    def spec(self) -> str:
        """The stages' specs, separated by `|`."""
        return "|".join(self.stages)

    def encode(self, buf: ArrayOrBuffer) -> Frame:
        """Return what the last stage makes of `buf`."""
        data = in_memory_order(buf)
        for codec in self._codecs:
            frame = anycodec.encode_array(codec, data)
            keeps_words = getattr(codec, "keeps_words", False)
            data = np.frombuffer(frame, as_words(data).dtype) if keeps_words else frame
        return data if isinstance(data, bytes) else raw_bytes(data).tobytes()

    def pack(self, words: Array) -> Frame:
        """Return what the last stage makes of `words`."""
        return self.encode(words)

    def unpack(self, data: Bytes) -> Bytes:
        """Return what the first stage gives back, all stages undone from the last on."""
        for codec in reversed(self._codecs):
            data = anycodec.decode_bytes(codec, data)
        return data
