"""Entropy coders against each other: `pytest tests/bench/test_entropy.py --benchmark-group-by=group`.

INT8 weights of several models one behind the other, and the exponents of BF16 weights, each beside a C
library and, where it is installed, constriction's rANS. Nothing is asserted about seconds: machines differ.
"""

import pathlib

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs import registry
from tracegen.corpus import Corpus

N_BYTES = 4 << 20
TRACES = pathlib.Path(__file__).parents[2] / "traces"
SPECS = [
    spec for spec in ("tans", "huffman", "rans", "zstd:level=1") if spec.split(":")[0] in {*registry.names()}
]


def int8_weights():
    """Return the corpus's INT8 weights, repeated to at least N_BYTES."""
    corpus = Corpus.open(TRACES)
    parts = [
        corpus.read(trace).reshape(-1)
        for trace in corpus.traces
        if trace.role == "weights" and trace.dtype == "int8"
    ]
    whole = np.concatenate(parts)
    return np.tile(whole, -(-N_BYTES // whole.size))[: 2 * N_BYTES]


def bfloat16_exponents():
    values = np.random.default_rng(2).normal(0, 0.02, N_BYTES).astype(ml_dtypes.bfloat16)
    return (values.view(np.uint16) >> 7 & 0xFF).astype(np.uint8)


DATA = {"int8-weights": int8_weights, "bfloat16-exponents": bfloat16_exponents}


@pytest.fixture(scope="module")
def arrays():
    return {kind: make() for kind, make in DATA.items()}


def note(benchmark, group, array, coded_bytes):
    benchmark.group = group
    benchmark.extra_info["raw_bytes"] = array.nbytes
    benchmark.extra_info["coded_bytes"] = coded_bytes


@pytest.mark.parametrize("kind", DATA)
class TestBytes:
    @pytest.mark.parametrize("spec", SPECS)
    def test_encode(self, benchmark, kind, spec, arrays):
        array, codec = arrays[kind], registry.get_codec(spec)
        note(benchmark, f"encode {kind}", array, len(codec.encode(array)))
        benchmark(codec.encode, array)

    @pytest.mark.parametrize("spec", SPECS)
    def test_decode(self, benchmark, kind, spec, arrays):
        array, codec = arrays[kind], registry.get_codec(spec)
        frame = codec.encode(array)
        assert codec.decode(frame).tobytes() == array.tobytes()
        note(benchmark, f"decode {kind}", array, len(frame))
        benchmark(codec.decode, frame)

    def test_encode_constriction(self, benchmark, kind, arrays):
        encode, _ = constriction_rans(arrays[kind])
        note(benchmark, f"encode {kind}", arrays[kind], encode().nbytes)
        benchmark(encode)

    def test_decode_constriction(self, benchmark, kind, arrays):
        encode, decode = constriction_rans(arrays[kind])
        words = encode()
        assert np.array_equal(decode(words), arrays[kind].view(np.uint8))
        note(benchmark, f"decode {kind}", arrays[kind], words.nbytes)
        benchmark(decode, words)


def constriction_rans(array):
    """Return functions to encode `array` and to decode; one table for all, which counts for nothing."""
    constriction = pytest.importorskip("constriction")
    symbols = array.view(np.uint8).astype(np.int32)
    shares = np.bincount(symbols, minlength=256) + 1e-9
    model = constriction.stream.model.Categorical(shares / shares.sum(), perfect=False)

    def encode():
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(symbols, model)
        return coder.get_compressed()

    def decode(words):
        return constriction.stream.stack.AnsCoder(words).decode(model, symbols.size)

    return encode, decode
