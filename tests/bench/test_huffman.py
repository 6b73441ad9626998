"""Huffman against its peers: `pytest tests/bench/test_huffman.py --benchmark-group-by=group`.

Nothing is asserted about seconds: machines differ.
"""

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs import anycodec, registry

N_WORDS = 2 << 20
FLOATS = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16, "float32": np.float32}
PLANES = {
    "exponents": lambda values: (values.astype(np.float32).view(np.uint32) >> 23).astype(np.uint8),
    "int8": lambda values: (values / 0.02 * 36).clip(-127, 127).astype(np.int8),
}


def weights(dtype=np.float64):
    return np.random.default_rng(2).normal(0, 0.02, N_WORDS).astype(dtype)


@pytest.fixture
def zipnn_codec(kind):
    module = pytest.importorskip("zipnn")
    return module.ZipNN(input_format="byte", bytearray_dtype=kind, threads=1)


def note(benchmark, group, raw_bytes, coded_bytes):
    benchmark.group = group
    benchmark.extra_info["raw_bytes"] = raw_bytes
    benchmark.extra_info["coded_bytes"] = coded_bytes


@pytest.mark.parametrize("kind", FLOATS)
class TestFloats:
    def test_encode(self, benchmark, kind):
        array, codec = weights(FLOATS[kind]), registry.get_codec("exphuff")
        note(benchmark, f"encode weights-{kind}", array.nbytes, len(codec.encode(array)))
        benchmark(codec.encode, array)

    def test_decode(self, benchmark, kind):
        array, codec = weights(FLOATS[kind]), registry.get_codec("exphuff")
        frame = codec.encode(array)
        note(benchmark, f"decode weights-{kind}", array.nbytes, len(frame))
        benchmark(codec.decode, frame)

    def test_encode_zipnn(self, benchmark, kind, zipnn_codec):
        raw = weights(FLOATS[kind]).tobytes()
        note(benchmark, f"encode weights-{kind}", len(raw), len(zipnn_codec.compress(bytearray(raw))))
        # It overwrites its input, so each round gets a copy that is not timed.
        benchmark.pedantic(
            zipnn_codec.compress, setup=lambda: ((bytearray(raw),), {}), rounds=30, warmup_rounds=2
        )

    def test_decode_zipnn(self, benchmark, kind, zipnn_codec):
        raw = weights(FLOATS[kind]).tobytes()
        frame = bytes(zipnn_codec.compress(bytearray(raw)))
        assert bytes(zipnn_codec.decompress(frame)) == raw
        note(benchmark, f"decode weights-{kind}", len(raw), len(frame))
        benchmark(zipnn_codec.decompress, frame)


@pytest.mark.parametrize("spec", ["huffman", "zstd:level=1"])
@pytest.mark.parametrize("kind", PLANES)
@pytest.mark.parametrize("direction", ["encode", "decode"])
def test_plane(benchmark, direction, kind, spec):
    plane, codec = PLANES[kind](weights()), registry.get_codec(spec)
    frame = codec.encode(plane)
    assert anycodec.decode_bytes(codec, frame, plane.nbytes).tobytes() == plane.tobytes()
    note(benchmark, f"{direction} plane-{kind}", plane.nbytes, len(frame))
    benchmark(getattr(codec, direction), plane if direction == "encode" else frame)
