"""INT8 quantisation, symmetric: one scale per output channel for weights, one per tensor for the rest.

After Krishnamoorthi, arXiv 1806.08342, section 2.2, and Wu et al., arXiv 2004.09602, section 3. Zero is the
code 0, so the zeros that a ReLU or pruning makes are zero bytes. Rounding is to nearest, ties to even.
Never needs torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Scales = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]

HIGH = 127
"""Symmetric codes leave -128 out, so that the codes of w and -w are opposite."""


def _spread(scales: Scales, ndim: int) -> Scales:
    return scales.reshape(-1, *(1,) * (ndim - 1))


def row_scales(weights: Floats) -> Scales:
    """One scale per output channel (leading axis): max|row| / 127, float32; 1 for a row of zeros."""
    peaks = np.abs(weights).reshape(len(weights), -1).max(axis=1).astype(np.float32)
    scales: Scales = np.where(peaks > 0, peaks / np.float32(HIGH), np.float32(1))
    return scales


def quantise_rows(weights: Floats, scales: Scales) -> Codes:
    """int8 codes in [-127, 127] of `weights` (any shape), row r in steps of `scales[r]`; 0 stays 0."""
    codes = np.rint(weights / _spread(scales, weights.ndim))
    clipped: Codes = np.clip(codes, -HIGH, HIGH).astype(np.int8)
    return clipped


def dequantise_rows(codes: Codes, scales: Scales) -> Scales:
    """The float32 values that the codes of `quantise_rows` stand for."""
    values: Scales = codes.astype(np.float32) * _spread(scales, codes.ndim)
    return values


def tensor_scale(peak: float) -> float:
    """The one scale of a tensor whose values lie in [-peak, peak]: peak / 127; 1 where all are zero."""
    return peak / HIGH or 1.0


def quantise(tensor: Floats, scale: float) -> Codes:
    """int8 codes in [-127, 127] of the whole tensor in steps of `scale`; 0 stays 0, the rest is clipped."""
    codes: Codes = np.clip(np.rint(tensor / scale), -HIGH, HIGH).astype(np.int8)
    return codes


def dequantise(codes: Codes, scale: float) -> Scales:
    """The float32 values that the codes of `quantise` stand for."""
    values: Scales = codes.astype(np.float32) * np.float32(scale)
    return values
