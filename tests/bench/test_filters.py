"""How fast filters and mask codecs are: `pytest tests/bench/test_filters.py --benchmark-group-by=group`.

Each group holds a copy of memory (`memcpy`, into memory that is there already) as a peer. The bit shuffle of
C-Blosc2 is called by itself where its library is found, without container or compressor, and so is our
kernel: that compares the filters' time alone. Nothing is asserted about seconds: machines differ.
"""

import ctypes
import importlib.util
import pathlib

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs import anycodec, registry
from tensorcodecs.filters.kernels.bitshuffle import bitshuffle, bitunshuffle

N_BYTES = 4 << 20
BLOSC_BLOCK_BYTES = 256 << 10
"""A usual block of C-Blosc2's own choice; both its buffers fit the second-level cache."""
FILTERS = ("raw", "shuffle", "bitshuffle", "split", "delta", "xor", "zigzag", "signmagnitude")
MASKS = ("raw", "rle", "bitmask", "zvc", "zrle")


def blosc2_library():
    """Return C-Blosc2's library from the Python package blosc2, or None."""
    found = importlib.util.find_spec("blosc2")
    if found is None or found.origin is None:
        return None
    for path in pathlib.Path(found.origin).parent.rglob("libblosc2.*"):
        library = ctypes.CDLL(str(path))
        if hasattr(library, "blosc2_bitshuffle"):
            return library
    return None


def floats(word_bytes):
    dtype = {1: np.int8, 2: ml_dtypes.bfloat16, 4: np.float32, 8: np.float64}[word_bytes]
    scale = 40 if word_bytes == 1 else 0.02
    return np.random.default_rng(1).normal(0, scale, N_BYTES // word_bytes).astype(dtype)


def pruned(dtype, kept):
    """Return weights, most of them zeros without any pattern."""
    rng = np.random.default_rng(2)
    n = N_BYTES // np.dtype(dtype).itemsize
    return (rng.normal(0, 20, n) * (rng.random(n) < kept)).astype(dtype)


def relu(dtype):
    """Return a feature map behind a ReLU, 60 % zeros, most of them beside each other as in images."""
    rng = np.random.default_rng(1)
    n_maps = N_BYTES // (64 * 64 * np.dtype(dtype).itemsize)
    coarse = rng.normal(-0.25, 0.8, (n_maps, 8, 8))
    maps = np.kron(coarse, np.ones((1, 8, 8))) + rng.normal(0, 0.5, (n_maps, 64, 64))
    return (np.maximum(maps, 0) * 40).astype(dtype)


SPARSE = {
    "pruned90-float32": lambda: pruned(np.float32, 0.1),
    "relu-float32": lambda: relu(np.float32),
    "relu-int8": lambda: relu(np.int8),
}


def read_only(array):
    array = array.view()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("peer", ["ours", "blosc2", "memcpy"])
@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize("word_bytes", [1, 2, 4, 8])
def test_bit_planes_alone(benchmark, word_bytes, direction, peer):
    benchmark.group = f"bit planes, {direction}, {word_bytes}-byte words"
    words = floats(word_bytes).view(f"u{word_bytes}")
    planes = np.empty(N_BYTES, np.uint8)
    bitshuffle(read_only(words), planes)
    target = np.empty_like(words)
    if peer == "memcpy":
        benchmark(np.copyto, target, words)
    elif peer == "ours":
        task = (
            (bitshuffle, read_only(words), planes)
            if direction == "encode"
            else (bitunshuffle, read_only(planes), target)
        )
        task[0](*task[1:])  # compiles
        benchmark(*task)
    else:
        library = blosc2_library()
        if library is None:
            pytest.skip("needs the package blosc2")
        function = library.blosc2_bitshuffle if direction == "encode" else library.blosc2_bitunshuffle
        source = words if direction == "encode" else planes

        def blocks():
            for at in range(0, N_BYTES, BLOSC_BLOCK_BYTES):
                addresses = (
                    ctypes.c_void_p(source.ctypes.data + at),
                    ctypes.c_void_p(target.ctypes.data + at),
                )
                function(word_bytes, BLOSC_BLOCK_BYTES, *addresses)

        benchmark(blocks)


@pytest.fixture(scope="module")
def arrays():
    return {"weights-float32": floats(4), **{kind: make() for kind, make in SPARSE.items()}}


CASES = [("weights-float32", spec) for spec in ("memcpy", *FILTERS)]
CASES += [(kind, spec) for kind in SPARSE for spec in ("memcpy", *MASKS)]


@pytest.mark.parametrize(("kind", "spec"), CASES)
@pytest.mark.parametrize("direction", ["encode", "decode"])
def test_codecs(benchmark, kind, spec, direction, arrays):
    benchmark.group = f"{direction} {kind}"
    array = arrays[kind]
    if spec == "memcpy":
        benchmark(np.copyto, np.empty_like(array), array)
        return
    codec = registry.get_codec(spec)
    frame = bytes(anycodec.encode_array(codec, array))  # compiles, too
    assert anycodec.decode_bytes(codec, frame, array.nbytes).tobytes() == array.tobytes()
    benchmark.extra_info["coded_bytes"] = len(frame)
    if direction == "encode":
        benchmark(anycodec.encode_array, codec, array)
    else:
        benchmark(anycodec.decode_bytes, codec, frame)
