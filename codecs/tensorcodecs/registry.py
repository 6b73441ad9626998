"""Which codecs there are; `get_codec` makes one from its spec.

Names that are not ours are looked up among numcodecs' codecs, whoever registered them; `numcodecs.NAME`
takes theirs even where we have one.

Importing this module imports no codec, no numba and no numcodecs.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tensorcodecs.arrays import did_you_mean
from tensorcodecs.specs import format_settings, parse_spec

if TYPE_CHECKING:
    from numcodecs.abc import Codec

# name, class, and the specs that the default board shows (canonical, so that listing imports no codec).
_LINES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("raw", "tensorcodecs.general.raw:Raw", ("raw",)),
    ("zlib", "tensorcodecs.general.deflate:Zlib", ("zlib:level=6",)),
    ("deflate", "tensorcodecs.general.deflate:Deflate", ("deflate:level=6:window_bytes=4096",)),
    ("deflate-pages", "tensorcodecs.general.deflate_pages:DeflatePages", ()),
    ("bz2", "tensorcodecs.general.bzip2:Bzip2", ("bz2:level=9",)),
    ("lzma", "tensorcodecs.general.xz:Lzma", ("lzma:level=6",)),
    ("lz4", "tensorcodecs.general.lz4:Lz4", ("lz4:acceleration=1",)),
    ("lz4hc", "tensorcodecs.general.lz4hc:Lz4Hc", ("lz4hc:level=9",)),
    ("snappy", "tensorcodecs.general.snappy:Snappy", ("snappy",)),
    ("zstd", "tensorcodecs.general.zstd:Zstd", ("zstd:level=1", "zstd:level=3", "zstd:level=19")),
    ("zstd-dict", "tensorcodecs.general.zstd_dict:ZstdDict", ("zstd-dict:level=3:dict_bytes=16384",)),
    ("brotli", "tensorcodecs.general.brotli:Brotli", ("brotli:quality=5", "brotli:quality=11")),
    ("zrle", "tensorcodecs.sparse.zrle:Zrle", ("zrle",)),
    ("rle", "tensorcodecs.sparse.rle:Rle", ("rle",)),
    ("bitmask", "tensorcodecs.sparse.bitmask:Bitmask", ("bitmask",)),
    ("zvc", "tensorcodecs.sparse.zvc:Zvc", ("zvc:block_bytes=64",)),
    ("huffman", "tensorcodecs.entropy.huffman:Huffman", ("huffman",)),
    ("rans", "tensorcodecs.entropy.rans:Rans", ("rans", "split|rans")),
    ("squeeze", "tensorcodecs.squeeze.squeeze:Squeeze", ("squeeze:effort=1", "squeeze:effort=2")),
    ("tans", "tensorcodecs.entropy.tans:Tans", ("tans", "shuffle|tans")),
    ("golomb", "tensorcodecs.entropy.golomb:Golomb", ("golomb:block_values=256",)),
    ("deepcabac", "tensorcodecs.entropy.deepcabac:DeepCabac", ("deepcabac",)),
    ("exphuff", "tensorcodecs.floats.exphuff:ExpHuff", ("exphuff",)),
    ("dfloat11", "tensorcodecs.floats.dfloat11:DFloat11", ("dfloat11",)),
    ("ecf8", "tensorcodecs.floats.ecf8:Ecf8", ("ecf8",)),
    ("csr", "tensorcodecs.sparse.csr:Csr", ("csr:index_bits=4",)),
    ("csc", "tensorcodecs.sparse.csc:Csc", ("csc:index_bits=4",)),
    ("csr-huffman", "tensorcodecs.sparse.csr_huffman:CsrHuffman", ("csr-huffman:index_bits=8",)),
    ("codebook", "tensorcodecs.sparse.codebook:Codebook", ("codebook",)),
    ("shuffle", "tensorcodecs.filters.shuffle:Shuffle", ("shuffle|zstd:level=3", "shuffle|huffman")),
    ("bitshuffle", "tensorcodecs.filters.bitshuffle:Bitshuffle", ("bitshuffle|zstd:level=3",)),
    ("split", "tensorcodecs.filters.split:Split", ("split|huffman",)),
    ("delta", "tensorcodecs.filters.delta:Delta", ("delta|shuffle|zstd:level=3",)),
    ("xor", "tensorcodecs.filters.xor:Xor", ()),
    ("zigzag", "tensorcodecs.filters.zigzag:Zigzag", ()),
    ("signmagnitude", "tensorcodecs.filters.signmagnitude:SignMagnitude", ()),
    (
        "blocks",
        "tensorcodecs.nested.blocks:Blocks",
        (
            *(
                'blocks:block_bytes=4096:codec="lz4:acceleration=1"',
                'blocks:block_bytes=4096:codec="zstd:level=3"',
            ),
            *('blocks:block_bytes=256:codec="zstd:level=3"', 'blocks:block_bytes=64:codec="zstd:level=3"'),
        ),
    ),
    ("bdi", "tensorcodecs.lines.bdi:Bdi", ()),
    ("bpc", "tensorcodecs.lines.bpc:Bpc", ()),
    ("ebpc", "tensorcodecs.lines.ebpc:Ebpc", ()),
    ("bpc-compresso", "tensorcodecs.lines.bpc:BpcCompresso", ()),
    ("fpc", "tensorcodecs.lines.fpc:Fpc", ()),
    ("fpcd", "tensorcodecs.lines.fpcd:FpcD", ()),
    ("cpack", "tensorcodecs.lines.cpack:CPack", ()),
    ("sc2", "tensorcodecs.lines.sc2:Sc2", ()),
    ("bytehuff", "tensorcodecs.lines.bytehuff:ByteHuff", ()),
    ("fvc-line", "tensorcodecs.lines.fvc_line:FvcLine", ()),
    ("shapeshifter-like", "tensorcodecs.lines.shapeshifter:ShapeShifterLike", ()),
    ("diffy-like", "tensorcodecs.lines.diffy:DiffyLike", ()),
    ("rlc-eyeriss", "tensorcodecs.lines.rlc_eyeriss:RlcEyeriss", ()),
    ("rlc-scnn", "tensorcodecs.lines.rlc_scnn:RlcScnn", ()),
    ("rle-tenstorrent", "tensorcodecs.lines.rle_tenstorrent:RleTenstorrent", ()),
    ("gist-csr-like", "tensorcodecs.lines.gist_csr_like:GistCsrLike", ()),
    ("gorilla", "tensorcodecs.floats.gorilla:Gorilla", ("gorilla",)),
    ("chimp", "tensorcodecs.floats.chimp:Chimp", ("chimp:previous=1", "chimp:previous=128")),
    ("alp", "tensorcodecs.floats.alp:Alp", ("alp",)),
    ("alp-rd", "tensorcodecs.floats.alp_rd:AlpRd", ("alp-rd",)),
    ("delta-base", "tensorcodecs.nested.delta_base:DeltaBase", ()),
    ("fvc", "tensorcodecs.sparse.fvc:Fvc", ("fvc:entries=7",)),
    ("lane-like", "tensorcodecs.lines.lane:LaneLike", ()),
    ("hycomp", "tensorcodecs.lines.hycomp:HyComp", ()),
    ("history-huffman-like", "tensorcodecs.lines.history:HistoryHuffmanLike", ()),
    ("apack-like", "tensorcodecs.lines.apack:ApackLike", ()),
    (
        "blosc2",
        "tensorcodecs.peers.blosc2:Blosc2",
        ("blosc2:cname=zstd:clevel=5:shuffle=shuffle", "blosc2:cname=zstd:clevel=5:shuffle=bitshuffle"),
    ),
    ("pcodec", "tensorcodecs.peers.pcodec:Pcodec", ("pcodec:level=8",)),
    ("openzl", "tensorcodecs.peers.openzl:OpenZL", ("openzl",)),
    ("z4ai", "tensorcodecs.peers.z4ai:Z4ai", ("z4ai",)),
    ("zipnn", "tensorcodecs.peers.zipnn:ZipNN", ("zipnn",)),
    ("zfp", "tensorcodecs.peers.zfp:Zfp", ("zfp",)),
)
# Codecs around packages that only the extra `peers` installs.
_PEERS: tuple[str, ...] = ("blosc2", "pcodec", "openzl", "z4ai", "zipnn", "zfp")
_PIPELINE = "tensorcodecs.nested.pipeline:Pipeline"
FOREIGN_PREFIX = "numcodecs."
"""Before a name in a spec: theirs, even where we have one of that name."""


class UnknownCodecError(ValueError):
    """No codec has this name, neither ours nor numcodecs'."""


