import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracegen.pruning import LEVELS, is_prunable, magnitude_mask


@given(st.integers(1, 300), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_exactly_the_asked_share_goes_and_it_is_the_smallest(size, sparsity, seed):
    weights = np.random.default_rng(seed).integers(-9, 10, size).astype(np.float32)
    mask = magnitude_mask(weights, sparsity)
    assert np.count_nonzero(~mask) == round(sparsity * size)
    if mask.any() and not mask.all():
        assert np.abs(weights[~mask]).max() <= np.abs(weights[mask]).min()


def test_rising_levels_are_nested():
    weights = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    previous = np.ones_like(weights, bool)
    for level in LEVELS:
        mask = magnitude_mask(weights, level)
        assert not (mask & ~previous).any()
        weights = np.where(mask, weights, 0)
        previous = mask


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, float("nan")])
def test_illegal_sparsity(sparsity):
    with pytest.raises(ValueError, match=r"is not in \[0, 1\]"):
        magnitude_mask(np.ones(3), sparsity)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("conv2.weight", (50, 20, 5, 5), True),
        ("lstm1.weight_hh", (384, 96), True),
        ("conv1.weight", (20, 1, 5, 5), False),
        ("bn1.weight", (4096,), False),
        ("embedding.weight", (256, 64), False),
    ],
)
def test_what_is_pruned(name, shape, expected):
    assert is_prunable(name, shape) is expected
