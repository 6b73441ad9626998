"""How fast codecs are on traces of the corpus, a group for each kind; see docs/benchmarking.md.

`pytest tests/bench/test_traces.py --bench-codecs zstd:level=1,mine --benchmark-group-by=group`
"""

import pytest
from support import REPOSITORY

from tensorcodecs import anycodec, registry
from tracegen.corpus import Corpus

KINDS = {
    "weights float32": "resnet20/float32-s0/weights/layer3.0.conv1",
    "weights int8 pruned": "resnet20/int8-s90/weights/layer3.0.conv1",
    "activations int8": "resnet20/int8-s0/activations/layer1.2.relu2",
}


@pytest.fixture(scope="module")
def traces():
    corpus = Corpus.open(REPOSITORY / "traces")
    return {trace.name: corpus.read(trace) for trace in corpus.traces if trace.name in KINDS.values()}


@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize("kind", KINDS)
def test_speed(benchmark, traces, kind, direction, board_spec):
    codec, array = registry.get_codec(board_spec), traces[KINDS[kind]]
    frame = bytes(anycodec.encode_array(codec, array))  # compiles, too
    assert anycodec.decode_bytes(codec, frame, array.nbytes).tobytes() == array.tobytes()
    benchmark.group = f"{direction} {kind}"
    benchmark.extra_info |= {"codec": board_spec, "raw_bytes": array.nbytes, "coded_bytes": len(frame)}
    if direction == "encode":
        benchmark(anycodec.encode_array, codec, array)
    else:
        benchmark(anycodec.decode_bytes, codec, frame, array.nbytes)
