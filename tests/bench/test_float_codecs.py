"""Codecs for floats and frequent values beside a copy of memory (`raw`) and zstd; see `test_codecs.py`."""

import numpy as np
import pytest

from tensorcodecs import anycodec, registry

N_VALUES = 1 << 20
SPECS = ("raw", "zstd:level=1", "gorilla", "chimp:previous=1", "chimp:previous=128")
SPECS += ("alp", "alp-rd", "fvc:entries=7")
DATA = {
    "weights-float32": lambda: np.random.default_rng(1).normal(0, 0.02, N_VALUES).astype(np.float32),
    "weights-float16": lambda: np.random.default_rng(1).normal(0, 0.02, N_VALUES).astype(np.float16),
    "decimals-float64": lambda: np.round(np.random.default_rng(2).uniform(0, 99, N_VALUES), 2),
}


@pytest.fixture(scope="module")
def arrays():
    return {kind: make() for kind, make in DATA.items()}


@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", DATA)
def test_float_codecs(benchmark, kind, spec, direction, arrays):
    codec, array = registry.get_codec(spec), arrays[kind]
    frame = bytes(anycodec.encode_array(codec, array))  # compiles, too
    assert anycodec.decode_bytes(codec, frame, array.nbytes).tobytes() == array.tobytes()
    benchmark.group = f"{direction} {kind}"
    benchmark.extra_info.update(raw_bytes=array.nbytes, coded_bytes=len(frame))
    if direction == "encode":
        benchmark(anycodec.encode_array, codec, array)
    else:
        benchmark(anycodec.decode_bytes, codec, frame)
