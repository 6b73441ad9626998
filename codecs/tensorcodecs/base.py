"""What a codec is: `numcodecs.abc.Codec` plus a name, a source, a version and exact sizes of blocks.

A new codec implements `pack` and `unpack`; arrays, `out=`, configuration and spelling come from here.
See docs/adding-a-codec.md.
"""

from __future__ import annotations

import copy
import hashlib
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from numcodecs.abc import Codec

from tensorcodecs.arrays import (
    Array,
    ArrayOrBuffer,
    Bytes,
    Frame,
    NumberFormat,
    as_words,
    in_memory_order,
    number_format,
    raw_bytes,
)
from tensorcodecs.specs import format_settings

LINE_BYTES = (32, 64, 128, 256)
"""Sizes of a memory's lines that line compressors have."""


class DecodeError(ValueError):
    """The bytes are not a whole, valid frame of this codec: truncated, damaged or hostile."""


class TooLargeError(ValueError):
    """The array has more bytes than the codec takes at once."""


class TensorCodec(Codec):  # type: ignore[misc]  # numcodecs publishes no types
    """A codec of ours. Public instance attributes are its settings, in the order they are set."""

    name: ClassVar[str]
    """The name in spec strings, such as "zvc"."""
    codec_id: ClassVar[str]
    """numcodecs' name; one of numcodecs' own only where both decode each other's data."""
    title: ClassVar[str]
    source: ClassVar[str]
    """The paper, RFC or project that defines the method."""
    version: str
    """What a size depends on beside the settings: our format's version or the linked library's."""
    lossless: bool = True
    bytes_max: ClassVar[int | None] = None
    """The largest array that it takes, where its format or its library has such a limit."""
    sees_bytes: ClassVar[bool] = False
    """True where an array's frame is that of its bytes: its words, numbers and shape make no difference."""
    is_filter: ClassVar[bool] = False
    """True for a stage that rearranges and leaves the saving to the stages after it."""
    keeps_words: ClassVar[bool] = False
    """True for a filter whose frame is words as wide as the array's, which a pipeline's next stage sees."""

    def encode(self, buf: ArrayOrBuffer) -> Frame:
        """Return the frame that holds `buf` (any shape; number types as in `arrays.as_words`).

        As with numcodecs' codecs, an array in Fortran order is coded in the order of its memory, and one that
        is not contiguous in C order. Raises TypeError for items that are no numbers, and TooLargeError.
        """
        return self.pack(self._checked(as_words(in_memory_order(buf))))

    def decode(self, buf: ArrayOrBuffer, out: ArrayOrBuffer | None = None) -> ArrayOrBuffer:
        """Return the bytes that were encoded, as 1-D uint8; with `out`, fill it and return it.

        `out` is any contiguous writable array or buffer of exactly the right number of bytes; one in Fortran
        order is filled in the order of its memory.
        Raises DecodeError for a frame that is not valid and ValueError for an `out` that does not fit.
        """
        decoded = self.unpack(_frozen(raw_bytes(buf)))
        return decoded if out is None else fill(out, decoded)

    @abstractmethod
    def pack(self, words: Array) -> Frame:
        """Return the frame of `words`: 1-D C-contiguous uint8, 16, 32 or 64, never modified."""

    @abstractmethod
    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes of the frame `data` (1-D uint8), or raise DecodeError."""

    def _checked(self, words: Array) -> Array:
        """The words, read-only; TooLargeError where they are more than the codec takes."""
        if self.bytes_max is not None and words.nbytes > self.bytes_max:
            raise TooLargeError(
                f"{self.name} takes arrays of at most {self.bytes_max} bytes, not {words.nbytes}; "
                f"'blocks:codec={self.name}' takes any"
            )
        return _frozen(words)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting with its value, in the order of the constructor."""
        return {key: value for key, value in vars(self).items() if not key.startswith("_")}

    def get_config(self) -> dict[str, Any]:
        """Return the settings and the codec's id, all of it JSON."""
        return {"id": self.codec_id, **self.settings}

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.settings.items())})"
        )

    @property
    def spec(self) -> str:
        """The one spelling of this codec with all its settings, such as `zstd:level=3`."""
        return format_settings(self.name, self.settings)

    def warm_up(self) -> None:
        """Compile all that encoding, decoding and block sizes need, by running tiny arrays of every width."""
        for n_bytes in (1, 2, 4, 8):
            # Zeros, values and a tail: every kernel that a codec calls is reached.
            words = np.zeros(300, f"u{n_bytes}")
            words[::3] = np.arange(100)
            self.decode(self.encode(words))


