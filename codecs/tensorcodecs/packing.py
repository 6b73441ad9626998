"""Packed weights: INT4 in groups, ternary and binary. Never needs torch.

All pack the lowest bits first. Words are uint8; a last byte that is not full is padded with zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int8]
Packed = tuple[Bytes, Floats, dict[str, Any]]

GROUP = 32
"""INT4 weights that share a scale."""
_INT4_HIGH = 7
_TERNARY_THRESHOLD = 0.7


def _pack(codes: Codes, bits: int) -> Bytes:
    per_byte = 8 // bits
    flat = np.zeros(-(-codes.size // per_byte) * per_byte, np.uint8)
    flat[: codes.size] = codes.ravel().view(np.uint8) & ((1 << bits) - 1)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    packed: Bytes = np.bitwise_or.reduce(flat.reshape(-1, per_byte) << shifts, axis=1)
    return packed


def _unpack(words: Bytes, count: int, bits: int) -> Codes:
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    fields = (words.ravel()[:, None] >> shifts).ravel()[:count]
    # Two's complement: up to the top of a byte and, with the sign, down again.
    codes: Codes = (fields << np.uint8(8 - bits)).view(np.int8) >> np.int8(8 - bits)
    return codes


def unpack_int4(words: Bytes, count: int) -> Codes:
    """The first `count` codes, -7 to 7, of what `pack_int4` packed."""
    return _unpack(words, count, 4)


def unpack_ternary(words: Bytes, count: int) -> Codes:
    """The first `count` codes, -1, 0 or 1, of what `pack_ternary` packed."""
    return _unpack(words, count, 2)


def unpack_binary(words: Bytes, count: int) -> Codes:
    """The first `count` codes, -1 or 1, of what `pack_binary` packed."""
    bits = np.unpackbits(words.ravel(), count=count, bitorder="little")
    codes: Codes = np.where(bits == 1, 1, -1).astype(np.int8)
    return codes


def _attributes(weights: Floats, bits: int, scale: Any) -> dict[str, Any]:  # noqa: ANN401 - one or many
    return {"bits": bits, "values_shape": list(weights.shape), "scale": scale}


def pack_int4(weights: Floats) -> Packed:
    """Codes -7 to 7, two per byte, one float16 scale per 32 weights in C order.

    As weight-only engines have it (Frantar et al., GPTQ, ICLR 2023; Lin et al., AWQ, MLSys 2024). A row of
    even length stays a row: words have shape (*shape[:-1], shape[-1] / 2), else they are flat.
    """
    padded = np.zeros(-(-weights.size // GROUP) * GROUP, np.float32)
    padded[: weights.size] = weights.ravel()
    groups = padded.reshape(-1, GROUP)
    scales = (np.abs(groups).max(1, keepdims=True) / np.float32(_INT4_HIGH)).astype(np.float16)
    steps = np.where(scales > 0, scales, 1).astype(np.float32)
    codes = np.clip(np.rint(groups / steps), -_INT4_HIGH, _INT4_HIGH)
    values = (codes * steps).ravel()[: weights.size].reshape(weights.shape).astype(np.float32)
    words = _pack(codes.ravel()[: weights.size].astype(np.int8), 4)
    if weights.shape[-1] % 2 == 0:
        words = words.reshape(*weights.shape[:-1], -1)
    return words, values, {**_attributes(weights, 4, scales.ravel()), "group": GROUP}


def pack_ternary(weights: Floats) -> Packed:
    """Codes -1, 0, 1, four per byte, one scale (Li & Liu, arXiv 1605.04711, section 2.2)."""
    magnitude = np.abs(weights)
    kept = magnitude > _TERNARY_THRESHOLD * float(magnitude.mean(dtype=np.float64))
    # Of weights that are all alike the mean is one of them to the bit: packing twice changes nothing.
    scale = np.float32(magnitude[kept].mean(dtype=np.float64)) if kept.any() else np.float32(0)
    codes = (np.sign(weights) * kept).astype(np.int8)
    return _pack(codes, 2), codes * scale, _attributes(weights, 2, float(scale))


def pack_binary(weights: Floats) -> Packed:
    """Signs, eight per byte (1 = not negative), one scale per output (Rastegari et al., ECCV 2016, eq. 6)."""
    rows = weights.reshape(len(weights), -1)
    scales = np.abs(rows).mean(1, dtype=np.float64).astype(np.float32)
    positive = rows >= 0
    values = np.where(positive, scales[:, None], -scales[:, None]).reshape(weights.shape)
    words = np.packbits(positive.ravel(), bitorder="little")
    return words, values, _attributes(weights, 1, scales)
