"""Arrays as the codecs see them: bytes, unsigned words, and the names of element types.

Types of ml_dtypes (bfloat16, float8, ...) export no buffer, so whoever needs an array's bits goes through
`as_words` or `raw_bytes`.
"""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Bytes: TypeAlias = npt.NDArray[np.uint8]
ArrayOrBuffer: TypeAlias = Array | bytes | bytearray | memoryview
Frame: TypeAlias = bytes | memoryview
"""What encoding returns: bytes, or a read-only view of so many, where `bytes` would cost one more copy."""

WORD_DTYPES = {n_bytes: np.dtype(f"u{n_bytes}") for n_bytes in (1, 2, 4, 8)}

# The spellings that papers and frameworks use, each to the full name of numpy or ml_dtypes.
ALIASES = {
    "fp64": "float64",
    "fp32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "fp8_e4m3": "float8_e4m3fn",
    "fp8_e4m3fn": "float8_e4m3fn",
    "fp8_e5m2": "float8_e5m2",
}
_NUMPY_NAMES = (
    *("bool", "float16", "float32", "float64", "complex64", "complex128"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
_ML_DTYPES_NAMES = tuple(
    name for name in vars(ml_dtypes) if name.startswith(("bfloat", "float", "int", "uint"))
)


class NumberFormat(NamedTuple):
    """What the bits of a word mean, from the highest down: sign, exponent, mantissa."""

    kind: str
    """"unsigned", "signed" (two's complement) or "float"."""
    exponent_bits: int = 0
    """0 unless `kind` is "float"."""
    mantissa_bits: int = 0
    """0 unless `kind` is "float"; then sign, exponent and mantissa fill the word."""


def number_format(array: ArrayOrBuffer) -> NumberFormat:
    """Return what the words of `array` (as `as_words` gives them) mean.

    Buffers, booleans, complex numbers, big-endian and 16-byte items, and floats that do not fill their word
    with a sign, an exponent and a mantissa are "unsigned": words without a known meaning.
    """
    dtype = (
        np.dtype(np.uint8) if isinstance(array, (bytes, bytearray, memoryview)) else np.asarray(array).dtype
    )
    if dtype.byteorder == ">" or dtype.itemsize > 8 or dtype.kind in "ubcM" or dtype.name.startswith("uint"):
        return NumberFormat("unsigned")
    if dtype.kind in "im" or dtype.name.startswith("int"):
        return NumberFormat("signed")
    form = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
    if 1 + form.nexp + form.nmant != 8 * dtype.itemsize:
        return NumberFormat("unsigned")
    return NumberFormat("float", int(form.nexp), int(form.nmant))


def in_memory_order(array: ArrayOrBuffer) -> ArrayOrBuffer:
    """Return `array` so that its C order is the order of its memory: one in Fortran order is transposed.

    This is how numcodecs' codecs take arrays, and Zarr counts on it. Nothing is copied: what is in C order,
    or not contiguous at all, is returned as it is.
    """
    if isinstance(array, (bytes, bytearray)):
        return array
    view = np.asarray(array)
    if view.flags.c_contiguous or not view.flags.f_contiguous:
        return array
    return view.T.data if isinstance(array, memoryview) else view.T


def as_words(array: ArrayOrBuffer) -> Array:
    """Return the bits of `array` in C order, as a 1-D C-contiguous, aligned array of unsigned words.

    Words are as wide as the items (uint8, 16, 32 or 64); complex numbers and 16-byte items become 8-byte
    words, buffers (bytes, bytearray, memoryview) become uint8. Big-endian items keep their bytes as they
    are. It is a view wherever the input is C-contiguous and aligned, and a C-order copy
    elsewhere.

    Raises TypeError for items whose bits are not the value: objects, strings, structures.
    """
    flat = _flat(array)
    word_bytes = 8 if flat.dtype.kind == "c" else min(flat.itemsize, 8)
    return (flat if flat.flags.aligned else flat.copy()).view(WORD_DTYPES[word_bytes])


def raw_bytes(array: ArrayOrBuffer) -> Bytes:
    """Return the bits of `array` in C order as a 1-D uint8 array: a view wherever it is C-contiguous."""
    return _flat(array).view(np.uint8)


def _flat(array: ArrayOrBuffer) -> Array:
    """The items in C order, 1-D: a view where the input is C-contiguous; TypeError as `as_words` says."""
    if isinstance(array, (bytes, bytearray, memoryview)):
        return np.frombuffer(array, np.uint8) if memoryview(array).nbytes else np.empty(0, np.uint8)
    array = np.asarray(array)
    dtype = array.dtype
    is_plain = dtype.kind in "biufcmM" or dtype.isbuiltin == 2  # 2: registered by ml_dtypes
    if not is_plain or dtype.itemsize not in (1, 2, 4, 8, 16):
        raise TypeError(f"no words in items of type {dtype}: legal are numbers of 1, 2, 4, 8 or 16 bytes")
    return np.ascontiguousarray(array).reshape(-1)


def resolve_dtype(name: str) -> np.dtype[Any]:
    """Return the dtype called `name`: a full name of numpy or ml_dtypes, or an alias such as bf16.

    Raises ValueError with the nearest match for a name that is neither.
    """
    full_name = ALIASES.get(name, name)
    if full_name in _NUMPY_NAMES:
        return np.dtype(full_name)
    if full_name in _ML_DTYPES_NAMES:
        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, full_name))
        return dtype
    legal = (*ALIASES, *_NUMPY_NAMES, *_ML_DTYPES_NAMES)
    raise ValueError(f"no element type {name!r}" + did_you_mean(name, legal))


def dtype_name(dtype: npt.DTypeLike) -> str:
    """Return the full name of `dtype`, such as "bfloat16"; byte order is not part of it."""
    return np.dtype(dtype).name


def did_you_mean(name: str, legal: tuple[str, ...]) -> str:
    """Return the tail of an error message: the nearest legal name, or all of them where none is near."""
    near = difflib.get_close_matches(name, legal, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; legal are {', '.join(legal)}"
