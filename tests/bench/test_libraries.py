"""How fast codecs around libraries are: `pytest tests/bench/test_libraries.py --benchmark-group-by=group`."""

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs import registry

N_VALUES = 1 << 19
GENERAL = ("raw", "zlib:level=6", "deflate", "lz4", "lz4hc", "snappy", "zstd:level=3")
PEERS = ("raw", "blosc2", "pcodec", "openzl", "z4ai", "zipnn", "shuffle|zstd:level=3")
CASES = {
    "pruned90-float32": (np.float32, 0.1, GENERAL),
    "weights-float32": (np.float32, 1.0, (*PEERS, "zfp")),
    "weights-bfloat16": (ml_dtypes.bfloat16, 1.0, PEERS),
}


def weights(dtype, kept):
    rng = np.random.default_rng(2)
    values = rng.normal(0, 0.02, N_VALUES)
    values[rng.random(N_VALUES) >= kept] = 0
    return values.astype(dtype)


@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize(("kind", "spec"), [(kind, spec) for kind in CASES for spec in CASES[kind][2]])
def test_speed(benchmark, kind, spec, direction):
    try:
        codec = registry.get_codec(spec)
    except registry.NotInstalledError as error:
        pytest.skip(str(error))
    array = weights(*CASES[kind][:2])
    frame = codec.encode(array)
    assert codec.decode(frame).tobytes() == array.tobytes()
    benchmark.group = f"{direction} {kind}"
    benchmark.extra_info["MB"] = array.nbytes / 1e6
    if direction == "encode":
        benchmark(codec.encode, array)
    else:
        benchmark(codec.decode, frame)
