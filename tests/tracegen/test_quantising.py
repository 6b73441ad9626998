import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorcodecs import packing, quantisers
from tensorcodecs.quantisers import FLOATS, INTEGERS, PRECISIONS, WEIGHT_ONLY, store_tensor, store_weights

WEIGHTS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=6),
    elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-3 else 0.0),
)
ROUNDING = 1 + 1e-4  # float32 arithmetic around the exact half step


TINY_SHAPES = [(1, 1), (1, 3), (3, 1), (2, 1, 1, 1), (1, 33)]


class HighestDraws(np.random.Generator):
    """Draws the largest number below 1 each time."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, size=None, dtype=np.float64, out=None):
        return np.full(size, np.nextafter(dtype(1), dtype(0)), dtype)


def rows_of(weights, precision):
    return weights.reshape(1 if "tensor" in precision else len(weights), -1)


@pytest.mark.parametrize("precision", INTEGERS)
@settings(max_examples=40)
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
@settings(max_examples=40)
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


@settings(max_examples=40)
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
@settings(max_examples=40)
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
@settings(max_examples=40)
@given(st.floats(-300, 300, width=32), st.integers(0, 2**32 - 1))
def test_stochastic_rounding_goes_to_a_neighbour_and_never_moves_what_fits(precision, value, seed):
    dtype = FLOATS[precision]
    values = np.full(64, value, np.float32)
    rounded = quantisers.round_stochastically(values, dtype, np.random.default_rng(seed))
    found = np.unique(rounded.astype(np.float32))
    assert len(found) <= 2
    assert found.min() <= value <= found.max() or len(found) == 1
    nearest = np.float32(value).astype(dtype)
    if nearest.astype(np.float32) == value:
        np.testing.assert_array_equal(found, [nearest.astype(np.float32)])
    words = np.unique(rounded.view(f"u{dtype.itemsize}").astype(np.int64))
    assert words.max() - words.min() <= 1, "neighbouring words are neighbouring values of one sign"
    again = quantisers.round_stochastically(values, dtype, np.random.default_rng(seed))
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


@pytest.mark.parametrize("precision", ["int8", "int8-affine", "float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("peak", [127.0, 0.37, 3e-5])
def test_stochastic_rounding_leaves_what_a_word_stands_for(precision, peak):
    tensor = np.linspace(-peak, peak, 1001, dtype=np.float32)
    once = store_tensor(tensor, precision, -peak, peak)
    for rng in (HighestDraws(), np.random.default_rng(2)):
        again = store_tensor(once.values, precision, -peak, peak, rng)
        np.testing.assert_array_equal(again.words.view(np.uint8), once.words.view(np.uint8))


@pytest.mark.parametrize("precision", INTEGERS)
@settings(max_examples=40)
@given(WEIGHTS, st.integers(0, 2**32 - 1))
def test_stochastic_codes_are_neighbours_and_zeros_stay(precision, weights, seed):
    stored = store_weights(weights, precision, np.random.default_rng(seed))
    again = store_weights(weights, precision, np.random.default_rng(seed))
    np.testing.assert_array_equal(stored.words, again.words)
    scale = np.float32(stored.attributes["scale"]).reshape(-1, 1)
    error = np.abs(rows_of(stored.values, precision) - rows_of(weights, precision))
    # An end of an affine range may lie half a step outside of the codes.
    assert (error <= scale * (1.5 if "affine" in precision else 1) * ROUNDING).all()
    assert (stored.values[weights == 0] == 0).all()


@pytest.mark.parametrize("dtype", list(FLOATS.values())[1:], ids=str)
def test_floats_round_to_the_nearest_even_word_subnormals_too(dtype):
    words = np.arange(1 << (8 * dtype.itemsize - 1), dtype=f"u{dtype.itemsize}")
    exact = words.view(dtype).astype(np.float32)
    words, exact = words[np.isfinite(exact)], exact[np.isfinite(exact)]
    middle = (exact[:-1] / 2 + exact[1:] / 2).astype(np.float32)
    stored = middle.astype(dtype).view(words.dtype)
    np.testing.assert_array_equal(stored, np.where(words[:-1] % 2 == 0, words[:-1], words[1:]))
    drawn = quantisers.round_stochastically(exact, dtype, HighestDraws())
    np.testing.assert_array_equal(drawn.view(words.dtype), words)


@pytest.mark.parametrize("dtype", list(FLOATS.values())[1:], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_mean_is_right_between_subnormals(dtype, sign):
    least = np.array([1], f"u{dtype.itemsize}").view(dtype).astype(np.float64)[0]
    values = np.full(40_000, sign * 2.25 * least, np.float32)
    found = quantisers.round_stochastically(values, dtype, np.random.default_rng(3)).astype(np.float64)
    assert set(np.unique(found / least)) == {2.0 * sign, 3.0 * sign}
    assert found.mean() / least == pytest.approx(2.25 * sign, abs=5 * 0.5 / 200)


@pytest.mark.parametrize("rng", [None, np.random.default_rng(0)])
def test_overflow_of_16_bits_is_kept_and_that_of_scaled_formats_clipped(rng):
    tensor = np.array([70_000.0, -np.inf, 3.4e38], np.float32)
    for precision, expected in {
        "float16": [np.inf, -np.inf, np.inf],
        "float8_e5m2": [2.0, -2.0, 2.0],
        "float8_e4m3fn": [2.0, -2.0, 2.0],
        "int8": [2.0, -2.0, 2.0],
    }.items():
        stored = store_tensor(tensor, precision, -2.0, 2.0, rng)
        np.testing.assert_allclose(stored.values, expected, rtol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("shape", TINY_SHAPES)
def test_tiny_and_all_zero_tensors(precision, shape):
    zeros = store_weights(np.zeros(shape, np.float32), precision)
    assert not zeros.values.any()
    ones = store_weights(np.ones(shape, np.float32), precision)
    np.testing.assert_allclose(ones.values, np.ones(shape), rtol=2**-10)
    if precision not in WEIGHT_ONLY:
        assert store_tensor(np.float32(1.5).reshape(()), precision, -2.0, 2.0).values.shape == ()


@settings(max_examples=40)
@given(st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_packed_codes_unpack_to_themselves(count, seed):
    # One row, scaled so that the codes are the values: every group, every output, holds its largest.
    rng = np.random.default_rng(seed)
    int4 = rng.integers(-7, 8, count).astype(np.float32)
    int4[::32] = 7
    signs = rng.choice([-1, 1], count).astype(np.float32)
    ternary = signs * (rng.random(count) < 0.5)
    for precision, codes in {"int4": int4, "ternary": ternary, "binary": signs}.items():
        stored = store_weights(codes[None], precision)
        unpacked = getattr(packing, f"unpack_{precision}")(stored.words, count)
        np.testing.assert_array_equal(unpacked, codes)
        assert stored.words.dtype == np.uint8
        assert stored.attributes["values_shape"] == [1, count]


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="no storage precision 'int9' here; did you mean 'int8'"):
        store_weights(np.ones((2, 2), np.float32), "int9")
    for precision in WEIGHT_ONLY:
        with pytest.raises(ValueError, match="no storage precision"):
            store_tensor(np.ones(3, np.float32), precision, 0.0, 1.0)
    for precision in PRECISIONS:
        with pytest.raises(ValueError, match="a NaN cannot be stored"):
            store_weights(np.full((2, 2), np.nan, np.float32), precision)
    for precision in (*INTEGERS, *WEIGHT_ONLY, "float8_e4m3fn", "float8_e5m2"):
        with pytest.raises(ValueError, match=rf"no finite scale in {precision} for a range that ends at inf"):
            store_weights(np.array([[1.0, np.inf]], np.float32), precision)
    for precision in (*INTEGERS, *WEIGHT_ONLY):
        with pytest.raises(ValueError, match=rf"no scale in {precision} for weights of shape \(0, 3\)"):
            store_weights(np.ones((0, 3), np.float32), precision)
    with pytest.raises(ValueError, match="no finite scale in int4"):
        store_weights(np.full((1, 2), 1e6, np.float32), "int4")
    for precision in (*INTEGERS, "float8_e4m3fn", "float8_e5m2"):
        for low, high, complaint in [
            (0.0, np.nan, "ends at nan"),
            (-np.inf, 1.0, "at -inf"),
            (3.0, 1.0, "wrong"),
        ]:
            with pytest.raises(ValueError, match=complaint):
                store_tensor(np.ones(3, np.float32), precision, low, high)
