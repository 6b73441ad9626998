"""Which codecs there are, and the one spelling that names a codec with its settings.

A spec is `name:key=value:key=value`, stages of a pipeline are separated by `|`: `shuffle|zstd:level=3`.
Values are JSON (numbers, true, null, "quoted", [lists]) or bare words. Names that are not ours are looked
up among numcodecs' codecs, whoever registered them; `numcodecs.NAME` takes theirs even where we have one.

Importing this module imports no codec, no numba and no numcodecs.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorcodecs.arrays import ArrayOrBuffer, Bytes, as_words, did_you_mean, raw_bytes

if TYPE_CHECKING:
    from numcodecs.abc import Codec

# name, class, and the specs that the default board shows (canonical, so that listing imports no codec).
_LINES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("raw", "tensorcodecs.raw:Raw", ("raw",)),
    ("zlib", "tensorcodecs.deflate:Zlib", ("zlib:level=6",)),
    ("deflate", "tensorcodecs.deflate:Deflate", ("deflate:level=6:window_bytes=4096",)),
    ("deflate-pages", "tensorcodecs.deflate_pages:DeflatePages", ()),
    ("bz2", "tensorcodecs.bzip2:Bzip2", ("bz2:level=9",)),
    ("lzma", "tensorcodecs.xz:Lzma", ("lzma:level=6",)),
    ("lz4", "tensorcodecs.lz4:Lz4", ("lz4:acceleration=1",)),
    ("lz4hc", "tensorcodecs.lz4hc:Lz4Hc", ("lz4hc:level=9",)),
    ("snappy", "tensorcodecs.snappy:Snappy", ("snappy",)),
    ("zstd", "tensorcodecs.zstd:Zstd", ("zstd:level=1", "zstd:level=3", "zstd:level=19")),
    ("zstd-dict", "tensorcodecs.zstd_dict:ZstdDict", ("zstd-dict:level=3:dict_bytes=16384",)),
    ("brotli", "tensorcodecs.brotli:Brotli", ("brotli:quality=5", "brotli:quality=11")),
    ("zrle", "tensorcodecs.zrle:Zrle", ("zrle",)),
    ("rle", "tensorcodecs.rle:Rle", ("rle",)),
    ("bitmask", "tensorcodecs.bitmask:Bitmask", ("bitmask",)),
    ("zvc", "tensorcodecs.zvc:Zvc", ("zvc:block_bytes=64",)),
    ("huffman", "tensorcodecs.huffman:Huffman", ("huffman",)),
    ("rans", "tensorcodecs.rans:Rans", ("rans", "split|rans")),
    ("squeeze", "tensorcodecs.squeeze:Squeeze", ("squeeze:effort=1", "squeeze:effort=2")),
    ("tans", "tensorcodecs.tans:Tans", ("tans", "shuffle|tans")),
    ("golomb", "tensorcodecs.golomb:Golomb", ("golomb:block_values=256",)),
    ("deepcabac", "tensorcodecs.deepcabac:DeepCabac", ("deepcabac",)),
    ("exphuff", "tensorcodecs.exphuff:ExpHuff", ("exphuff",)),
    ("dfloat11", "tensorcodecs.dfloat11:DFloat11", ("dfloat11",)),
    ("ecf8", "tensorcodecs.ecf8:Ecf8", ("ecf8",)),
    ("csr", "tensorcodecs.csr:Csr", ("csr:index_bits=4",)),
    ("csc", "tensorcodecs.csc:Csc", ("csc:index_bits=4",)),
    ("csr-huffman", "tensorcodecs.csr_huffman:CsrHuffman", ("csr-huffman:index_bits=8",)),
    ("codebook", "tensorcodecs.codebook:Codebook", ("codebook",)),
    ("shuffle", "tensorcodecs.shuffle:Shuffle", ("shuffle|zstd:level=3", "shuffle|huffman")),
    ("bitshuffle", "tensorcodecs.bitshuffle:Bitshuffle", ("bitshuffle|zstd:level=3",)),
    ("split", "tensorcodecs.split:Split", ("split|huffman",)),
    ("delta", "tensorcodecs.delta:Delta", ("delta|shuffle|zstd:level=3",)),
    ("xor", "tensorcodecs.xor:Xor", ()),
    ("zigzag", "tensorcodecs.zigzag:Zigzag", ()),
    ("signmagnitude", "tensorcodecs.signmagnitude:SignMagnitude", ()),
    (
        "blocks",
        "tensorcodecs.blocks:Blocks",
        (
            *(
                'blocks:block_bytes=4096:codec="lz4:acceleration=1"',
                'blocks:block_bytes=4096:codec="zstd:level=3"',
            ),
            *('blocks:block_bytes=256:codec="zstd:level=3"', 'blocks:block_bytes=64:codec="zstd:level=3"'),
        ),
    ),
    ("bdi", "tensorcodecs.bdi:Bdi", ()),
    ("bpc", "tensorcodecs.bpc:Bpc", ()),
    ("ebpc", "tensorcodecs.ebpc:Ebpc", ()),
    ("bpc-compresso", "tensorcodecs.bpc:BpcCompresso", ()),
    ("fpc", "tensorcodecs.fpc:Fpc", ()),
    ("fpcd", "tensorcodecs.fpcd:FpcD", ()),
    ("cpack", "tensorcodecs.cpack:CPack", ()),
    ("sc2", "tensorcodecs.sc2:Sc2", ()),
    ("bytehuff", "tensorcodecs.bytehuff:ByteHuff", ()),
    ("fvc-line", "tensorcodecs.fvc_line:FvcLine", ()),
    ("shapeshifter-like", "tensorcodecs.shapeshifter:ShapeShifterLike", ()),
    ("diffy-like", "tensorcodecs.diffy:DiffyLike", ()),
    ("rlc-eyeriss", "tensorcodecs.rlc_eyeriss:RlcEyeriss", ()),
    ("rlc-scnn", "tensorcodecs.rlc_scnn:RlcScnn", ()),
    ("rle-tenstorrent", "tensorcodecs.rle_tenstorrent:RleTenstorrent", ()),
    ("gist-csr-like", "tensorcodecs.gist_csr_like:GistCsrLike", ()),
    ("gorilla", "tensorcodecs.gorilla:Gorilla", ("gorilla",)),
    ("chimp", "tensorcodecs.chimp:Chimp", ("chimp:previous=1", "chimp:previous=128")),
    ("alp", "tensorcodecs.alp:Alp", ("alp",)),
    ("alp-rd", "tensorcodecs.alp_rd:AlpRd", ("alp-rd",)),
    ("delta-base", "tensorcodecs.delta_base:DeltaBase", ()),
    ("fvc", "tensorcodecs.fvc:Fvc", ("fvc:entries=7",)),
    ("lane-like", "tensorcodecs.lane:LaneLike", ()),
    ("hycomp", "tensorcodecs.hycomp:HyComp", ()),
    ("history-huffman-like", "tensorcodecs.history:HistoryHuffmanLike", ()),
    ("apack-like", "tensorcodecs.apack:ApackLike", ()),
    (
        "blosc2",
        "tensorcodecs.blosc2:Blosc2",
        ("blosc2:cname=zstd:clevel=5:shuffle=shuffle", "blosc2:cname=zstd:clevel=5:shuffle=bitshuffle"),
    ),
    ("pcodec", "tensorcodecs.pcodec:Pcodec", ("pcodec:level=8",)),
    ("openzl", "tensorcodecs.openzl:OpenZL", ("openzl",)),
    ("z4ai", "tensorcodecs.z4ai:Z4ai", ("z4ai",)),
    ("zipnn", "tensorcodecs.zipnn:ZipNN", ("zipnn",)),
    ("zfp", "tensorcodecs.zfp:Zfp", ("zfp",)),
)
# Codecs around packages that only the extra `peers` installs.
_PEERS: tuple[str, ...] = ("blosc2", "pcodec", "openzl", "z4ai", "zipnn", "zfp")
_THEIRS = "numcodecs."
# numcodecs' own codecs that do not give back every bit.
_LOSSY_IDS = ("astype", "bitround", "fixedscaleoffset", "quantize")


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

    codec_id = name.removeprefix(_THEIRS)
    if codec_id not in theirs.codec_registry and codec_id in theirs.entries:
        theirs.register_codec(theirs.entries[codec_id].load(), codec_id=codec_id)
    if codec_id not in theirs.codec_registry:
        legal = tuple(dict.fromkeys((*_TABLE, *theirs.codec_registry, *theirs.entries)))
        raise UnknownCodecError(f"no codec {name!r}" + did_you_mean(codec_id, legal))
    found: type[Codec] = theirs.codec_registry[codec_id]
    return found


def _our_class(name: str) -> type[Codec]:
    module, _, attribute = _TABLE[name][0].partition(":")
    try:
        ours: type[Codec] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if name not in _PEERS:
            raise
        message = f"{error.name} is not installed: pip install 'squeezemark[peers]'"
        raise NotInstalledError(message) from error
    return ours


def get_codec(spec: str) -> Codec:
    """Return the codec that `spec` names.

    Raises UnknownCodecError for a name that nobody has, NotInstalledError for one that needs an extra, and
    ValueError for a setting or value that is not legal; the message names the nearest match.
    """
    stages = [_make(name, settings) for name, settings in parse_spec(spec)]
    if len(stages) == 1:
        return stages[0]
    from tensorcodecs.pipeline import Pipeline

    return Pipeline(stages)


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


def parse_spec(spec: str) -> list[tuple[str, dict[str, Any]]]:
    """Split `spec` into stages of (name, settings); ValueError where it is not spelled as specs are."""
    stages: list[tuple[str, dict[str, Any]]] = []
    at = 0
    while at <= len(spec):
        end = _next_of(":|", spec, at)
        name, settings = spec[at:end].strip(), dict[str, Any]()
        if not name:
            raise ValueError(f"spec {spec!r} has a stage without a name: legal is name:key=value|name")
        while spec[end : end + 1] == ":":
            key, equals, _ = spec[end + 1 :].partition("=")
            if not equals or not key.isidentifier():
                raise ValueError(f"spec {spec!r}: expected key=value after {spec[:end]!r}")
            settings[key], end = _parse_value(spec, end + 2 + len(key))
        stages.append((name, settings))
        at = end + 1
    return stages


def _parse_value(spec: str, at: int) -> tuple[Any, int]:
    """Return the value that starts at `at` and where it ends."""
    if spec[at : at + 1] in ("[", "{", '"'):
        try:
            value, end = json.JSONDecoder().raw_decode(spec, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"spec {spec!r}: {spec[at:]!r} is not JSON") from error
        return value, end
    end = _next_of(":|", spec, at)
    word = spec[at:end].strip()
    try:
        return json.loads(word), end
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(word, word), end


def _next_of(characters: str, text: str, at: int) -> int:
    return min((found if (found := text.find(c, at)) >= 0 else len(text)) for c in characters)


def format_settings(name: str, settings: dict[str, Any]) -> str:
    """Return `name:key=value:...`, which `get_codec` reads back."""
    return ":".join((name, *(f"{key}={_format_value(value)}" for key, value in settings.items())))


def _format_value(value: object) -> str:
    # Bare only where it reads back as the same word; JSON elsewhere.
    if isinstance(value, str) and value.isidentifier() and _parse_value(value, 0)[0] == value:
        return value
    return json.dumps(value, separators=(",", ":"))


def codec_spec(codec: Codec) -> str:
    """Return the canonical spec of any numcodecs codec, ours or foreign."""
    spec = getattr(codec, "spec", None)
    if isinstance(spec, str):
        return spec
    settings = dict(codec.get_config())
    codec_id = settings.pop("id")
    return format_settings(_THEIRS + codec_id if codec_id in _TABLE else codec_id, settings)


def codec_version(codec: Codec) -> str:
    """Return what a result depends on beside the spec: our version, or the foreign distribution's."""
    version = getattr(codec, "version", None)
    return version if isinstance(version, str) else _distribution(type(codec).__module__.partition(".")[0])


