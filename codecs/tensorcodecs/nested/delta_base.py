"""A tensor as its difference from a named one: the checkpoint before, above all."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorcodecs import anycodec, registry
from tensorcodecs.arrays import WORD_DTYPES, Array, Bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.nested import provided

_NONE, _MODES = 0, {"xor": 1, "difference": 2}
_HEAD_BYTES = 3


class DeltaBase(TensorCodec):
    """XOR with, or difference from, what `bases.provide` made known; see docs/formats/delta-base.md.

    Without `base`, or where the words differ in width or number, the array itself is coded.
    """

    name = "delta-base"
    codec_id = "squeezemark.delta-base"
    title = "difference from a named tensor"
    source = "XOR and integer difference of consecutive checkpoints; layout of this project, 2026"

    def __init__(self, mode: str = "xor", base: str | None = None, backend: str = "shuffle|huffman") -> None:
        if mode not in _MODES or not (base is None or 1 <= len(str(base).encode()) <= 255):
            raise ValueError(f"{mode=}, {base=} are not legal: xor or difference; null or 1 to 255 bytes")
        self._backend = registry.get_codec(backend)
        self.mode, self.base, self.backend = mode, base, anycodec.codec_spec(self._backend)
        self.version = f"1,{anycodec.codec_version(self._backend)}"
        self.lossless = anycodec.is_lossless(self._backend)

    @property
    def settings(self) -> dict[str, Any]:
        """Mode, base and back end; version and the like are none."""
        return {"mode": self.mode, "base": self.base, "backend": self.backend}

    def pack(self, words: Array) -> bytes:
        """Return the frame; KeyError where nobody provided the base."""
        kind, name, digest = _NONE, b"", b""
        if self.base is not None:
            base = provided.find(self.base)
            if base.words.dtype == words.dtype and base.words.size == words.size:
                kind, name, digest = _MODES[self.mode], self.base.encode(), base.digest
                words = words ^ base.words if self.mode == "xor" else provided.fold(words - base.words)
        head = bytes([kind, words.itemsize, len(name)]) + name + digest
        return head + bytes(anycodec.encode_array(self._backend, words))

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; DecodeError where the base is missing or another one."""
        if data.size < _HEAD_BYTES or int(data[1]) not in WORD_DTYPES or data[0] > len(_MODES):
            raise DecodeError("no head of a mode, a word width and the length of a name")
        kind, name_bytes = int(data[0]), int(data[2])
        digest_at = _HEAD_BYTES + name_bytes
        body_at = digest_at + provided.DIGEST_BYTES * (kind != _NONE)
        if (kind == _NONE) != (name_bytes == 0) or body_at > data.size:
            raise DecodeError("the base's name and digest are truncated or out of place")
        decoded = anycodec.decode_bytes(self._backend, data[body_at:])
        if kind == _NONE:
            return decoded
        base = provided.checked(data[_HEAD_BYTES:digest_at].tobytes(), data[digest_at:body_at].tobytes())
        if decoded.size != base.words.nbytes or base.words.itemsize != data[1]:
            raise DecodeError("the difference does not fit its base")
        words = decoded.copy().view(base.words.dtype)
        return (words ^ base.words if kind == 1 else provided.unfold(words) + base.words).view(np.uint8)
