"""Blosc 2: blocks that fit a cache, shuffled, through a fast codec."""

from __future__ import annotations

from typing import Final

import blosc2

from tensorcodecs.arrays import Array, ArrayOrBuffer, NumberFormat, did_you_mean
from tensorcodecs.base import whole_number
from tensorcodecs.frame import Cut, Header
from tensorcodecs.peers.base import PeerCodec

_CODECS: Final = {
    codec.name.lower(): codec for codec in blosc2.Codec if codec.value <= blosc2.Codec.ZSTD.value
}
_FILTERS: Final = {
    "shuffle": blosc2.Filter.SHUFFLE,
    "bitshuffle": blosc2.Filter.BITSHUFFLE,
    "none": blosc2.Filter.NOFILTER,
}


class Blosc2(PeerCodec):
    """Blosc 2 chunks in a checked frame, made by one thread, shuffled by the array's own word width."""

    name = "blosc2"
    codec_id = "squeezemark.blosc2"
    title = "Blosc 2"
    source = "Alted et al., C-Blosc2, 2021"
    version = f"{blosc2.__version__} ({blosc2.blosclib_version.split()[0]})"
    cut = Cut(2_147_483_615)

    def __init__(self, cname: str = "zstd", clevel: int = 5, shuffle: str = "shuffle") -> None:
        self.cname = _word("cname", cname, tuple(_CODECS))
        self.clevel = whole_number("clevel", clevel, 0, 9)
        self.shuffle = _word("shuffle", shuffle, tuple(_FILTERS))

    def compress(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> bytes:  # noqa: ARG002
        """Return one chunk."""
        codec, kind = _CODECS[self.cname], _FILTERS[self.shuffle]
        settings = {"codec": codec, "clevel": self.clevel, "filters": [kind], "filters_meta": [0]}
        return bytes(blosc2.compress2(words, **settings, typesize=words.itemsize, nthreads=1))

    def decompress(self, header: Header) -> ArrayOrBuffer:
        """Return the chunk's bytes."""
        return bytes(blosc2.decompress2(header.payload.tobytes(), nthreads=1))


def _word(name: str, value: object, legal: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in legal:
        nearest = did_you_mean(str(value), legal)
        raise ValueError(f"{name}={value!r} is not legal: one of {', '.join(legal)}{nearest}")
    return value