@functools.cache
def _distribution(package: str) -> str:
    distributions = importlib.metadata.packages_distributions().get(package)
    return (
        f"{distributions[0]} {importlib.metadata.version(distributions[0])}" if distributions else "unknown"
    )


def is_lossless(codec: Codec) -> bool:
    """Return whether `codec` claims to give back every bit (foreign codecs: unless known to be lossy)."""
    return bool(getattr(codec, "lossless", codec.codec_id not in _LOSSY_IDS))


def encode_array(codec: Codec, array: ArrayOrBuffer) -> ArrayOrBuffer:
    """Return `codec`'s bytes for `array` (any shape and number type)."""
    coded: ArrayOrBuffer = codec.encode(as_taken(codec, array))
    return coded


def as_taken(codec: Codec, array: ArrayOrBuffer) -> ArrayOrBuffer:
    """Return `array` as `codec.encode` takes it: ours take it as it is.

    A foreign codec gets a C-contiguous array of the same shape, and unsigned words where the type is one
    of ml_dtypes.
    """
    from tensorcodecs.base import TensorCodec

    if isinstance(codec, TensorCodec):
        return array
    words = as_words(array)  # refuses what has no words, whoever the codec is
    if isinstance(array, (bytes, bytearray, memoryview)):
        return words
    array = np.asarray(array)
    return np.ascontiguousarray(array) if array.dtype.isbuiltin != 2 else words.reshape(array.shape)


def decode_bytes(codec: Codec, data: ArrayOrBuffer, n_bytes: int | None = None) -> Bytes:
    """Return the raw bytes that `codec` decodes `data` to, as 1-D uint8.

    Raises DecodeError where they are not `n_bytes` (if given).
    """
    from tensorcodecs.base import DecodeError

    decoded = raw_bytes(codec.decode(data))
    if n_bytes is not None and decoded.size != n_bytes:
        raise DecodeError(f"{codec_spec(codec)} decoded {decoded.size} bytes, expected {n_bytes}")
    return decoded
