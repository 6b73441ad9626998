import numpy as np
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
def test_codes_of_a_tensor_are_within_half_a_step_and_keep_zeros(tensor):
    scale = quantising.tensor_scale(float(np.abs(tensor).max()))
    codes = quantising.quantise(tensor, scale)
    assert scale > 0
    assert (np.abs(codes * np.float64(scale) - tensor) <= scale / 2 * ROUNDING).all()
    assert (codes[tensor == 0] == 0).all()
    np.testing.assert_array_equal(quantising.quantise(-tensor, scale), -codes)
    np.testing.assert_array_equal(quantising.quantise(quantising.dequantise(codes, scale), scale), codes)


def test_what_calibration_did_not_see_is_clipped():
    tensor = np.array([-9.0, -1.0, 0.0, 1.0, 9.0], np.float32)
    np.testing.assert_array_equal(
        quantising.quantise(tensor, quantising.tensor_scale(1.0)),
        np.array([-127, -127, 0, 127, 127], np.int8),
    )
