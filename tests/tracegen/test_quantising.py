import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tracegen import packing, quantising
from tracegen.quantising import FLOATS, INTEGERS, PRECISIONS, WEIGHT_ONLY, store_tensor, store_weights

WEIGHTS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=6),
    elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-3 else 0.0),
)
ROUNDING = 1 + 1e-4  # float32 arithmetic around the exact half step


def rows_of(weights, precision):
    return weights.reshape(1 if "tensor" in precision else len(weights), -1)


@pytest.mark.parametrize("precision", INTEGERS)
@given(weights=WEIGHTS)
def test_integers_are_within_half_a_step_and_keep_zeros(precision, weights):
    stored = store_weights(weights, precision)
    rows = rows_of(weights, precision)
    scale = np.broadcast_to(np.float32(stored.attributes["scale"]).reshape(-1, 1), (len(rows), 1))
    zero_point = np.broadcast_to(np.float32(stored.attributes["zero_point"]).reshape(-1, 1), (len(rows), 1))
    assert stored.words.dtype == np.int8
    assert stored.words.shape == weights.shape
    restored = (rows_of(stored.words, precision) - zero_point) * scale
    np.testing.assert_array_equal(restored.astype(np.float32), rows_of(stored.values, precision))
    assert (np.abs(restored - rows) <= scale / 2 * ROUNDING).all()
    assert (stored.values[weights == 0] == 0).all()
    if "affine" not in precision:
        assert stored.words.min() >= -127
        assert stored.attributes["zero_point"] == 0


def test_each_output_has_a_scale_of_its_own_or_all_have_one():
    weights = np.array([[1.0, -0.5], [100.0, 50.0], [0.0, 0.0]], np.float32)
    per_row, per_tensor = store_weights(weights, "int8"), store_weights(weights, "int8-tensor")
    np.testing.assert_allclose(per_row.attributes["scale"], [1 / 127, 100 / 127, 1.0], rtol=1e-6)
    np.testing.assert_array_equal(per_row.words, [[127, -64], [127, 64], [0, 0]])
    np.testing.assert_array_equal(per_tensor.words, [[1, -1], [127, 64], [0, 0]])
    assert per_row.attributes["axis"] == 0


def test_the_affine_zero_of_a_relu_is_the_lowest_code():
    tensor = np.array([0.0, 0.0, 1.5, 2.0, 9.0], np.float32)
    stored = store_tensor(tensor, "int8-affine", 0.0, 2.0)
    assert stored.attributes["zero_point"] == -128
    np.testing.assert_array_equal(stored.words, np.array([-128, -128, 63, 127, 127]).astype(np.int8))


@pytest.mark.parametrize("precision", [*FLOATS, *INTEGERS])
@given(WEIGHTS)
def test_what_is_stored_is_stored_again_as_the_same_words(precision, tensor):
    low, high = float(tensor.min()), float(tensor.max())
    once = store_tensor(tensor, precision, low, high)
    again = store_tensor(once.values, precision, low, high)
    np.testing.assert_array_equal(again.words.view(np.uint8), once.words.view(np.uint8))
    assert once.values.dtype == np.float32
    assert (once.values[tensor == 0] == 0).all()


