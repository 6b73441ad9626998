"""FPC, FPC-D and C-Pack against gem5's sizes, line by line, and against their definitions in plain Python."""

import csv

import numpy as np
import pytest

from tensorcodecs import registry
from tensorcodecs.base import DecodeError

INPUTS = ["counter_int64", "relu_fp16", "relu_fp32", "relu_int8", "smooth_int32", "weights_fp16"]
INPUTS += ["weights_fp16_pruned80", "weights_fp32", "weights_fp32_pruned80", "weights_int8"]
INPUTS += ["word_patterns_uint32"]
NAMES = ["fpc", "fpcd", "cpack"]


def is_signed(value, n_bits, width):
    signed = (value + (1 << width - 1)) % (1 << width) - (1 << width - 1)
    return -(1 << n_bits - 1) <= signed < 1 << n_bits - 1


def fpc_bits(words):
    total, at = 0, 0
    while at < len(words):
        word = words[at]
        if word == 0:
            run = 1
            while run < 8 and at + run < len(words) and words[at + run] == 0:
                run += 1
            total, at = total + 6, at + run
            continue
        halves = (word & 0xFFFF, word >> 16)
        sizes = [35]
        sizes += [3 + n_bits for n_bits in (4, 8, 16) if is_signed(word, n_bits, 32)]
        sizes += [19] if halves[0] == 0 or all(is_signed(half, 8, 16) for half in halves) else []
        sizes += [11] if len(set(word.to_bytes(4, "little"))) == 1 else []
        total, at = total + min(sizes), at + 1
    return total


def fpcd_bits(words):
    total, recent = 0, [b"\0" * 4] * 2
    for word in words:
        b = word.to_bytes(4, "big")
        zero = [byte == 0 for byte in b]
        shared = max(next((n for n in range(4) if b[n] != past[n]), 4) for past in recent)
        if word == 0 or b == b"\xff" * 4 or shared == 4:
            total += 4
        elif all(zero[:3]) or all(zero[1:]) or len(set(b)) == 1 or shared == 3:
            total += 12
        elif all(zero[:2]) or all(zero[2:]) or (zero[0] and zero[2]) or b[:2] == b"\xff\xff" or shared == 2:
            total += 20
        else:
            total += 36
        recent = [b, recent[0]]
    return total


def cpack_bits(words):
    total, dictionary = 0, []
    for word in words:
        b = word.to_bytes(4, "big")
        if word < 256:
            total += 12 if word else 2
            continue
        shared = max((next((n for n in range(4) if b[n] != e[n]), 4) for e in dictionary), default=0)
        total += {4: 6, 3: 16, 2: 24}.get(shared, 34)
        dictionary = [*dictionary, b][-16:]
    return total


DEFINITIONS = {"fpc": fpc_bits, "fpcd": fpcd_bits, "cpack": cpack_bits}


def lines_of(data, line_bytes):
    return np.frombuffer(data, np.uint32).reshape(-1, line_bytes // 4).tolist()


@pytest.mark.parametrize("codec_name", NAMES)
@pytest.mark.parametrize("trace", INPUTS)
def test_sizes_are_gem5s(codec_name, trace, root):
    folder = root / "tests/golden/oracles"
    array = np.load(folder / f"{trace}.npy")
    with (folder / f"{trace}.lines64.csv").open(encoding="utf-8") as file:
        gem5 = [int(row[codec_name]) for row in csv.DictReader(file)]
    ours = registry.get_codec(codec_name).block_bits(array)
    assert np.minimum(ours, 512).tolist() == gem5, "gem5 caps at the raw line"
    assert ours.tolist() == [DEFINITIONS[codec_name](line) for line in lines_of(array.tobytes(), 64)]


def patterned(line_bytes):
    """Lines of every pattern, its edges, and words that share bytes with some of the words before."""
    rng = np.random.default_rng(9)
    edges = [0, 1, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 0x7F0000, 0x800000, 0xFF000000]
    edges += [0x7F007F, 0x800080, 0xFF80FF80, 0xFF7F007F, 0x1230000, 0x12120000, 0xABABABAB, 0xFFFF1234]
    edges = np.array([*edges, *(-value % (1 << 32) for value in edges)], np.uint32)
    words = rng.choice(edges, 3000 * 64)
    # Some repeat an earlier word from its high bytes on; some stretches are zeros.
    back = np.arange(words.size) - rng.integers(1, 24, words.size)
    kept = np.array([0xFFFFFFFF, 0xFFFFFF00, 0xFFFF0000, 0], np.uint32)[rng.integers(0, 4, words.size)]
    raw = rng.integers(0, 1 << 32, words.size, dtype=np.uint32)
    words = np.where(rng.random(words.size) < 0.6, words[back] & kept | raw & ~kept, words)
    for start in rng.integers(0, words.size - 80, 900):
        words[start : start + rng.integers(1, 80)] = 0
    return words[: words.size * 4 // line_bytes * line_bytes // 4]


@pytest.mark.parametrize("codec_name", NAMES)
@pytest.mark.parametrize("line_bytes", [32, 64, 128, 256])
def test_every_pattern_in_lines_of_every_size(codec_name, line_bytes):
    codec = registry.get_codec(f"{codec_name}:block_bytes={line_bytes}")
    words = patterned(line_bytes)[: 64 * 600]
    bits = codec.block_bits(words)
    assert bits.tolist() == [DEFINITIONS[codec_name](line) for line in lines_of(words.tobytes(), line_bytes)]
    frame = codec.encode(words)
    assert codec.decode(frame).tobytes() == words.tobytes()
    assert 0 <= 8 * len(frame) - bits.sum() < 8 * 12, "the lines are packed in the bits that are counted"


def test_two_negative_halfwords_are_found_where_gem5_as_published_finds_none():
    line = np.full(16, 0xFFF0FFF1, np.uint32)
    assert registry.get_codec("fpc").block_bits(line).tolist() == [16 * 19]


def test_a_full_cpack_dictionary_forgets_its_oldest_word():
    distinct = (np.arange(1, 18, dtype=np.uint32) << 16) + 0x1000
    line = np.zeros(32, np.uint32)
    line[:17] = distinct
    codec = registry.get_codec("cpack:block_bytes=128")
    alone = int(codec.block_bits(line)[0])
    line[17] = distinct[1]  # still held
    assert int(codec.block_bits(line)[0]) == alone - 2 + 6
    line[17] = distinct[0]  # forgotten: the seventeenth took its place
    assert int(codec.block_bits(line)[0]) == alone - 2 + 34


@pytest.mark.parametrize(
    ("codec_name", "code"),
    [
        ("fpc", 0b0010_001 | 0b111_000 << 7),  # a run of eight zeros behind a word, in a line of eight
        ("cpack", 0b1111),  # no code
        ("cpack", 0b0000_01),  # an entry that is still empty
        ("cpack", 0b10 | 7 << 2),  # a small word that should be a zero pattern
    ],
)
def test_lines_that_no_encoder_writes_are_refused(codec_name, code):
    header = bytes([0, 32, 32])  # words of one byte, 32 of them, lines of 32 bytes
    for n_bytes in range(5, 24):
        with pytest.raises(DecodeError, match="do not end"):
            registry.get_codec(codec_name).decode(header + code.to_bytes(n_bytes, "little"))
