"""Filters against slow definitions, word widths through pipelines, and sizes of coded masks."""

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs import registry
from tensorcodecs.base import DecodeError

WORDS = [np.random.default_rng(1).integers(0, 1 << 8 * w, 203, f"u{w}", endpoint=False) for w in (1, 2, 4, 8)]


def frame_words(name, words):
    frame = np.frombuffer(registry.get_codec(name).encode(words), words.dtype)
    assert frame[0] == words.itemsize
    return [int(word) for word in frame[1:]]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.dtype.name)
def test_word_filters_by_definition(words):
    values = [int(word) for word in words]
    modulus = 1 << 8 * words.itemsize
    before = [0, *values[:-1]]
    signed = [value - modulus if value >= modulus // 2 else value for value in values]
    differences = [(a - b) % modulus for a, b in zip(values, before, strict=True)]
    assert frame_words("delta", words) == differences
    assert frame_words("xor", words) == [a ^ b for a, b in zip(values, before, strict=True)]
    assert frame_words("zigzag", words) == [2 * v if v >= 0 else -2 * v - 1 for v in signed]
    assert frame_words("signmagnitude", words) == [
        v if v >= 0 else modulus // 2 + -v % (modulus // 2) for v in signed
    ]


def test_the_lowest_number_becomes_minus_zero():
    assert frame_words("signmagnitude", np.array([1 << 15], np.uint16)) == [1 << 15]


@pytest.mark.parametrize("n", [8, 56, 64, 72, 203, 2048, 2120])
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_bit_planes_by_definition(width, n):
    words = np.random.default_rng(n).integers(0, 1 << 8 * width, n, f"u{width}", endpoint=False)
    whole = words[: n // 8 * 8]
    bits = np.unpackbits(whole.view(np.uint8).reshape(-1, width), axis=1, bitorder="little")
    expected = np.packbits(bits.T, axis=1, bitorder="little").tobytes() + words[whole.size :].tobytes()
    assert registry.get_codec("bitshuffle").encode(words) == bytes([width]) + expected


@pytest.mark.parametrize("chain", ["delta|shuffle", "delta|zigzag|bitshuffle", "xor|signmagnitude|split"])
@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.dtype.name)
def test_filters_that_keep_words_hand_on_their_width(chain, words):
    frame = registry.get_codec(chain).encode(words)
    assert frame[0] == words.itemsize
    assert registry.get_codec(chain).decode(frame).tobytes() == words.tobytes()


def test_a_smooth_ramp_is_next_to_nothing_behind_delta():
    ramp = np.arange(100_000, dtype=np.int32) * 3
    assert len(registry.get_codec("delta|shuffle|zstd").encode(ramp)) < 200


def test_split_puts_exponents_first():
    for dtype, shift in ((np.float32, 23), (ml_dtypes.bfloat16, 7)):
        values = np.random.default_rng(3).normal(0, 1, 500).astype(dtype)
        words = values.view(f"u{values.itemsize}")
        frame = registry.get_codec("split").encode(values)
        assert frame[1:501] == ((words >> shift) & 0xFF).astype(np.uint8).tobytes()


@pytest.mark.parametrize("frame", ["0200", "03", "0201 0000", "0200 00"])
def test_frames_of_no_whole_words_are_refused(frame):
    data = bytes.fromhex(frame)
    if data == b"\2\0":
        assert registry.get_codec("delta").decode(data).size == 0
    else:
        with pytest.raises(DecodeError):
            registry.get_codec("delta").decode(data)


@pytest.mark.parametrize("kept", [0.5, 0.1, 0.03])
def test_masks_cost_little_more_than_their_entropy(kept):
    rng = np.random.default_rng(4)
    words = (1 + rng.integers(0, 9, 400_000)).astype(np.uint16) * (rng.random(400_000) < kept).astype(
        np.uint16
    )
    p = np.count_nonzero(words) / words.size
    entropy_bits = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    mask_bits = (
        8 * (len(registry.get_codec("bitmask").encode(words)) - 2 * np.count_nonzero(words)) / words.size
    )
    assert entropy_bits <= mask_bits < entropy_bits + 0.04  # a code for eight words has at least one bit


@pytest.mark.parametrize("masked", ["rle", "bitmask"])
def test_masks_must_fit_their_words(masked):
    codec = registry.get_codec(masked)
    for words in WORDS:
        with pytest.raises(DecodeError, match="the masks ask for"):
            codec.decode(codec.encode(words) + b"\0")
    with pytest.raises(DecodeError):
        codec.decode(bytes([0, 5, 0x01, 0x3F, 1, 1, 1, 1, 1, 1]))  # a one past the fifth word


def test_runs_cost_a_word_each():
    words = np.repeat(np.arange(1000, dtype=np.uint64), 4000)
    assert len(registry.get_codec("rle").encode(words)) < 8 * 1000 + words.size / 64 + 4000