@pytest.mark.parametrize("precision", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_uses_its_whole_range_and_saturates(precision):
    tensor = np.array([-1e-3, 0.0, 1e-3, 5e-3], np.float32)
    stored = store_tensor(tensor, precision, -1e-3, 1e-3)
    largest = float(ml_dtypes.finfo(stored.words.dtype).max)
    np.testing.assert_array_equal(stored.words.astype(np.float32), [-largest, 0, largest, largest])
    assert stored.attributes["scale"] == pytest.approx(1e-3 / largest)
    assert store_weights(np.zeros((2, 2), np.float32), precision).attributes["scale"] == 1.0


@given(WEIGHTS)
def test_int4_is_packed_low_nibble_first_with_a_scale_per_32(weights):
    stored = store_weights(weights, "int4")
    codes = packing.unpack_int4(stored.words, weights.size)
    scales = np.repeat(stored.attributes["scale"], 32)[: weights.size].astype(np.float32)
    assert stored.words.nbytes == -(-weights.size // 2)
    assert codes.min() >= -7
    np.testing.assert_array_equal((codes * scales).reshape(weights.shape), stored.values)
    # The scale itself is a float16: up to 7 steps of its own rounding come on top.
    error = np.abs(stored.values - weights).ravel()
    assert (error <= scales / 2 * ROUNDING + 7 * scales * 2**-11 + 2**-20).all()


def test_the_layout_of_packed_words():
    weights = np.array([[7.0, -7.0, 1.0, 0.0]], np.float32)
    assert store_weights(weights, "int4").words.tolist() == [[0x97, 0x01]]
    assert store_weights(weights, "ternary").words.tolist() == [0b00_00_11_01]
    assert store_weights(weights, "binary").words.tolist() == [0b1101]
    assert store_weights(weights[:, :3], "int4").words.tolist() == [0x97, 0x01], "odd rows lie flat"


@pytest.mark.parametrize(("precision", "levels"), [("ternary", 3), ("binary", 2)])
@given(weights=WEIGHTS)
def test_few_bits_unpack_to_the_values_and_packing_twice_changes_nothing(precision, levels, weights):
    stored = store_weights(weights, precision)
    codes = getattr(packing, f"unpack_{precision}")(stored.words, weights.size).reshape(weights.shape)
    assert len(np.unique(codes)) <= levels
    scale = np.float32(stored.attributes["scale"]).reshape(-1, *(1,) * (weights.ndim - 1))
    np.testing.assert_array_equal(codes * scale, stored.values)
    again = store_weights(stored.values, precision)
    np.testing.assert_array_equal(again.values, stored.values)
    if stored.values.any():
        np.testing.assert_array_equal(again.words, stored.words)


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"])
@given(st.floats(-300, 300, width=32), st.integers(0, 2**32 - 1))
def test_stochastic_rounding_goes_to_a_neighbour_and_never_moves_what_fits(precision, value, seed):
    dtype = FLOATS[precision]
    values = np.full(64, value, np.float32)
    rounded = quantising.round_stochastically(values, dtype, np.random.default_rng(seed))
    found = np.unique(rounded.astype(np.float32))
    assert len(found) <= 2
    assert found.min() <= value <= found.max() or len(found) == 1
    nearest = np.float32(value).astype(dtype)
    if nearest.astype(np.float32) == value:
        np.testing.assert_array_equal(found, [nearest.astype(np.float32)])
    words = np.unique(rounded.view(f"u{dtype.itemsize}").astype(np.int64))
    assert words.max() - words.min() <= 1, "neighbouring words are neighbouring values of one sign"
    again = quantising.round_stochastically(values, dtype, np.random.default_rng(seed))
    assert again.tobytes() == rounded.tobytes()


@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "int8"])
@pytest.mark.parametrize("value", [0.3, -0.7123, 1.9, 1e-3])
def test_stochastic_rounding_has_the_right_mean(precision, value):
    tensor = np.full(40_000, value, np.float32)
    stored = store_tensor(tensor, precision, -2.0, 2.0, np.random.default_rng(1))
    spread = stored.values.std() / np.sqrt(tensor.size)
    assert stored.values.mean(dtype=np.float64) == pytest.approx(value, abs=5 * spread + 1e-9)
    if precision != "float16":
        assert len(np.unique(stored.values)) == 2


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="no storage precision 'int9' here; did you mean 'int8'"):
        store_weights(np.ones((2, 2), np.float32), "int9")
    for precision in WEIGHT_ONLY:
        with pytest.raises(ValueError, match="no storage precision"):
            store_tensor(np.ones(3, np.float32), precision, 0.0, 1.0)
    for precision in PRECISIONS:
        with pytest.raises(ValueError, match="a NaN cannot be stored"):
            store_weights(np.full((2, 2), np.nan, np.float32), precision)
