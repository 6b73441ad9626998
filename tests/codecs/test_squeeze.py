"""What `squeeze` makes of rows, number formats and neighbours; frames of typed arrays stay what they are."""

import hashlib

import ml_dtypes
import numpy as np
import pytest

from suite.measuring.reference import zero_aware_order0
from tensorcodecs import registry
from tensorcodecs.base import DecodeError
from tensorcodecs.frame import pack_header


@pytest.fixture(scope="module")
def squeeze():
    return registry.get_codec("squeeze")


def coded_bytes(codec, array):
    frame = codec.encode(array)
    assert codec.decode(frame).tobytes() == array.tobytes()
    return len(frame)


def weights(n=1 << 16, seed=0):
    return np.random.default_rng(seed).normal(0, 0.02, (n // 256, 256)).astype(np.float32)


def whole_numbers():
    """Values from integer arithmetic alone, the same on every machine."""
    return ((np.arange(6000, dtype=np.uint64) * 2654435761 >> 9) % 2003).reshape(60, 100)


@pytest.mark.parametrize(
    ("array", "digest"),
    [
        ((whole_numbers() / 512 - 2).astype(np.float32), "941389135c864477"),
        ((whole_numbers() - 1000.0).astype(ml_dtypes.bfloat16), "4f962d1400317677"),
        ((whole_numbers() % 51 - 25.0).astype(np.int8), "65b5c8273de8b588"),
        ((whole_numbers() / 7).astype(np.float64), "fbe027cd7dc2802d"),
    ],
    ids=["float32", "bfloat16", "int8", "float64"],
)
def test_frames_of_typed_arrays_stay_what_they_are(squeeze, array, digest):
    frame = squeeze.encode(array)
    assert squeeze.decode(frame).tobytes() == array.tobytes()
    assert hashlib.sha256(frame).hexdigest()[:16] == digest


@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16], ids=str)
def test_dense_weights_come_near_the_reference(squeeze, dtype):
    array = weights(1 << 18).astype(dtype)
    assert coded_bytes(squeeze, array) * 8 < 1.004 * zero_aware_order0(array).bits


@pytest.mark.parametrize("kept", [0.5, 0.1, 0.01])
def test_sparse_weights_come_near_the_reference(squeeze, kept):
    array = weights()
    array[np.random.default_rng(1).random(array.shape) >= kept] = 0
    assert coded_bytes(squeeze, array) * 8 < 1.02 * zero_aware_order0(array).bits + 2000


def test_magnitudes_of_rows_and_columns_are_made_use_of(squeeze):
    rng = np.random.default_rng(2)
    alone = registry.get_codec("squeeze:effort=1")
    for scales in (rng.lognormal(0, 1.5, (256, 1)), rng.lognormal(0, 1.5, (1, 256))):
        array = (weights() * scales).astype(ml_dtypes.bfloat16)
        assert coded_bytes(squeeze, array) < 0.97 * coded_bytes(alone, array)


def test_rows_that_repeat_cost_next_to_nothing(squeeze):
    rows = weights()
    repeated = rows[np.random.default_rng(3).integers(0, 16, 512)]
    assert coded_bytes(squeeze, repeated) < coded_bytes(squeeze, rows[:16]) + 1000


def test_rows_shifted_by_a_zero_point_cost_as_much_as_others(squeeze):
    rng = np.random.default_rng(4)
    values = np.where(rng.random((200, 300)) < 0.8, 0, rng.integers(-9, 9, (200, 300))).astype(np.int8)
    shifted = values + rng.integers(-100, 100, (200, 1)).astype(np.int8)
    assert coded_bytes(squeeze, shifted) < 1.02 * coded_bytes(squeeze, values) + 300


def test_differences_of_floats_end_in_zeros(squeeze):
    before = weights()
    after = before + np.float32(1e-5) * weights(seed=5)
    assert coded_bytes(squeeze, after - before) < 0.6 * before.nbytes


def test_a_float_in_twice_the_bits_costs_no_more(squeeze):
    array = weights()
    assert coded_bytes(squeeze, array.astype(np.float64)) < 1.01 * coded_bytes(squeeze, array)


def test_a_stream_of_small_blocks_loses_little(squeeze):
    array = weights(1 << 18)
    parts = sum(coded_bytes(squeeze, part) for part in np.split(array, 16))
    assert parts < 1.03 * coded_bytes(squeeze, array)


def test_damaged_frames_of_typed_arrays_are_survived(squeeze):
    rng = np.random.default_rng(6)
    arrays = [
        weights(2048),
        np.repeat(weights(2048), 2, axis=0),
        (whole_numbers() % 51 - 25.0).astype(np.int8),
        np.where(np.arange(256) % 5, weights(1 << 14), np.float32(0.5)),
        whole_numbers().astype(np.uint32),
    ]
    for array in arrays:
        frame = np.frombuffer(squeeze.encode(array), np.uint8)
        for _ in range(300):
            damaged = frame.copy()
            damaged[rng.integers(0, min(frame.size, 400))] ^= 1 << rng.integers(8)
            try:
                squeeze.decode(damaged[: rng.integers(1, 2 * frame.size)])
            except DecodeError:
                continue


@pytest.mark.parametrize(
    "parameters",
    [
        (1 << 62, 0, 0, 0, 0),
        (0, 1 << 62, 1, 0, 0),
        (0, 1, 1 << 62, 0, 0),
        (0, 1 << 62, 1 << 62, 0, 0),
        (0, 1 << 62, 0, 0, 0),
        (0, 0, 0, 1 << 62, 0),
    ],
)
@pytest.mark.parametrize("n_words", [0, 1])
def test_rows_longer_than_the_array_are_refused(squeeze, n_words, parameters):
    header = pack_header(np.zeros(n_words, np.uint8), *parameters)
    with pytest.raises(DecodeError, match="rows of"):
        squeeze.decode(header + bytes(16))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8], ids=lambda d: d.__name__)
def test_dead_channels_cost_next_to_nothing(squeeze, dtype):
    array = (100 * weights()).astype(dtype)
    alive = coded_bytes(squeeze, np.delete(array, np.s_[::5], 1))
    array[:, ::5] = array[0, ::5]
    assert coded_bytes(squeeze, array) < 1.03 * alive
    channels_first = np.ascontiguousarray(array.T).reshape(64, 4, 16, 16)
    assert coded_bytes(squeeze, channels_first) < 1.03 * alive


def test_a_zero_point_is_no_dead_channel(squeeze):
    shifted = np.full((64, 512), 77, np.int8)
    shifted[np.random.default_rng(7).random(shifted.shape) < 0.03] = 5
    centred = (shifted - 77).astype(np.int8)
    assert coded_bytes(squeeze, shifted) < 1.05 * coded_bytes(squeeze, centred)


def test_small_whole_numbers_of_many_bits_cost_no_more(squeeze):
    numbers = np.random.default_rng(8).geometric(0.01, 1 << 15)
    assert coded_bytes(squeeze, numbers.astype(np.uint32)) < 1.01 * coded_bytes(
        squeeze, numbers.astype(np.uint16)
    )
