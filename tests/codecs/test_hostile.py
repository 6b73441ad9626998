"""Whatever the bytes are, decoding ends: with a DecodeError, or with a result of bounded size."""

import tracemalloc

import numpy as np
import pytest

from tensorcodecs import registry
from tensorcodecs.base import DecodeError
from tensorcodecs.frame import unpack_header

SAMPLES = [
    np.where(np.arange(90) % 3, 0, np.arange(90)).astype(np.uint32),
    np.bitwise_count(np.arange(500)).astype(np.uint8),
]
MEMORY_MAX_BYTES = 80 << 20  # a damaged Brotli stream may still state several blocks of 16 MiB


def decode_or_refuse(codec, data):
    """Return what `data` decodes to, or None where it is refused as it should be."""
    try:
        decoded = codec.decode(data)
    except DecodeError:
        return None
    assert decoded.nbytes <= MEMORY_MAX_BYTES
    return decoded


@pytest.mark.parametrize("sample", SAMPLES, ids=["sparse", "skewed"])
def test_no_truncated_frame_passes_for_whole(codec, golden, sample):
    frame = codec.encode(golden.fit(codec, sample))
    for length in range(len(frame)):
        decoded = decode_or_refuse(codec, frame[:length])
        # Only what keeps no count may take the part for a shorter whole.
        assert decoded is None or ((codec.name == "raw" or codec.is_filter) and decoded.size < sample.nbytes)


def test_bytes_behind_a_frame_are_refused(codec, golden):
    frame = codec.encode(golden.fit(codec, SAMPLES[0]))
    # Only what keeps no count may take more for a longer whole.
    assert decode_or_refuse(codec, frame + b"\0") is None or codec.name == "raw" or codec.is_filter


@pytest.mark.parametrize("sample", SAMPLES, ids=["sparse", "skewed"])
def test_single_bit_flips_are_survived(codec, golden, sample):
    frame = bytearray(codec.encode(golden.fit(codec, sample)))
    for bit in range(0, 8 * len(frame), 1 + len(frame) // 400):
        frame[bit // 8] ^= 1 << bit % 8
        decode_or_refuse(codec, bytes(frame))
        frame[bit // 8] ^= 1 << bit % 8


def test_random_bytes_are_survived(codec):
    rng = np.random.default_rng(9)
    for length in (*range(12), *rng.integers(12, 300, 150)):
        data = rng.integers(0, 256, length, np.uint8)
        decode_or_refuse(codec, data)
        for first_byte in range(4):
            data[:1] = first_byte
            decode_or_refuse(codec, data)


@pytest.mark.parametrize("n_words", [2**31, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_huge_counts_are_refused_without_allocating(codec, n_words):
    data = bytearray(1)
    while n_words >= 0x80:
        data.append(n_words & 0x7F | 0x80)
        n_words >>= 7
    data.append(n_words)
    tracemalloc.start()
    try:
        for log2_word_bytes in range(4):
            data[0] = log2_word_bytes
            for parameters in (b"", b"\x40", b"\x40" + bytes(40)):
                decoded = decode_or_refuse(codec, bytes(data) + parameters)
                assert decoded is None or decoded.size < 100
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content_bytes", [2**30, 2**62, 2**64 - 3])
def test_a_zstd_frame_that_lies_about_its_size_is_refused(content_bytes):
    honest = registry.get_codec("zstd").encode(bytes(70_000))
    # Magic, then a frame header descriptor that announces an eight-byte content size.
    lying = honest[:4] + b"\xe0" + content_bytes.to_bytes(8, "little") + honest[9:]
    with pytest.raises(DecodeError, match="cannot hold"):
        registry.get_codec("zstd").decode(lying)


@pytest.mark.parametrize(
    "header", [b"", b"\4\1", b"\0", b"\0\x80", b"\0\x81\0", b"\0" + b"\xff" * 9 + b"\1"], ids=bytes.hex
)
def test_bad_headers_are_refused(header):
    with pytest.raises(DecodeError, match="header"):
        unpack_header(np.frombuffer(header, np.uint8), words_per_byte_max=1)
