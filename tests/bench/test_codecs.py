"""How fast the codecs are: `pytest tests/bench/test_codecs.py --benchmark-group-by=group`.

Each group holds one direction over one kind of data, a copy of memory (`raw`) and C libraries as peers, so
that ratios can be read off one run. Nothing is asserted about seconds: machines differ.
"""

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs import anycodec, registry

N_BYTES = 4 << 20
SPARSE = ("raw", "zvc", "zrle", "zstd:level=1", "blosc:cname=lz4:shuffle=0")
DENSE = ("raw", "huffman", "zstd:level=1")
FILTERS = ("raw", "shuffle", "numcodecs.shuffle:elementsize=4")


def relu(dtype, scale):
    """Return a feature map behind a ReLU, 60 % zeros, most of them beside each other as in images."""
    rng = np.random.default_rng(1)
    side = 64
    n_maps = N_BYTES // (side * side * np.dtype(dtype).itemsize)
    coarse = rng.normal(-0.25, 0.8, (n_maps, side // 8, side // 8))
    maps = np.kron(coarse, np.ones((1, 8, 8))) + rng.normal(0, 0.5, (n_maps, side, side))
    return (np.maximum(maps, 0) * scale).astype(dtype)


def weights(dtype, kept=1.0):
    rng = np.random.default_rng(2)
    n = N_BYTES // np.dtype(dtype).itemsize
    values = rng.normal(0, 0.02, n)
    values[rng.random(n) >= kept] = 0
    return values.astype(dtype)


def random_mask(dtype):
    """Return 50 % zeros without any pattern: what a branch predictor can do least about."""
    rng = np.random.default_rng(3)
    n = N_BYTES // np.dtype(dtype).itemsize
    return rng.integers(1, 100, n).astype(dtype) * rng.integers(0, 2, n).astype(dtype)


DATA = {
    "relu-int8": (lambda: relu(np.int8, 40), SPARSE),
    "relu-float32": (lambda: relu(np.float32, 1), SPARSE),
    "pruned90-float32": (lambda: weights(np.float32, kept=0.1), SPARSE),
    "random-mask-int8": (lambda: random_mask(np.int8), SPARSE),
    "random-mask-uint16": (lambda: random_mask(np.uint16), SPARSE),
    "weights-bfloat16": (lambda: weights(ml_dtypes.bfloat16), DENSE),
    "weights-float32": (lambda: weights(np.float32), FILTERS),
}
CASES = [(kind, spec) for kind, (_, specs) in DATA.items() for spec in specs]


@pytest.fixture(scope="module")
def arrays():
    return {kind: make() for kind, (make, _) in DATA.items()}


def prepared(kind, spec, arrays):
    codec = registry.get_codec(spec)
    array = arrays[kind]
    frame = bytes(anycodec.encode_array(codec, array))  # compiles, too
    assert anycodec.decode_bytes(codec, frame, array.nbytes).tobytes() == array.tobytes()
    return codec, array, frame


def note(benchmark, array, frame):
    benchmark.extra_info["raw_bytes"] = array.nbytes
    benchmark.extra_info["coded_bytes"] = len(frame)


@pytest.mark.parametrize(("kind", "spec"), CASES)
def test_encode(benchmark, kind, spec, arrays):
    codec, array, frame = prepared(kind, spec, arrays)
    benchmark.group = f"encode {kind}"
    note(benchmark, array, frame)
    benchmark(anycodec.encode_array, codec, array)


@pytest.mark.parametrize(("kind", "spec"), CASES)
def test_decode(benchmark, kind, spec, arrays):
    codec, array, frame = prepared(kind, spec, arrays)
    benchmark.group = f"decode {kind}"
    note(benchmark, array, frame)
    benchmark(anycodec.decode_bytes, codec, frame)


@pytest.mark.parametrize("spec", ["zvc", "bdi"])
@pytest.mark.parametrize("kind", ["relu-float32", "pruned90-float32"])
def test_block_bits(benchmark, kind, spec, arrays):
    codec, array, frame = prepared(kind, spec, arrays)
    benchmark.group = f"block bits {kind}"
    note(benchmark, array, frame)
    benchmark(codec.block_bits, array)