class NotInstalledError(ValueError):
    """A codec of ours is around a package that is not installed; the message says how to install it."""


def _table(lines: Iterable[tuple[str, str, tuple[str, ...]]]) -> dict[str, tuple[str, tuple[str, ...]]]:
    table: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name, target, board_specs in lines:
        if name in table:
            raise ValueError(f"two codecs are named {name!r}: {table[name][0]} and {target}")
        table[name] = (target, board_specs)
    return table


_TABLE = _table(_LINES)


def names() -> tuple[str, ...]:
    """Return the names of our codecs, in the board's order."""
    return tuple(_TABLE)


def family(name: str) -> str:
    """Return the family of our codec `name`: the folder that it lives in, such as "lines"."""
    return _TABLE[name][0].split(".")[1]


def default_specs() -> tuple[str, ...]:
    """Return the canonical specs that a board shows unless told otherwise."""
    return tuple(spec for _, board_specs in _TABLE.values() for spec in board_specs)


def codec_class(name: str) -> type[Codec]:
    """Return the class called `name`: ours, or numcodecs' where we have none.

    Raises UnknownCodecError with the nearest name, and NotInstalledError where ours needs an extra.
    """
    if name in _TABLE:
        return _our_class(name)
    import numcodecs.registry as theirs

    codec_id = name.removeprefix(FOREIGN_PREFIX)
    if codec_id not in theirs.codec_registry and codec_id in theirs.entries:
        theirs.register_codec(theirs.entries[codec_id].load(), codec_id=codec_id)
    if codec_id not in theirs.codec_registry:
        legal = tuple(dict.fromkeys((*_TABLE, *theirs.codec_registry, *theirs.entries)))
        raise UnknownCodecError(f"no codec {name!r}" + did_you_mean(codec_id, legal))
    found: type[Codec] = theirs.codec_registry[codec_id]
    return found


