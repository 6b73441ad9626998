"""Any codec on independent blocks: what software reaches at the block sizes of hardware."""

from __future__ import annotations

import numpy as np

from tensorcodecs import anycodec, registry
from tensorcodecs.arrays import Array, Bytes
from tensorcodecs.base import BlockCodec, DecodeError, one_of
from tensorcodecs.frame import join, pack_header, unpack_header

_BLOCK_BYTES = (64, 128, 256, 512, 1024, 4096, 16384)
_LENGTH_DTYPE = np.dtype("<u2")


class Blocks(BlockCodec):
    """Every block of `block_bytes` through the codec `codec` by itself; see docs/formats/blocks.md."""

    name = "blocks"
    codec_id = "squeezemark.blocks"
    title = "any codec on independent blocks"
    source = "Squeezemark, 2026"

    def __init__(self, block_bytes: int = 4096, codec: str = "lz4") -> None:
        self.block_bytes = one_of("block_bytes", block_bytes, _BLOCK_BYTES)
        self._inner = registry.get_codec(codec)
        self.codec = anycodec.codec_spec(self._inner)
        self.version = f"1+{anycodec.codec_version(self._inner)}"

    @property
    def settings(self) -> dict[str, object]:
        """Both settings."""
        return {"block_bytes": self.block_bytes, "codec": self.codec}

    def pack(self, words: Array) -> bytes:
        """Return the frame: header, the stored length of every block, the blocks."""
        blocks = self._stored(words)
        lengths = np.array([len(block) for block in blocks], _LENGTH_DTYPE)
        payload = np.frombuffer(lengths.tobytes() + b"".join(blocks), np.uint8)
        return join(pack_header(words, self.block_bytes), payload, payload.size)

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; the blocks must end where the frame does."""
        header = unpack_header(data, max(_BLOCK_BYTES), n_parameters=1)
        raw = np.empty(header.n_words * header.word_dtype.itemsize, np.uint8)
        starts = range(0, raw.size, self.block_bytes)
        at = _LENGTH_DTYPE.itemsize * len(starts)
        if header.parameters != (self.block_bytes,) or at > header.payload.size:
            raise DecodeError(f"{header.payload.size} bytes are not {len(starts)} blocks of {self.spec}")
        for start, length in zip(starts, header.payload[:at].view(_LENGTH_DTYPE).tolist(), strict=True):
            out, block = raw[start : start + self.block_bytes], header.payload[at : at + length]
            block = block if length == out.size else anycodec.decode_bytes(self._inner, block, out.size)
            if block.size != out.size:
                raise DecodeError(f"a block holds {block.size} bytes in place of {out.size}")
            out[:], at = block, at + length
        if at != header.payload.size:
            raise DecodeError("the blocks do not end where the frame does")
        return raw

    def count_bits(self, words: Array) -> Array:
        """Return the bits of each block with its length, int32[n_blocks]."""
        return np.array([8 * (_LENGTH_DTYPE.itemsize + len(b)) for b in self._stored(words)], np.int32)

    def _stored(self, words: Array) -> list[bytes]:
        """Each block's frame, or its own bytes where those are no more."""
        step = self.block_bytes // words.itemsize
        blocks = [words[start : start + step] for start in range(0, words.size, step)]
        frames = [bytes(anycodec.encode_array(self._inner, block)) for block in blocks]
        return [f if len(f) < b.nbytes else b.tobytes() for f, b in zip(frames, blocks, strict=True)]
