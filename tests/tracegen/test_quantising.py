import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tracegen import quantising

TENSORS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=6),
    elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False) | st.just(0.0),
)
ROUNDING = 1 + 1e-5  # float32 arithmetic around the exact half step


@given(TENSORS)
def test_row_codes_are_within_half_a_step_of_their_row_and_keep_zeros(weights):
    scales = quantising.row_scales(weights)
    codes = quantising.quantise_rows(weights, scales)
    error = np.abs(quantising.dequantise_rows(codes, scales) - weights).reshape(len(weights), -1)
    assert scales.shape == (len(weights),)
    assert scales.dtype == np.float32
    assert codes.dtype == np.int8
    assert codes.min() >= -127
    assert (error <= scales[:, None] / 2 * ROUNDING).all()
    assert (codes[weights == 0] == 0).all()


def test_each_row_has_a_scale_of_its_own():
    weights = np.array([[1.0, -0.5], [100.0, 50.0], [0.0, 0.0]], np.float32)
    scales = quantising.row_scales(weights)
    np.testing.assert_allclose(scales, [1 / 127, 100 / 127, 1.0], rtol=1e-6)
    np.testing.assert_array_equal(
        quantising.quantise_rows(weights, scales), np.array([[127, -64], [127, 64], [0, 0]], np.int8)
    )


@given(TENSORS)
def test_symmetric_codes_of_a_tensor(tensor):
    codes, scale = quantising.quantise_symmetric(tensor)
    assert scale > 0
    assert (np.abs(codes * np.float64(scale) - tensor) <= scale / 2 * ROUNDING).all()
    assert (codes[tensor == 0] == 0).all()
    np.testing.assert_array_equal(quantising.quantise_symmetric(-tensor)[0], -codes)


@given(TENSORS)
def test_affine_codes_are_within_a_step_and_zero_is_on_the_grid(tensor):
    scale, zero_point = quantising.affine_grid(float(tensor.min()), float(tensor.max()))
    codes = quantising.quantise_affine(tensor, scale, zero_point)
    values = quantising.dequantise_affine(codes, scale, zero_point)
    assert -128 <= zero_point <= 127
    # Half a step inside the grid, up to one at its ends: the zero point is rounded to a whole code.
    assert (np.abs(values - tensor) <= scale * ROUNDING).all()
    assert (values[tensor == 0] == 0).all()
    np.testing.assert_array_equal(quantising.quantise_affine(values, scale, zero_point), codes)


@pytest.mark.parametrize(
    ("low", "high", "zero_point"), [(0.0, 5.0, -128), (-5.0, 0.0, 127), (0.0, 0.0, -128), (2.0, 5.0, -128)]
)
def test_affine_zero_points(low, high, zero_point):
    assert quantising.affine_grid(low, high)[1] == zero_point