def _our_class(name: str) -> type[Codec]:
    try:
        return _load(_TABLE[name][0])
    except ModuleNotFoundError as error:
        if name not in _PEERS:
            raise
        message = f"{error.name} is not installed: pip install 'squeezemark[peers]'"
        raise NotInstalledError(message) from error


def _load(target: str) -> type[Codec]:
    module, _, attribute = target.partition(":")
    loaded: type[Codec] = getattr(importlib.import_module(module), attribute)
    return loaded


def get_codec(spec: str) -> Codec:
    """Return the codec that `spec` names.

    Raises UnknownCodecError for a name that nobody has, NotInstalledError for one that needs an extra, and
    ValueError for a setting or value that is not legal; the message names the nearest match.
    """
    stages = [_make(name, settings) for name, settings in parse_spec(spec)]
    if len(stages) == 1:
        return stages[0]
    pipeline: Any = _load(_PIPELINE)
    made: Codec = pipeline(stages)
    return made


def _make(name: str, settings: dict[str, Any]) -> Codec:
    cls = codec_class(name)
    parameters = inspect.signature(cls).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        for key in settings:
            if key not in parameters:
                nearest = did_you_mean(key, tuple(parameters)) if parameters else "; it has none"
                raise ValueError(f"{name} has no setting {key!r}{nearest}")
    try:
        return cls.from_config(settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{format_settings(name, settings)}: {error}") from error
