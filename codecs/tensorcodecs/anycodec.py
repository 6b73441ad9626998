"""Any numcodecs codec, ours or foreign, treated alike: its spec, its version, its bytes."""

from __future__ import annotations

import functools
import importlib.metadata

import numpy as np
from numcodecs.abc import Codec

from tensorcodecs.arrays import ArrayOrBuffer, Bytes, as_words, in_memory_order, raw_bytes
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.registry import FOREIGN_PREFIX, names
from tensorcodecs.specs import format_settings

# numcodecs' own codecs that do not give back every bit.
_LOSSY_IDS = ("astype", "bitround", "fixedscaleoffset", "quantize")


def codec_spec(codec: Codec) -> str:
    """Return the canonical spec of any numcodecs codec, ours or foreign."""
    spec = getattr(codec, "spec", None)
    if isinstance(spec, str):
        return spec
    settings = dict(codec.get_config())
    codec_id = settings.pop("id")
    return format_settings(FOREIGN_PREFIX + codec_id if codec_id in names() else codec_id, settings)


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

    A foreign codec gets a C-contiguous array of the same shape (transposed where it is in Fortran order: its
    memory stays as it is), and unsigned words where the type is one of ml_dtypes.
    """
    if isinstance(codec, TensorCodec):
        return array
    array = in_memory_order(array)
    words = as_words(array)  # refuses what has no words, whoever the codec is
    if isinstance(array, (bytes, bytearray, memoryview)):
        return words
    array = np.asarray(array)
    return np.ascontiguousarray(array) if array.dtype.isbuiltin != 2 else words.reshape(array.shape)


def decode_bytes(codec: Codec, data: ArrayOrBuffer, n_bytes: int | None = None) -> Bytes:
    """Return the raw bytes that `codec` decodes `data` to, in the order of memory, as 1-D uint8.

    Raises DecodeError where they are not `n_bytes` (if given).
    """
    decoded = raw_bytes(in_memory_order(codec.decode(data)))
    if n_bytes is not None and decoded.size != n_bytes:
        raise DecodeError(f"{codec_spec(codec)} decoded {decoded.size} bytes, expected {n_bytes}")
    return decoded
