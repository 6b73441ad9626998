"""Models over Huffman-coded exponents and Deflate pages, against the frames that they stand for."""

import zlib

import ml_dtypes
import numpy as np
import pytest

import hwmodels
from tensorcodecs import registry
from tensorcodecs.base import DecodeError


def weights(dtype, n=20_000):
    return np.random.default_rng(2).normal(0, 0.02, n).astype(dtype)


@pytest.mark.parametrize(
    ("name", "dtype", "ratio"),
    [("dfloat11", ml_dtypes.bfloat16, 1.4), ("ecf8", ml_dtypes.float8_e4m3fn, 1.1)],
)
def test_a_float_decoder_reads_the_codecs_frame(name, dtype, ratio):
    array = weights(dtype)
    sizes = hwmodels.get_model(f"hw/{name}").sizes(array)
    assert sizes.coded_bits == 8 * len(registry.get_codec(name).encode(array)) + 8
    assert 8 * array.nbytes / sizes.coded_bits > ratio
    assert not sizes.random_access


@pytest.mark.parametrize("name", ["hw/dfloat11", "hw/ecf8"])
def test_other_numbers_are_raw_and_a_byte_says_so(name):
    array = weights(np.float32, 1600)  # whole lines
    assert hwmodels.get_model(name).sizes(array).coded_bits == 8 * array.nbytes + 8


def test_pages_are_zlibs_streams_with_a_window_of_4_kib():
    array = np.resize(np.arange(1000, dtype=np.uint16), 6000)
    raw = array.tobytes() + bytes(-array.nbytes % 4096)
    streams = [zlib.compress(raw[at : at + 4096], 6, -12) for at in range(0, len(raw), 4096)]
    sizes = hwmodels.get_model("hw/deflate-4k").sizes(array)
    assert sizes.payload_bits.tolist() == [8 * len(stream) for stream in streams]
    assert sizes.random_access
    assert registry.get_codec("deflate-pages").encode(array).endswith(b"".join(streams))


def test_a_page_of_zeros_and_a_page_of_noise_are_told_by_the_metadata():
    noise = np.random.default_rng(0).integers(0, 256, 4096, np.uint8)
    sizes = hwmodels.get_model("hw/deflate-4k").sizes(np.concatenate((np.zeros(4096, np.uint8), noise)))
    assert sizes.payload_bits.tolist() == [0, 8 * 4096]


def test_a_stream_of_more_or_less_than_a_page_is_refused():
    codec = registry.get_codec("deflate-pages")
    header = codec.encode(np.ones(4096, np.uint8))[:5]
    for n_bytes in (4095, 4097):
        with pytest.raises(DecodeError, match="one page of 4096 bytes"):
            codec.decode(header + zlib.compress(bytes(n_bytes), 6, -12))


def test_the_level_is_a_setting():
    assert hwmodels.get_model("hw/deflate-4k:level=1").spec == "hw/deflate-4k:line_bytes=4096:level=1"
    assert hwmodels.get_model("hw/deflate-4k").spec == "hw/deflate-4k:line_bytes=4096"
    with pytest.raises(ValueError, match="level=10 is not legal: a whole number from 0 to 9"):
        hwmodels.get_model("hw/deflate-4k:level=10")
