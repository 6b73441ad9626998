"""Our codecs in Zarr's format 3: an array-to-bytes codec, and a bytes-to-bytes one for those that see bytes.

Zarr finds them by the entry points `zarr.codecs`, one for each codec's name; see docs/zarr.md. Its format 2
takes our codecs as they are. Nothing of ours imports this module: it needs the extra `zarr`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec, BytesBytesCodec

from tensorcodecs import anycodec, registry
from tensorcodecs.arrays import as_words
from tensorcodecs.base import TensorCodec
from tensorcodecs.nested.pipeline import Pipeline
from tensorcodecs.specs import format_settings

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

PREFIX = "squeezemark."
"""Before a codec's name in an array's metadata: the name of Zarr's codec."""


def codecs(spec: str) -> dict[str, Any]:
    """Return the arguments of `zarr.create_array` with which chunks are coded by `spec` and nothing else.

    Raises ValueError as `registry.get_codec` does.
    """
    codec = registry.get_codec(spec)
    if isinstance(codec, TensorCodec) and codec.sees_bytes:
        return {"compressors": BytesToBytes(spec)}
    return {"serializer": ArrayToBytes(spec), "compressors": None}


@dataclass(frozen=True)
class _Coded:
    """What both kinds share: the codec that `spec` names, and how an array's metadata says it."""

    spec: str
    is_fixed_size: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "spec", self.codec.spec)  # the one spelling; ValueError where there is none

    @cached_property
    def codec(self) -> TensorCodec:
        """The codec itself; one of others is a pipeline's only stage."""
        codec = registry.get_codec(self.spec)
        return codec if isinstance(codec, TensorCodec) else Pipeline([codec])

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the codec that the metadata `data` name; ValueError where they name none."""
        name, settings = str(data["name"]).removeprefix(PREFIX), dict(data.get("configuration") or {})
        if name != Pipeline.name:
            return cls(format_settings(name, settings))
        return cls(Pipeline.from_config(settings).spec)

    def to_dict(self) -> dict[str, Any]:
        """Return the codec's metadata: its name and all its settings."""
        return {"name": PREFIX + self.codec.name, "configuration": self.codec.settings}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Raise NotImplementedError: frames are as long as what they hold makes them."""
        raise NotImplementedError


class ArrayToBytes(_Coded, ArrayBytesCodec):  # type: ignore[misc]  # checked without zarr
    """A chunk's frame, of its words, numbers and shape in C order; what is big-endian is swapped before."""

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:  # noqa: ANN401, ARG002 - Zarr's
        """Raise TypeError where the codec does not take arrays of `dtype`."""
        sample = np.empty(0, dtype.to_native_dtype())
        as_words(sample)
        if not getattr(self.codec, "takes", lambda array: True)(sample):  # noqa: ARG005
            raise TypeError(f"{self.codec.name} does not take {sample.dtype}")

    def _encode_sync(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        # Of an array in Fortran order our codecs would take the memory as it is, which no metadata tells.
        array = np.ascontiguousarray(chunk_data.as_numpy_array())
        frame = self.codec.encode(array.astype(_little(array.dtype), copy=False))
        return chunk_spec.prototype.buffer.from_bytes(frame)

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        dtype = _little(chunk_spec.dtype.to_native_dtype())
        n_bytes = int(np.prod(chunk_spec.shape)) * dtype.itemsize
        raw = anycodec.decode_bytes(self.codec, chunk_data.as_numpy_array(), n_bytes)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(raw.view(dtype).reshape(chunk_spec.shape))

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)


class BytesToBytes(_Coded, BytesBytesCodec):  # type: ignore[misc]  # likewise
    """The frame of the bytes that the codec before it made."""

    def _encode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return chunk_spec.prototype.buffer.from_bytes(self.codec.encode(chunk_data.as_numpy_array()))

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        raw = anycodec.decode_bytes(self.codec, chunk_data.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(raw.data)

    async def _encode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<") if dtype.byteorder == ">" else dtype
