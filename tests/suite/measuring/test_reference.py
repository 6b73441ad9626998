from collections import Counter
from math import log, log2

import ml_dtypes
import numpy as np
import pytest

from suite.measuring.reference import zero_aware_order0


def entropy_bits(symbols):
    """n * H, Miller-Madow corrected: a reference in pure Python."""
    counts = Counter(symbols)
    plug_in = -sum(c * log2(c / len(symbols)) for c in counts.values())
    return min(plug_in + (len(counts) - 1) / (2 * log(2)), len(symbols) * log2(len(counts)))


@pytest.mark.parametrize(
    ("dtype", "bits_per_value"),
    # N(0, s) for any s: the exponent has 2.544 bits, whatever the width of the rest.
    [(np.float32, 26.46), (ml_dtypes.bfloat16, 10.463), (np.float16, 13.463)],
)
def test_dense_gaussians_cost_what_theory_says(dtype, bits_per_value):
    values = np.random.default_rng(0).normal(0, 0.02, 1 << 20)
    assert zero_aware_order0(values.astype(dtype)).bits / values.size == pytest.approx(
        bits_per_value, abs=0.03
    )


def test_zeros_cost_their_mask_and_nothing_else():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, 1 << 19).astype(np.float32)
    values[rng.random(values.size) < 0.5] = 0
    reference = zero_aware_order0(values)
    assert reference.zero_fraction == pytest.approx(0.5, abs=0.01)
    assert reference.bits / values.size == pytest.approx(1 + 0.5 * 26.46, abs=0.05)


def test_small_alphabets_are_counted_symbol_by_symbol():
    values = np.random.default_rng(2).integers(-4, 4, 4000).astype(np.int8)
    reference = zero_aware_order0(values)
    zeros = int((values == 0).sum())
    mask = entropy_plain(zeros, values.size)
    assert reference.form == "symbols"
    assert reference.bits == pytest.approx(mask + entropy_bits([v for v in values.tolist() if v]))


def entropy_plain(ones, total):
    return -ones * log2(ones / total) - (total - ones) * log2(1 - ones / total)


def test_too_few_samples_fall_back_to_the_fields():
    values = np.random.default_rng(3).normal(0, 1, 4096).astype(np.float16)
    reference = zero_aware_order0(values)
    assert reference.form == "fields"
    # The plug-in entropy over whole values would claim at most log2(4096) = 12 bits a value.
    assert reference.bits / values.size > 13


def test_integers_of_many_bits_are_counted_by_bytes():
    values = (np.arange(1, 5001, dtype=np.int64) % 7) << 40
    reference = zero_aware_order0(values)
    zeros = int((values == 0).sum())
    planes = [[int(v) >> shift & 0xFF for v in values if v] for shift in range(0, 64, 8)]
    assert reference.form == "bytes"
    assert reference.bits == pytest.approx(entropy_plain(zeros, 5000) + sum(map(entropy_bits, planes)))


@pytest.mark.parametrize(
    "values", [np.zeros(0, np.float32), np.zeros((3, 4), np.float16), np.zeros((), np.int8)]
)
def test_nothing_but_zeros_costs_nothing(values):
    assert zero_aware_order0(values).bits == 0


def test_constant_values_cost_nothing_and_nan_counts_as_a_value():
    assert zero_aware_order0(np.full(1000, np.nan, np.float32)).bits == 0
    assert zero_aware_order0(np.full(1000, -0.0, np.float32)).zero_fraction == 0
