"""INT8 quantisation: per-channel symmetric for weights, per-tensor affine for activations.

After Jacob et al., CVPR 2018, and Krishnamoorthi, arXiv 1806.08342, sections 2.1 to 2.5. Rounding is to
nearest, ties to even. Never needs torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Scales = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]

LOW, HIGH = -128, 127
SYMMETRIC_HIGH = 127
"""Symmetric codes leave -128 out, so that the codes of w and -w are opposite."""


def _spread(scales: Scales, ndim: int) -> Scales:
    return scales.reshape(-1, *(1,) * (ndim - 1))


def row_scales(weights: Floats) -> Scales:
    """One scale per output channel (leading axis): max|row| / 127, float32; 1 for a row of zeros."""
    peaks = np.abs(weights).reshape(len(weights), -1).max(axis=1).astype(np.float32)
    scales: Scales = np.where(peaks > 0, peaks / np.float32(SYMMETRIC_HIGH), np.float32(1))
    return scales


def quantise_rows(weights: Floats, scales: Scales) -> Codes:
    """int8 codes in [-127, 127] of `weights` (any shape), row r in steps of `scales[r]`; 0 stays 0."""
    codes = np.rint(weights / _spread(scales, weights.ndim))
    clipped: Codes = np.clip(codes, -SYMMETRIC_HIGH, SYMMETRIC_HIGH).astype(np.int8)
    return clipped


def dequantise_rows(codes: Codes, scales: Scales) -> Scales:
    """The float32 values that the codes of `quantise_rows` stand for."""
    values: Scales = codes.astype(np.float32) * _spread(scales, codes.ndim)
    return values


def quantise_symmetric(tensor: Floats) -> tuple[Codes, float]:
    """int8 codes in [-127, 127] of the whole tensor and their one scale, max|tensor| / 127; 0 stays 0."""
    peak = float(np.abs(tensor).max())
    scale = peak / SYMMETRIC_HIGH if peak > 0 else 1.0
    codes = np.clip(np.rint(tensor / scale), -SYMMETRIC_HIGH, SYMMETRIC_HIGH)
    return codes.astype(np.int8), scale


def affine_grid(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of the int8 grid over [low, high], widened to hold 0, which is on the grid.

    A tensor after a ReLU gets zero point -128: its zeros are stored as the code -128.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (HIGH - LOW) or 1.0
    return scale, int(np.clip(round(LOW - low / scale), LOW, HIGH))


def quantise_affine(tensor: Floats, scale: float, zero_point: int) -> Codes:
    """int8 codes q = round(x / scale) + zero_point, clipped to [-128, 127]."""
    codes = np.rint(tensor / np.float32(scale)) + zero_point
    clipped: Codes = np.clip(codes, LOW, HIGH).astype(np.int8)
    return clipped


def dequantise_affine(codes: Codes, scale: float, zero_point: int) -> Scales:
    """The float32 values (q - zero_point) · scale."""
    values: Scales = (codes.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    return values
