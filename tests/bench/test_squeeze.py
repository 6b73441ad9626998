"""How fast `squeeze` is, beside its best peers on the same traces: `pytest tests/bench/test_squeeze.py`.

The arrays are traces of the standard corpus, joined to at least 4 MiB. Ratios stand in `extra_info`.
"""

import numpy as np
import pytest
from support import REPOSITORY

from tensorcodecs import anycodec, registry
from tracegen.corpus import Corpus

N_BYTES = 4 << 20
COLUMNS = 256
SPECS = ("raw", "squeeze:effort=1", "squeeze:effort=2", "pcodec:level=8", "zipnn", "zstd:level=1", "exphuff")
DATA = {
    "weights-float32": {"role": "weights", "dtype": "float32", "sparsity": 0.0},
    "weights-bfloat16": {"role": "weights", "dtype": "bfloat16", "sparsity": 0.0},
    "pruned90-float32": {"role": "weights", "dtype": "float32", "sparsity": 0.9},
    "activations-float32": {"role": "activations", "dtype": "float32"},
    "activations-int8": {"role": "activations", "dtype": "int8"},
}


@pytest.fixture(scope="module")
def arrays():
    corpus = Corpus.open(REPOSITORY / "traces")
    joined = {}
    for kind, wanted in DATA.items():
        traces = [t for t in corpus.traces if all(getattr(t, key) == value for key, value in wanted.items())]
        values = np.concatenate([corpus.read(trace).reshape(-1) for trace in traces])
        n = -(-max(N_BYTES, values.nbytes) // values.itemsize // COLUMNS) * COLUMNS
        joined[kind] = np.resize(values, n).reshape(-1, COLUMNS)
    return joined


def prepared(kind, spec, arrays, benchmark):
    try:
        codec = registry.get_codec(spec)
    except registry.NotInstalledError as error:
        pytest.skip(str(error))
    array = arrays[kind]
    frame = bytes(anycodec.encode_array(codec, array))  # compiles, too
    assert anycodec.decode_bytes(codec, frame, array.nbytes).tobytes() == array.tobytes()
    benchmark.extra_info["raw_bytes"] = array.nbytes
    benchmark.extra_info["ratio"] = array.nbytes / len(frame)
    return codec, array, frame


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", DATA)
def test_encode(benchmark, kind, spec, arrays):
    codec, array, _ = prepared(kind, spec, arrays, benchmark)
    benchmark.group = f"encode {kind}"
    benchmark(anycodec.encode_array, codec, array)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", DATA)
def test_decode(benchmark, kind, spec, arrays):
    codec, _, frame = prepared(kind, spec, arrays, benchmark)
    benchmark.group = f"decode {kind}"
    benchmark(anycodec.decode_bytes, codec, frame)
