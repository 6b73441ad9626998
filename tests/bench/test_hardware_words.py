"""Counting lines of 32-bit words, beside a copy of the same bytes."""

import numpy as np
import pytest
from support import REPOSITORY

from tensorcodecs import registry
from tracegen.corpus import Corpus

CASES = [("weights", "float32"), ("activations", "float32"), ("activations", "int8")]
RAW_BYTES = 4 << 20


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def raw(request):
    """4 MiB of the corpus's traces of one role and type, one behind the other."""
    role, dtype = request.param
    corpus = Corpus.open(REPOSITORY / "traces")
    chosen = [trace for trace in corpus.traces if (trace.role, trace.dtype) == (role, dtype)]
    parts, n_bytes = [], 0
    for trace in chosen:
        if n_bytes < RAW_BYTES:
            parts.append(np.ascontiguousarray(corpus.read(trace)).reshape(-1).view(np.uint8))
            n_bytes += parts[-1].size
    return np.resize(np.concatenate(parts), RAW_BYTES)


@pytest.mark.parametrize("codec_name", ["fpc", "fpcd", "cpack", "bdi", "sc2:table=own", "bytehuff:table=own"])
def test_block_bits(benchmark, codec_name, raw):
    codec = registry.get_codec(codec_name)
    assert codec.block_bits(raw).size == RAW_BYTES // 64
    benchmark.extra_info["raw_bytes"] = raw.nbytes
    benchmark(codec.block_bits, raw)


def test_copy(benchmark, raw):
    benchmark.extra_info["raw_bytes"] = raw.nbytes
    benchmark(np.copyto, np.empty_like(raw), raw)
