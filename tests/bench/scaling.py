"""One codec on one size, in a process of its own: `python tests/bench/scaling.py SPEC BYTES [BLOCK_BYTES]`.

Prints CPU seconds, coded bytes and the peak of resident memory as JSON. Memory is counted from before the
input was made, so the input is in it; with BLOCK_BYTES also the coded bytes of independent blocks.
"""

import gc
import hashlib
import json
import re
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np

from tensorcodecs import anycodec, registry
from tensorcodecs.arrays import raw_bytes

SLAB_VALUES = 1 << 20


def weights(n_bytes):
    """Weights like those of a layer: bfloat16, normal, in rows of 1024 with scales of their own."""
    rng = np.random.default_rng(11)
    out = np.empty(n_bytes // 2, ml_dtypes.bfloat16)
    scales = rng.uniform(0.01, 0.05, 1024).astype(np.float32)
    for start in range(0, out.size, SLAB_VALUES):
        part = out[start : start + SLAB_VALUES]
        part[:] = rng.standard_normal(part.size, dtype=np.float32) * np.resize(scales, part.size)
    return out.reshape(-1, 1024)


def resident_bytes(field):
    return 1024 * int(re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


def clocked(call):
    """The result, its CPU seconds, and the highest resident memory in the meantime."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
    start = time.process_time()
    result = call()
    return result, time.process_time() - start, resident_bytes("VmHWM")


def main(spec, n_bytes, block_bytes=0):
    codec = registry.get_codec(spec)
    small = weights(1 << 18)
    anycodec.decode_bytes(codec, anycodec.encode_array(codec, small))
    del small
    gc.collect()
    before_bytes = resident_bytes("VmRSS")
    array = weights(n_bytes)
    coded, encode_s, encode_peak = clocked(lambda: anycodec.encode_array(codec, array))
    blocks = array.reshape(-1, block_bytes // 2) if block_bytes else []
    in_blocks = sum(len(anycodec.encode_array(codec, block.reshape(-1, 1024))) for block in blocks)
    digest = hashlib.sha256(raw_bytes(array).data).digest()
    blocks = array = None
    decoded, decode_s, decode_peak = clocked(lambda: anycodec.decode_bytes(codec, coded, n_bytes))
    assert hashlib.sha256(raw_bytes(decoded).data).digest() == digest
    figures = {"encode_s": encode_s, "decode_s": decode_s, "coded": len(coded), "in_blocks": in_blocks}
    figures |= {"encode_peak": encode_peak - before_bytes, "decode_peak": decode_peak - before_bytes}
    print(json.dumps({"spec": spec, "bytes": n_bytes, **figures}))  # noqa: T201 - what it is called for


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
