"""Runs to draw pages of: their names are special in every notation."""

import json

from support import REPOSITORY, TRACES, cell, trace_fields

from suite import results
from suite.reporting import publish

HOSTILE = "</script><script>alert(1)</script>&\"'<!--"
LEVELS = (0.0, 0.5, 0.9)
SIZES = {"raw": 8000, "zvc": 2000, "shuffle|zstd:level=3": 1600, "hw/zvc:line_bytes=64": 2500, HOSTILE: 1800}
PUBLISHED = publish.published(REPOSITORY / "reports")

FIGURES = {
    "decompressor_area_ge": {"value": 1200, "unit": "GE", "origin": "modelled", "source": "for tests"},
    "decompress_pj_per_byte": {"value": 0.5, "unit": "pJ/B", "origin": "modelled", "source": "for tests"},
    "decompress_latency_cycles": {"value": 2, "unit": "cycles", "origin": "estimate", "source": "for tests"},
}


def small_cells():
    """Two roles at three levels of pruning, weights in two precisions; of the lossy codec one trace."""
    traces = {
        f"net/{precision}-s{100 * level:g}/{role}/fc1": trace_fields(role, precision, level)
        for role, precision in (("weights", "float32"), ("weights", "int8"), ("activations", "float32"))
        for level in LEVELS
    }
    cells = []
    for n, (trace, fields) in enumerate(traces.items()):
        for codec, bits in SIZES.items():
            hardware = codec.startswith("hw/")
            more = {"kind": "hardware", "decompress_cycles": 30.0} if hardware else {"encode_s": [2e-6]}
            more |= {} if hardware else {"decode_s": [bits * 1e-10, bits * 2e-10]}
            effective = {f"effective_bits_{g}": bits + 100 * g if hardware else None for g in (32, 64)}
            bits_here = bits - 50 * n if codec != "raw" else bits
            cells.append(cell(codec, trace, bits_here, **fields, **more, **effective))
        cells.append(cell("bad", trace, None, **fields))
    first = next(iter(traces))
    cells.append(
        cell("zfp", first, 700, **traces[first], lossless=False, mse=0.25, max_error=1.5, bit_exact=None)
    )
    assert TRACES.keys().isdisjoint(traces)
    return cells


def write_run(folder, cells, **facts):
    folder.mkdir()
    results.write(results.frame(cells), folder)
    known = {
        "corpus": {"name": "small", "version": "1", "digest": "0" * 64, "traces": 9},
        "phases": {},
        "machine": {"cpu": "a <CPU>", "usable_cores": 2, "system": "an OS", "python": "3.11"},
    }
    (folder / "run.json").write_text(json.dumps(known | facts))
    return folder
