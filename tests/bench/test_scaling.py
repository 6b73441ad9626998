"""How codecs grow: CPU time with size, memory with size, and what independent blocks of 64 KiB lose."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("scaling.py")
SPECS = ("squeeze:effort=1", "squeeze:effort=2", "exphuff", "huffman", "rans")
MIB = 1 << 20
SIZES_BYTES = (1 << 16, MIB, 16 * MIB, 64 * MIB)
GIB_CASE = ("squeeze:effort=1", 1 << 30)
BLOCK_BYTES = 1 << 16
PEAK_MAX = 3.0
"""Highest resident memory, the input in it, over the input's bytes, where tables count no more."""
LOSS_MAX = 0.03
GROWTH_MAX = 3.0
"""CPU time over what linear growth from 1 MiB would give: n log n on a noisy machine stays below it."""

pytestmark = pytest.mark.timeout(600)


def scaled(spec, n_bytes, block_bytes=0):
    done = subprocess.run(
        [sys.executable, SCRIPT, spec, str(n_bytes), str(block_bytes)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def peak(figures):
    return max(figures["encode_peak"], figures["decode_peak"]) / figures["bytes"]


@pytest.mark.benchmark(group="scaling")
@pytest.mark.parametrize("spec", SPECS)
def test_cost_grows_with_size_and_no_faster(benchmark, spec):
    def measure():
        return [scaled(spec, n, BLOCK_BYTES if n == 16 * MIB else 0) for n in SIZES_BYTES]

    rows = benchmark.pedantic(measure, rounds=1)
    one_mib, largest = rows[1], rows[-1]
    by_blocks = next(row for row in rows if row["in_blocks"])
    figures = {
        "peak / input": peak(largest),
        "loss in blocks": 1 - by_blocks["coded"] / by_blocks["in_blocks"],
    }
    for direction in ("encode_s", "decode_s"):
        linear = one_mib[direction] * largest["bytes"] / one_mib["bytes"]
        figures[f"{direction} / linear"] = largest[direction] / linear
    benchmark.extra_info.update(figures)
    assert figures["peak / input"] <= PEAK_MAX
    assert figures["loss in blocks"] <= LOSS_MAX
    assert max(figures["encode_s / linear"], figures["decode_s / linear"]) <= GROWTH_MAX


@pytest.mark.slow
@pytest.mark.benchmark(group="scaling")
@pytest.mark.parametrize(
    ("spec", "n_bytes"), [*((spec, 256 * MIB) for spec in SPECS), GIB_CASE], ids=lambda v: str(v)
)
def test_memory_keeps_to_its_bound_on_large_arrays(benchmark, spec, n_bytes):
    figures = benchmark.pedantic(scaled, (spec, n_bytes), rounds=1)
    benchmark.extra_info["peak / input"] = peak(figures)
    assert peak(figures) <= PEAK_MAX
