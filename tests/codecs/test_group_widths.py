"""Groups with a width each, and frequent values by line, against plain Python that reads like their pages."""

import numpy as np
import pytest

from tensorcodecs import registry
from tensorcodecs.base import DecodeError

NAMES = ["shapeshifter-like", "diffy-like"]


def lines_of(array, block_bytes):
    """The array's words of 32 bits at most, as signed numbers, line by line."""
    padded = np.zeros(-(-array.nbytes // block_bytes) * block_bytes, np.uint8)
    padded[: array.nbytes] = array.view(np.uint8)
    width = min(array.itemsize, 4)
    return padded.view(f"i{width}").reshape(-1, block_bytes // width).tolist(), 8 * width


def wrapped(number, word_bits):
    return (number + (1 << word_bits - 1)) % (1 << word_bits) - (1 << word_bits - 1)


def group_bits(group, word_bits):
    others = [word for word in group if word]
    if not others:
        return len(group)
    signed = any(word < 0 for word in group)
    widest = max(2 * word if word > 0 else -2 * word - 1 for word in others) if signed else max(others)
    return len(group) + 1 + {8: 3, 16: 4, 32: 5}[word_bits] + len(others) * widest.bit_length()


def expected_bits(name, block_bytes, array):
    lines, word_bits = lines_of(array, block_bytes)
    if name == "diffy-like":
        lines = [
            [wrapped(a - b, word_bits) for a, b in zip(line, [0, *line], strict=False)] for line in lines
        ]
    return [
        sum(group_bits(line[at : at + 16], word_bits) for at in range(0, len(line), 16)) for line in lines
    ]


def arrays(dtype):
    rng = np.random.default_rng(5)
    limits = np.iinfo(dtype)
    some = rng.integers(limits.min, limits.max, 900, dtype, endpoint=True)
    yield some
    yield some >> dtype().itemsize * 8 - 3
    yield np.where(rng.random(900) < 0.6, 0, some)
    yield np.cumsum(rng.integers(0, 4, 900)).astype(dtype)
    yield np.full(900, limits.min, dtype)
    yield np.zeros(900, dtype)


@pytest.mark.parametrize("block_bytes", [32, 64, 256])
@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("scheme", NAMES)
def test_sizes_are_those_of_the_definition_and_of_the_frame(scheme, dtype, block_bytes):
    codec = registry.get_codec(f"{scheme}:block_bytes={block_bytes}")
    for array in arrays(dtype):
        bits = codec.block_bits(array).tolist()
        assert bits == expected_bits(scheme, block_bytes, array)
        frame = codec.encode(array)
        assert len(frame) - 1 - 2 - (1 + (block_bytes > 127)) == -(-sum(bits) // 8)
        assert codec.decode(frame).tobytes() == array.tobytes()


def test_neighbours_that_differ_little_take_few_bits_in_diffy_alone():
    ramp = (np.arange(4096) + 20_000).astype(np.int16)
    shapeshifter, diffy = (int(registry.get_codec(name).block_bits(ramp).sum()) for name in NAMES)
    assert shapeshifter > 16 * ramp.size
    assert diffy < 10 * ramp.size  # the first word of each line makes its group wide


def test_a_word_marked_as_none_zero_must_not_be_zero():
    codec = registry.get_codec("shapeshifter-like")
    frame = bytearray(codec.encode(np.full(64, 1, np.uint8)))
    assert codec.decode(bytes(frame)).tobytes() == bytes([1]) * 64
    frame[-1] = 0  # the last group's last words
    with pytest.raises(DecodeError):
        codec.decode(bytes(frame))


def test_frequent_values_take_three_bits_and_others_their_word_too():
    values = np.array([1, 5, 7, 1 << 20, 0xFFFFFFFF, 1 << 31, 99], np.uint32)
    array = np.repeat(values, 64)
    array[3] = 123456
    codec = registry.get_codec("fvc-line:table=own")
    assert codec.block_bits(array).tolist() == [16 * 3 + 32] + [16 * 3] * (array.nbytes // 64 - 1)
    assert codec.block_and_table_bits(array)[1] == 8 * (31 + 4 * values.size)
    assert codec.decode(codec.encode(array)).tobytes() == array.tobytes()


@pytest.mark.parametrize(("n_values", "code_bits"), [(1, 1), (2, 1), (3, 2), (6, 2), (7, 3), (20, 3)])
def test_codes_are_all_of_one_length(n_values, code_bits):
    array = np.repeat(np.arange(100, 100 + n_values, dtype=np.uint32), 320)
    codec = registry.get_codec("fvc-line")
    fitted = codec.with_state(codec.fit([array]))
    inside = (1 << code_bits) - 1
    n_escaped = 320 * max(0, n_values - inside)
    assert int(fitted.block_bits(array).sum()) == code_bits * array.size + 32 * n_escaped
