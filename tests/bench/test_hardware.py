"""How fast the bits of lines and blocks are counted, beside a copy of the same memory."""

import numpy as np
import pytest
from support import REPOSITORY

import hwmodels
from tensorcodecs.base import BlockCodec
from tracegen.corpus import Corpus

N_BYTES = 4 << 20


def codec_of(name):
    """The codec of the model `name`; one that learns makes a table of each array's own."""
    model = hwmodels.get_model(name)
    return hwmodels.get_model(f"{name}:table=own").codec if getattr(model, "learns", False) else model.codec


COUNTING = [name for name in hwmodels.names() if isinstance(codec_of(name), BlockCodec)]


@pytest.fixture(scope="module", params=["float32/weights", "float32/activations", "int8/activations"])
def array(request):
    """4 MiB of real traces (repeated where there are fewer) of one type and role."""
    dtype, _, role = request.param.partition("/")
    corpus = Corpus.open(REPOSITORY / "traces")
    found, n_bytes = [], 0
    for trace in corpus.traces:
        if trace.dtype == dtype and trace.role == role and n_bytes < N_BYTES:
            found.append(corpus.read(trace).reshape(-1))
            n_bytes += found[-1].nbytes
    values = np.concatenate(found)
    return np.resize(values, N_BYTES // values.itemsize)


def test_copy(benchmark, array):
    benchmark.group = f"count {array.dtype}"
    benchmark.extra_info["raw_bytes"] = array.nbytes
    benchmark(np.copyto, np.empty_like(array), array)


@pytest.mark.parametrize("model_name", COUNTING)
def test_block_bits(benchmark, array, model_name):
    codec = codec_of(model_name)
    assert codec.block_bits(array).size == -(-array.nbytes // codec.block_bytes)
    benchmark.group = f"count {array.dtype}"
    benchmark.extra_info["raw_bytes"] = array.nbytes
    benchmark(codec.block_bits, array)
