"""How fast bits of zero run-length blocks are counted: beside a copy of the same memory, and packing."""

import numpy as np
import pytest

from tensorcodecs import registry
from tracegen.corpus import Corpus

N_BYTES = 4 << 20
SPECS = ("rlc-eyeriss", "rlc-eyeriss:block_bytes=64", "rlc-scnn", "rle-tenstorrent", "gist-csr-like", "zvc")


@pytest.fixture(scope="module", params=["float32/activations", "float32/weights", "int8/activations"])
def array(request):
    """At least 4 MiB of real traces (repeated where there are fewer) of one type and role."""
    dtype, _, role = request.param.partition("/")
    corpus = Corpus.open("traces")
    found, n_bytes = [], 0
    for trace in corpus.traces:
        if trace.dtype == dtype and trace.role == role and n_bytes < N_BYTES:
            found.append(corpus.read(trace).reshape(-1))
            n_bytes += found[-1].nbytes
    values = np.concatenate(found)
    return np.resize(values, max(values.size, N_BYTES // values.itemsize))


def test_copy(benchmark, array):
    benchmark.group = f"count {array.dtype}"
    benchmark.extra_info["raw_bytes"] = array.nbytes
    benchmark(np.copy, array)


@pytest.mark.parametrize("spec", SPECS)
def test_block_bits(benchmark, array, spec):
    codec = registry.get_codec(spec)
    benchmark.group = f"count {array.dtype}"
    benchmark.extra_info["raw_bytes"] = array.nbytes
    bits = benchmark(codec.block_bits, array)
    assert bits.size == -(-array.nbytes // codec.block_bytes)
