import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracegen.zoo.pruning import LEVELS, METHODS, gradual_sparsity, is_prunable, pruning_mask

SHAPES = st.sampled_from([(8, 4, 3, 3), (17, 20), (5, 8, 5, 5), (33, 64), (16, 3, 1, 1), (1, 40)])
FREE_METHODS = tuple(method for method in METHODS if method != "2of4")


def random_weights(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)


@settings(max_examples=40)
@given(SHAPES, st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_exactly_the_asked_share_goes_and_it_is_the_smallest(shape, sparsity, seed):
    weights = random_weights(shape, seed)
    mask = pruning_mask(weights, sparsity)
    assert mask.shape == shape
    assert np.count_nonzero(~mask) == round(sparsity * weights.size)
    if mask.any() and not mask.all():
        assert np.abs(weights[~mask]).max() <= np.abs(weights[mask]).min()


def test_of_equal_weights_the_first_go():
    weights = np.array([[2.0, -1.0, 1.0, 3.0], [1.0, -1.0, 0.0, 5.0]])
    mask = pruning_mask(weights, 0.5)
    np.testing.assert_array_equal(mask, [[True, False, False, True], [False, True, False, True]])
    np.testing.assert_array_equal(pruning_mask(np.ones((1, 4)), 0.5, "2of4"), [[False, False, True, True]])


@pytest.mark.parametrize("method", FREE_METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 5), (2, 1, 1, 1), (0, 4), (4, 0)])
def test_tiny_and_all_zero_matrices(method, shape):
    weights = np.zeros(shape, np.float32)
    assert pruning_mask(weights, 0.0, method).all()
    assert not pruning_mask(weights, 1.0, method).any()
    assert pruning_mask(weights, 0.5, method).shape == shape


@pytest.mark.parametrize("method", FREE_METHODS)
def test_rising_levels_are_nested(method):
    weights = random_weights((40, 5, 5, 5))
    previous = np.ones_like(weights, bool)
    for level in LEVELS:
        mask = pruning_mask(weights, level, method)
        assert not (mask & ~previous).any()
        weights = np.where(mask, weights, 0)
        previous = mask


@settings(max_examples=40)
@given(SHAPES, st.integers(0, 2**32 - 1))
def test_two_of_each_four_inputs_survive_and_they_are_the_larger(shape, seed):
    weights = random_weights(shape, seed)
    mask = pruning_mask(weights, 0.5, "2of4")
    if shape[1] % 4:
        assert mask.all()
        return
    groups = np.moveaxis(mask, 1, -1).reshape(-1, 4)
    sizes = np.abs(np.moveaxis(weights, 1, -1).reshape(-1, 4))
    assert (groups.sum(1) == 2).all()
    assert (np.where(groups, sizes, 99).min(1) >= np.where(groups, -1, sizes).max(1)).all()


def blocks(array, height, width):
    """The blocks of a matrix, those at its edges smaller."""
    matrix = array.reshape(len(array), -1)
    return [
        matrix[r : r + height, c : c + width]
        for r in range(0, matrix.shape[0], height)
        for c in range(0, matrix.shape[1], width)
    ]


@settings(max_examples=60)
@given(
    st.sampled_from(
        [
            ("rows", (8, 4, 3, 3), (1, 3)),
            ("rows", (9, 40), (1, 16)),
            ("block4x4", (17, 20), (4, 4)),
            ("block16x16", (20, 5, 3, 3), (16, 16)),
            ("filter", (6, 4, 3, 3), (1, 36)),
            ("filter", (30, 12), (1, 12)),
        ]
    ),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_groups_go_together_and_the_weakest_first(case, sparsity, seed):
    method, shape, size = case
    weights = random_weights(shape, seed)
    kept = blocks(pruning_mask(weights, sparsity, method), *size)
    assert {part.all() or not part.any() for part in kept} == {True}
    assert sum(not part.any() for part in kept) == round(sparsity * len(kept))
    means = np.array([np.abs(part, dtype=np.float64).mean() for part in blocks(weights, *size)])
    survives = np.array([part.any() for part in kept])
    if survives.any() and not survives.all():
        assert means[~survives].max() <= means[survives].min()


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, float("nan")])
def test_illegal_sparsity(sparsity):
    with pytest.raises(ValueError, match=r"is not in \[0, 1\]"):
        pruning_mask(np.ones((3, 3)), sparsity)


def test_other_errors():
    with pytest.raises(ValueError, match="no pruning method 'filters'; did you mean 'filter'"):
        pruning_mask(np.ones((3, 3)), 0.5, "filters")
    with pytest.raises(ValueError, match=r"sparsity 0\.8 is not 0\.5"):
        pruning_mask(np.ones((4, 4)), 0.8, "2of4")
    with pytest.raises(ValueError, match=r"shape \(4,\) have no two axes"):
        pruning_mask(np.ones(4), 0.5)
    with pytest.raises(ValueError, match="hold a NaN"):
        pruning_mask(np.full((4, 4), np.nan), 0.5)


def test_gradual_sparsity_rises_ever_slower_to_its_end():
    levels = [gradual_sparsity(step, 100, 0.9) for step in range(121)]
    assert levels[0] == 0
    assert levels[50] == pytest.approx(0.9 * (1 - 0.5**3))
    assert levels[100:] == [0.9] * 21
    steps = np.diff(levels[:101])
    assert (steps > 0).all()
    assert (np.diff(steps) <= 1e-12).all()
    assert gradual_sparsity(0, 0, 0.5) == 0.5


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
