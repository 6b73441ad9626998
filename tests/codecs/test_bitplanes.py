"""BPC, Compresso's BPC and EBPC: against other implementations' sizes, and against plain Python."""

import csv
import itertools

import numpy as np
import pytest

from tensorcodecs import registry
from tensorcodecs.lines.kernels import ebpc

FOLDER = "tests/golden/oracles"
INPUTS = ["counter_int64", "relu_fp16", "relu_fp32", "relu_int8", "smooth_int32", "weights_fp16"]
INPUTS += ["weights_fp16_pruned80", "weights_fp32", "weights_fp32_pruned80", "weights_int8"]
INPUTS += ["word_patterns_uint32"]


@pytest.fixture(params=INPUTS)
def oracle(request, root):
    array = np.load(root / FOLDER / f"{request.param}.npy")
    with (root / FOLDER / "totals.csv").open(encoding="utf-8") as file:
        return array, next(row for row in csv.DictReader(file) if row["file"] == request.param)


def lines_of(array, line_bytes):
    raw = array.tobytes()
    raw += bytes(-len(raw) % line_bytes)
    return [raw[at : at + line_bytes] for at in range(0, len(raw), line_bytes)]


def planes_of(differences, n_planes):
    """The planes, the highest first."""
    return [sum((d >> j & 1) << i for i, d in enumerate(differences)) for j in reversed(range(n_planes))]


def code_bits(planes, width, place_bits, zero_bits, run_bits, *, places_first):
    bits = zeros = above = 0
    ones = (1 << (15 if width == 16 else width)) - 1
    for dbp in planes:
        dbx, above = dbp ^ above, dbp
        if dbx == 0:
            zeros += 1
            continue
        bits += (0, zero_bits, run_bits)[min(zeros, 2)]
        zeros = 0
        has_place = f"{dbx:b}".rstrip("0") in ("1", "11")
        is_short = dbx == ones or dbp == 0
        if has_place and (places_first or not is_short):
            bits += 5 + place_bits
        else:
            bits += 5 if is_short else 1 + width
    return bits + (0, zero_bits, run_bits)[min(zeros, 2)]


def base_bits(base):
    if base == 0:
        return 3
    return next((3 + k for k in (4, 8, 16) if -(1 << k - 1) <= base < 1 << k - 1), 33)


def bpc_bits(line, *, signed=True):
    """Bits of a line; NAP64 takes the words as unsigned where the differences have their 33rd bit from."""
    words = np.frombuffer(line, "<i4").tolist()
    operands = words if signed else np.frombuffer(line, "<u4").tolist()
    differences = [b - a for a, b in itertools.pairwise(operands)]
    width = len(differences)
    planes = planes_of(differences, 33)
    return base_bits(words[0]) + code_bits(planes, width, width.bit_length(), 3, 7, places_first=True)


def compresso_bits(line):
    words = np.frombuffer(line, "<i4").tolist()
    planes = planes_of([b - a for a, b in itertools.pairwise(words)], 32)
    halfwords = np.frombuffer(line, "<u2").tolist()[::-1]
    by_differences = base_bits(words[0]) + code_bits(planes, 15, 4, 3, 7, places_first=True)
    return 1 + min(by_differences, code_bits(halfwords, 16, 4, 3, 7, places_first=True))


def ebpc_bits(words, word_bits):
    """Bits of both streams over the words."""
    znz = sum(
        5 * -(-len(list(run)) // 16) if is_zero else len(list(run))
        for is_zero, run in itertools.groupby(words, key=lambda word: word == 0)
    )
    kept = [word for word in words if word]
    kept += [0] * (-len(kept) % 8)
    bpc = 0
    for at in range(0, len(kept), 8):
        planes = planes_of([b - a for a, b in itertools.pairwise(kept[at : at + 8])], word_bits + 1)[::-1]
        run_bits = 3 + word_bits.bit_length() - 1
        bpc += word_bits + code_bits(planes, 7, 3, 2, run_bits, places_first=False)
    return znz, bpc


def test_bpc_is_the_definition_and_with_unsigned_words_nap64s_sizes(oracle):
    array, sizes = oracle
    lines = lines_of(array, 128)
    assert sum(bpc_bits(line, signed=False) for line in lines) == int(sizes["bpc128_uncapped"])
    ours = registry.get_codec("bpc").block_bits(array).tolist()
    assert ours == [bpc_bits(line) for line in lines]
    same = [bpc_bits(line) == bpc_bits(line, signed=False) for line in lines]
    assert all(same) == (sum(ours) == int(sizes["bpc128_uncapped"]))


def test_compresso_is_the_definition_and_nap64s_sizes(oracle):
    array, sizes = oracle
    ours = registry.get_codec("bpc-compresso").block_bits(array).tolist()
    assert ours == [compresso_bits(line) for line in lines_of(array, 64)]
    assert sum(ours) == int(sizes["bpc_compresso64"])


def test_ebpc_is_the_authors_streams_to_the_bit(oracle):
    array, sizes = oracle
    if not sizes["ebpc_znz_bits"]:
        pytest.skip("the authors' model has words of 8 and 16 bits")
    raw, room = array.view(np.uint8).reshape(-1), np.empty(ebpc.GROUP + 1, np.uint64)
    streams = ebpc.stream_bits(raw, 0, raw.size, array.itemsize, room)
    assert streams == (int(sizes["ebpc_znz_bits"]), int(sizes["ebpc_bpc_bits"]))


def structured_lines(line_bytes, dtype):
    """Lines of every code: zeros, constants, ramps, sparse, small and random words."""
    rng = np.random.default_rng(5)
    n = line_bytes // np.dtype(dtype).itemsize
    top = np.iinfo(dtype).max
    lines = [np.zeros(n), np.full(n, 3), np.full(n, top), np.arange(n), np.arange(n)[::-1] * 5]
    lines += [np.where(rng.random(n) < keep, rng.integers(0, top, n, dtype), 0) for keep in (0.1, 0.5, 0.9)]
    lines += [rng.integers(0, 1 << bits, n) for bits in (1, 2, 3, 5, 7)]
    lines += [rng.integers(0, top, n, dtype, endpoint=True) for _ in range(5)]
    return np.concatenate([line.astype(dtype) for line in lines])


@pytest.mark.parametrize("line_bytes", [32, 64, 128, 256])
def test_bpc_of_every_line_size_is_the_definition(line_bytes):
    codec, array = registry.get_codec(f"bpc:block_bytes={line_bytes}"), structured_lines(line_bytes, "u4")
    assert codec.block_bits(array).tolist() == [bpc_bits(line) for line in lines_of(array, line_bytes)]
    assert codec.decode(codec.encode(array)).tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8"])
def test_ebpc_of_every_width_is_the_definition(dtype):
    codec, array = registry.get_codec("ebpc:block_bytes=256"), structured_lines(256, dtype)
    width = min(array.itemsize, 4)
    blocks = [np.frombuffer(line, f"<i{width}").tolist() for line in lines_of(array, 256)]
    assert codec.block_bits(array).tolist() == [sum(ebpc_bits(block, 8 * width)) for block in blocks]
    assert codec.decode(codec.encode(array)).tobytes() == array.tobytes()
