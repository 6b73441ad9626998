"""Arrays that others are coded against, by name: earlier checkpoints above all.

Whoever encodes or decodes provides them; nothing is read from disk and a frame holds only name and digest.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from tensorcodecs.arrays import Array, ArrayOrBuffer, as_words, did_you_mean, in_memory_order
from tensorcodecs.base import DecodeError

DIGEST_BYTES = 16


class Base(NamedTuple):
    """A provided array: its words, read-only, and the first DIGEST_BYTES of the SHA-256 of its bytes."""

    words: Array
    digest: bytes


_bases: dict[str, Base] = {}


def provide(name: str, array: ArrayOrBuffer) -> None:
    """Keep a copy of `array`, in the order of its memory, as the base `name` in place of an earlier one."""
    words = as_words(in_memory_order(array)).copy()
    words.flags.writeable = False
    _bases[name] = Base(words, hashlib.sha256(words.data).digest()[:DIGEST_BYTES])


def forget(name: str) -> None:
    """Let go of the base `name`, if there is one."""
    _bases.pop(name, None)


def find(name: str) -> Base:
    """Return the base `name`; raise KeyError with the nearest name where nobody provided it."""
    if name not in _bases:
        near = did_you_mean(name, tuple(_bases)) if _bases else "; none is provided"
        raise KeyError(f"no base {name!r}{near}")
    return _bases[name]


def checked(name: bytes, digest: bytes) -> Base:
    """Return the base `name` (UTF-8), or raise DecodeError where it is missing or has another digest."""
    text = name.decode(errors="replace")
    try:
        base = find(text)
    except KeyError as error:
        raise DecodeError(f"the frame's base is not here: {error.args[0]}") from error
    if base.digest != digest:
        raise DecodeError(f"base {text!r} is not the array that the frame was made with")
    return base


def fold(differences: Array) -> Array:
    """Put small differences of either sign next to 0: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..."""
    signed = differences.view(f"i{differences.itemsize}")
    folded: Array = ((signed << 1) ^ (signed >> (8 * differences.itemsize - 1))).view(differences.dtype)
    return folded


def unfold(folded: Array) -> Array:
    """Undo `fold`."""
    one = folded.dtype.type(1)
    differences: Array = (folded >> one) ^ (~(folded & one) + one)
    return differences
