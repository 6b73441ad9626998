"""BDI against gem5's sizes, line by line, and against the paper's definition in plain Python."""

import csv

import numpy as np
import pytest

from tensorcodecs import registry

# (base bytes, delta bytes) of gem5's sub-compressors.
ENCODINGS = {"b8d1": (8, 1), "b8d2": (8, 2), "b8d4": (8, 4), "b4d1": (4, 1), "b4d2": (4, 2), "b2d1": (2, 1)}
LINE_BYTES = 64
INPUTS = ["counter_int64", "relu_fp16", "relu_fp32", "relu_int8", "smooth_int32", "weights_fp16"]
INPUTS += ["weights_fp16_pruned80", "weights_fp32", "weights_fp32_pruned80", "weights_int8"]
INPUTS += ["word_patterns_uint32"]


def bits_by_definition(line, *, has_lowest_delta):
    """Return the smallest payload of `line`; without the lowest delta the range is symmetric, as gem5's."""
    if not any(line):
        return 0
    best = 64 if line == line[:8] * (len(line) // 8) else 8 * len(line)
    for base_bytes, delta_bytes in ENCODINGS.values():
        half = 1 << 8 * delta_bytes - 1
        modulus = 1 << 8 * base_bytes
        parts = [line[at : at + base_bytes] for at in range(0, len(line), base_bytes)]
        elements = [int.from_bytes(part, "little") for part in parts]

        def is_small(value, half=half, modulus=modulus):
            signed = (value + modulus // 2) % modulus - modulus // 2
            return (-half if has_lowest_delta else 1 - half) <= signed < half

        rest = [element for element in elements if not is_small(element)]
        if all(is_small((element - rest[0]) % modulus) for element in rest):
            best = min(best, 8 * base_bytes + len(elements) * (1 + 8 * delta_bytes))
    return best


def lines_of(array, line_bytes=LINE_BYTES):
    raw = array.tobytes()
    return [raw[at : at + line_bytes] for at in range(0, len(raw), line_bytes)]


@pytest.mark.parametrize("trace", INPUTS)
def test_sizes_are_gem5s_but_for_the_lowest_delta(trace, root):
    folder = root / "tests/golden/oracles"
    array = np.load(folder / f"{trace}.npy")
    with (folder / f"{trace}.lines64.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    gem5 = [min(int(row[column]) for column in ("zero", "rep8", *ENCODINGS)) for row in rows]
    lines = lines_of(array)
    # gem5's "zero" counts nothing for the tag, as the definition does.
    assert gem5 == [bits_by_definition(line, has_lowest_delta=False) for line in lines]
    ours = (registry.get_codec("bdi").block_bits(array) - 4).tolist()
    assert ours == [bits_by_definition(line, has_lowest_delta=True) for line in lines]
    assert all(mine <= theirs for mine, theirs in zip(ours, gem5, strict=True))


@pytest.mark.parametrize("line_bytes", [32, 64, 128, 256])
def test_every_encoding_at_the_edges_of_its_range(line_bytes):
    codec = registry.get_codec(f"bdi:block_bytes={line_bytes}")
    rng = np.random.default_rng(4)
    lines = []
    for base_bytes, delta_bytes in ENCODINGS.values():
        half = 1 << 8 * delta_bytes - 1
        for base in (0, 3 << 8 * base_bytes - 3, (1 << 8 * base_bytes) - half - 5):
            for edge in (half - 1, half, -half, -half - 1):
                elements = [
                    base,
                    *rng.integers(-5, 5, line_bytes // base_bytes - 3).tolist(),
                    base + edge,
                    base,
                ]
                lines.append(
                    b"".join((e % (1 << 8 * base_bytes)).to_bytes(base_bytes, "little") for e in elements)
                )
    lines.append(bytes(line_bytes))
    lines.append(bytes(range(8)) * (line_bytes // 8))
    data = b"".join(lines)
    assert codec.decode(codec.encode(data)).tobytes() == data
    expected = [4 + bits_by_definition(line, has_lowest_delta=True) for line in lines]
    assert codec.block_bits(data).tolist() == expected
    assert len(set(expected)) >= 7, "not every encoding was met (some are as long as others)"
