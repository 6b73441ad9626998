"""No compression: the row that shows what copying memory costs."""

from __future__ import annotations

from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import TensorCodec


class Raw(TensorCodec):
    """The bytes as they are; the frame has no header."""

    name = "raw"
    codec_id = "squeezemark.raw"
    title = "uncompressed copy"
    source = "the identity"
    version = "1"
    sees_bytes = True

    def pack(self, words: Array) -> bytes:
        """Return a copy of the words' bytes."""
        return words.tobytes()

    def unpack(self, data: Bytes) -> Bytes:
        """Return a copy of `data`."""
        return data.copy()
