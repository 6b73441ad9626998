"""The zero run-length formats against plain Python that reads like their pages."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcodecs import registry
from tensorcodecs.base import DecodeError

DTYPES = ["uint8", "uint16", "uint32", "uint64"]
NAMES = ["rlc-eyeriss", "rlc-scnn", "rle-tenstorrent", "gist-csr-like"]
BLOCKS = [(name, block) for name in NAMES for block in (64, 256, 1024, 4096)]
BLOCKS = [(name, block) for name, block in BLOCKS if block >= 1024 or name.startswith("rlc")]


def pieces(array, width_max):
    """The array's words, cut into words of `width_max` bytes at most, and their width."""
    width = min(array.itemsize, width_max)
    return array.view(f"u{width}").tolist(), width


def gaps(row, longest, *, last):
    """Zeros before each word that is kept of `row`, one word after another."""
    kept, run = [], 0
    end = len(row) if last else 1 + max((at for at, word in enumerate(row) if word), default=-1)
    for at, word in enumerate(row[:end]):
        if word or run == longest or (last and at == len(row) - 1):
            kept.append(run)
            run = 0
        else:
            run += 1
    return kept


def eyeriss_bits(words, width):
    pairs = len(gaps(words, 31, last=True))
    return 64 * -(-pairs // {1: 4, 2: 3}[width])


def scnn_bits(words, width):
    return len(bin(len(words))) - 2 + (4 + 8 * width) * len(gaps(words, 15, last=False))


def tenstorrent_bits(words, width):
    rows = [words[at : at + 256] for at in range(0, len(words), 256)]
    # The first datum is kept whatever it is: the runs are those of the 255 behind it.
    data = sum(1 + len(gaps(row[1:], 15, last=True)) for row in rows)
    return 8 * (-(-2 * (len(rows) + 1) // 16) * 16 + -(-data // 32) * (32 * width + 16))


def gist_bits(words, width):
    return 32 * (len(words) // 256) + (8 + 8 * width) * sum(word != 0 for word in words)


REFERENCES = {
    "rlc-eyeriss": (eyeriss_bits, 2),
    "rlc-scnn": (scnn_bits, 4),
    "rle-tenstorrent": (tenstorrent_bits, 4),
    "gist-csr-like": (gist_bits, 4),
}


def expected_bits(name, block_bytes, array):
    reference, width_max = REFERENCES[name]
    padded = np.zeros(-(-array.nbytes // block_bytes) * block_bytes, np.uint8)
    padded[: array.nbytes] = array.view(np.uint8)
    words, width = pieces(padded.view(array.dtype), width_max)
    step = block_bytes // width
    return [reference(words[at : at + step], width) for at in range(0, len(words), step)]


def sparse(dtype, n_words, density, seed):
    """Words with runs of zeros of every length; some have a high half alone."""
    rng = np.random.default_rng(seed)
    words = rng.integers(1, 256, n_words).astype(dtype)
    words[::2] <<= np.dtype(dtype).type(8 * (words.itemsize - 1))
    return np.where(rng.random(n_words) < density, words, 0).astype(dtype)


@pytest.mark.parametrize(("scheme", "block_bytes"), BLOCKS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sizes_are_those_of_the_definition_and_of_the_frame(scheme, block_bytes, dtype):
    codec = registry.get_codec(f"{scheme}:block_bytes={block_bytes}")
    n_words = 6000 // np.dtype(dtype).itemsize
    for density in (0, 0.002, 0.02, 0.05, 0.1, 0.5, 1):
        array = sparse(dtype, n_words, density, seed=int(1000 * density))
        bits = codec.block_bits(array).tolist()
        assert bits == expected_bits(scheme, block_bytes, array)
        frame = codec.encode(array)
        header_bytes = len(codec.encode(array[:0])) + (len(_varint(n_words)) - 1)
        assert len(frame) - header_bytes == -(-sum(bits) // 8)
        assert codec.decode(frame).tobytes() == array.tobytes()


def _varint(value):
    return bytes(-(-value.bit_length() // 7))


@pytest.mark.parametrize("scheme", NAMES)
@given(runs=st.lists(st.tuples(st.integers(0, 130), st.integers(1, 40)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_runs_of_any_length_are_counted_as_they_are_packed(scheme, runs):
    words = [word for zeros, others in runs for word in [0] * zeros + [7] * others]
    array = np.array(words, np.uint8)
    codec = registry.get_codec(scheme)
    assert codec.block_bits(array).tolist() == expected_bits(scheme, 4096, array)
    assert codec.decode(codec.encode(array)).tobytes() == array.tobytes()


def payload(codec, array):
    """The payload of the frame of `array`, of which count and block size take two bytes each."""
    return codec.encode(array)[5:]


def test_eyeriss_packs_three_pairs_and_the_terminator():
    levels = np.zeros(128, np.uint16)
    levels[[2, 35, 127]] = 9, 0xBEEF, 1
    frame = payload(registry.get_codec("rlc-eyeriss:block_bytes=256"), levels)
    first, second = np.frombuffer(frame, "<u8").tolist()
    # 2 zeros and 9; 31 zeros and a filler; no zero and 0xBEEF: place 2, 34, 35.
    assert first == 2 | 9 << 5 | 31 << 21 | 0 << 26 | 0 << 42 | 0xBEEF << 47
    # 91 zeros to the last level: two fillers, which stand for 32 each, and 27.
    assert second == 31 | 31 << 21 | 27 << 42 | 1 << 47 | 1 << 63


def test_eyeriss_levels_of_bytes_go_four_to_a_word():
    levels = np.array([1, 0, 2, 3, 4, 5] + [0] * 250, np.uint8)
    frame = payload(registry.get_codec("rlc-eyeriss:block_bytes=256"), levels)
    first, second, third, fourth = np.frombuffer(frame, "<u8").tolist()
    pairs = [(0, 1), (1, 2), (0, 3), (0, 4)]
    assert first == sum((run | level << 5) << 13 * at for at, (run, level) in enumerate(pairs))
    # 250 zeros at the end: seven fillers, and a last level behind 25 zeros.
    assert second == 5 << 5 | 31 << 13 | 31 << 26 | 31 << 39
    assert third == 31 | 31 << 13 | 31 << 26 | 31 << 39
    assert fourth == 25 | 1 << 63


def test_scnn_puts_a_filler_behind_fifteen_zeros_only_where_a_word_follows():
    words = np.zeros(128, np.uint16)
    words[[0, 15, 31, 48]] = 1, 2, 3, 4
    frame = payload(registry.get_codec("rlc-scnn:block_bytes=256"), words)
    bits = int.from_bytes(frame, "little")
    assert bits & 0xFF == 5
    # Zeros before each: 0, 14, 15, then 16 of them, the last a filler, and none.
    assert [bits >> 8 + 4 * at & 15 for at in range(5)] == [0, 14, 15, 15, 0]
    assert [bits >> 28 + 16 * at & 0xFFFF for at in range(5)] == [1, 2, 3, 0, 4]


def test_tenstorrent_keeps_the_ends_of_rows_and_starts_groups_at_sections():
    words = np.zeros(512, np.uint16)
    words[[3, 256, 511]] = 7, 8, 9
    frame = payload(registry.get_codec("rle-tenstorrent:block_bytes=1024"), words)
    index = np.frombuffer(frame[:16], "<u2").tolist()
    # Row 0: place 0, 3, then every 16th up to 243, and 255.
    assert index == [0, 18, 35, 0, 0, 0, 0, 0]
    group = frame[16:96]
    data, counts = np.frombuffer(group[:64], "<u2").tolist(), int.from_bytes(group[64:], "little")
    assert data[:18] == [0, 7, *[0] * 16]
    assert [counts >> 4 * at & 15 for at in range(18)] == [2, *[15] * 15, 11, 0]
    assert data[18] == 8
    assert len(frame) == 16 + 2 * 80


def test_gist_rows_have_byte_columns():
    words = np.zeros(512, np.uint16)
    words[[3, 255, 256]] = 7, 8, 9
    frame = payload(registry.get_codec("gist-csr-like:block_bytes=1024"), words)
    assert np.frombuffer(frame[:8], "<u4").tolist() == [2, 3]
    assert list(frame[8:11]) == [3, 255, 0]
    assert np.frombuffer(frame[11:], "<u2").tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("damaged", "at", "value"),
    [
        ("rlc-eyeriss:block_bytes=256", 7, 0x80),  # a terminator before the block ends
        ("rlc-scnn:block_bytes=256", 0, 0xFF),  # more words than the block has
        ("rle-tenstorrent:block_bytes=1024", 2, 0x01),  # a row that starts elsewhere
        ("gist-csr-like:block_bytes=1024", 0, 0xFF),  # a pointer beyond the last
    ],
)
def test_blocks_that_contradict_themselves_are_refused(damaged, at, value):
    codec = registry.get_codec(damaged)
    frame = bytearray(codec.encode(sparse("uint16", 512, 0.5, seed=1)))
    frame[5 + at] |= value
    with pytest.raises(DecodeError):
        codec.decode(bytes(frame))


@pytest.mark.parametrize("shape", [(40, 30), (16, 3, 3, 5), (300,), (1, 50), (50, 1), (3, 0)])
@pytest.mark.parametrize("index_bits", [4, 5, 8])
def test_csc_is_csr_of_the_transposed_matrix(shape, index_bits):
    rng = np.random.default_rng(5)
    array = np.where(rng.random(shape) < 0.1, rng.normal(size=shape), 0).astype(ml_dtypes.bfloat16)
    csc, csr = (registry.get_codec(f"{name}:index_bits={index_bits}") for name in ("csc", "csr"))
    frame = csc.encode(array)
    assert csc.decode(frame).tobytes() == array.tobytes()
    matrix = np.ascontiguousarray(array.reshape(shape[0], -1).T) if array.size else array
    transposed = csr.encode(matrix)
    # The header has the number of rows besides; the rest is the same.
    assert 1 <= len(frame) - len(transposed) <= 2
    if len(transposed) < array.nbytes:
        assert frame.endswith(transposed[6:])


def test_csc_refuses_rows_that_do_not_divide_the_words():
    codec = registry.get_codec("csc")
    frame = bytearray(codec.encode(np.diag(np.arange(1, 41, dtype=np.uint32))))
    assert list(frame[:6]) == [2, 0xC0, 0x0C, 40, 72, 40]
    frame[5] = 39
    with pytest.raises(DecodeError, match="no matrix of 39 rows"):
        codec.decode(bytes(frame))