class TypedCodec(TensorCodec):
    """A codec that also asks what the words mean: number format and shape.

    What decoding needs of them, the frame states.
    """

    def encode(self, buf: ArrayOrBuffer) -> Frame:
        """Return the frame that holds `buf`, as `TensorCodec.encode` does."""
        array = in_memory_order(buf)
        return self.pack_typed(self._checked(as_words(array)), number_format(array), np.shape(array))

    def pack(self, words: Array) -> Frame:
        """Return the frame of `words` as unsigned numbers."""
        return self.pack_typed(words, number_format(words), words.shape)

    @abstractmethod
    def pack_typed(self, words: Array, numbers: NumberFormat, shape: tuple[int, ...]) -> Frame:
        """Return the frame of `words` (as in `pack`), which are `numbers` in an array of `shape`.

        The product of `shape` is the number of items, which for 16-byte and complex items is half of the
        number of words.
        """


class FittedCodec(TensorCodec):
    """A codec that learns from samples before it encodes; what it learned is its state.

    The state is no setting: specs and configurations do not hold it, and a frame names it by its digest
    alone. Without a state the codec works as if nothing had been learned. `pack` begins its frame with
    `self.mark`; the marks of other states are refused here, before `unpack_body`.
    """

    state_digest_bytes: ClassVar[int] = 8
    _state: bytes = b""

    @property
    def learns(self) -> bool:
        """Whether these settings leave anything to fit; otherwise a run does not fit it."""
        return True

    @abstractmethod
    def fit(self, samples: Iterable[Array]) -> bytes:
        """Return the state learned from `samples`, the same for the same samples; empty = nothing learned."""

    @abstractmethod
    def unpack_body(self, body: Bytes) -> Bytes:
        """Return the raw bytes of a frame without its mark, or raise DecodeError."""

    def with_state(self, state: bytes) -> Self:
        """Return a codec of these settings that uses `state`; ValueError where it is none of this codec's."""
        twin = copy.copy(self)
        twin._state = bytes(state)
        return twin

    @property
    def mark(self) -> bytes:
        """What a frame begins with: the number of bytes of the state's digest, and these; 0 = no state."""
        digest = hashlib.sha256(self._state).digest()[: self.state_digest_bytes] if self._state else b""
        return bytes([len(digest)]) + digest

    def unpack(self, data: Bytes) -> Bytes:
        """Return the raw bytes; a frame that needs another state is refused, one that needs none is not."""
        if data[:1].tobytes() == b"\0":
            return (self.with_state(b"") if self._state else self).unpack_body(data[1:])
        mark = self.mark
        if data[: len(mark)].tobytes() != mark:
            own = mark[1:].hex() or "none"
            raise DecodeError(f"the frame names another learned state than this codec's ({own})")
        return self.unpack_body(data[len(mark) :])


class BlockCodec(TensorCodec):
    """A codec that treats an array as independent blocks of `block_bytes` bytes each.

    A last partial block counts as a whole one padded with zeros, as hardware would store it; decoding
    still returns the exact bytes.
    """

    block_bytes: int

    def block_bits(self, array: ArrayOrBuffer) -> npt.NDArray[np.int32]:
        """Return the exact bits of every block, int32[n_blocks]: what `encode` packs, tags included."""
        return self.count_bits(_frozen(as_words(in_memory_order(array))))

    @abstractmethod
    def count_bits(self, words: Array) -> npt.NDArray[np.int32]:
        """Return the bits of every block of `words` (as in `pack`), int32[n_blocks]."""

    def warm_up(self) -> None:
        """Compile all that encoding, decoding and block sizes need."""
        super().warm_up()
        for n_bytes in (1, 2, 4, 8):
            self.block_bits(np.zeros(1, f"u{n_bytes}"))


def _frozen(array: Array) -> Array:
    # Codecs never modify their input. And read-only is a type of its own for numba: with one of the two
    # kinds, each kernel is compiled once.
    view = array.view()
    view.flags.writeable = False
    return view


def fill(out: ArrayOrBuffer, decoded: Bytes) -> ArrayOrBuffer:
    """Copy `decoded` into the memory of `out` and return `out`; raise ValueError where it does not fit."""
    memory = out if isinstance(out, np.ndarray) else memoryview(out)
    is_contiguous = memory.flags.forc if isinstance(memory, np.ndarray) else memory.contiguous
    if not is_contiguous or not (target := raw_bytes(in_memory_order(memory))).flags.writeable:
        raise ValueError("out must be contiguous and writable")
    if target.size != decoded.size:
        raise ValueError(f"out holds {target.size} bytes, the frame {decoded.size}")
    target[:] = decoded
    return out


def whole_number(name: str, value: object, low: int, high: int) -> int:
    """Return `value` as the setting `name`, or raise ValueError naming the legal range low..high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name}={value!r} is not legal: a whole number from {low} to {high}")
    return value


def one_of(name: str, value: object, legal: tuple[int, ...]) -> int:
    """Return `value` as the setting `name`, or raise ValueError naming the legal values and the nearest."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in legal:
        near = (
            min(legal, key=lambda choice: abs(choice - value))
            if isinstance(value, (int, float))
            else legal[0]
        )
        raise ValueError(
            f"{name}={value!r} is not legal: one of {', '.join(map(str, legal))}; nearest is {near}"
        )
    return value
