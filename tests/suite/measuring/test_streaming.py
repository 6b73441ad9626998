"""A corpus larger than memory is measured in bounded memory: one trace after the other, none kept."""

import hashlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import command, environment

from suite import results
from tracegen.corpus import MANIFEST, SCHEMA, SCHEMA_VERSION, ModelInfo, TraceInfo, corpus_digest

MIB = 1 << 20
CODECS = "zstd:level=1,squeeze:effort=1"
LIMIT_BYTES = 2 << 30
"""For the run's own process and its workers together."""
CHUNK_VALUES = 1 << 18


def write_large_corpus(folder, n_traces, trace_bytes):
    """Traces of noise amid zeros, in a sparse file: chunks of zeros are the fill value, stored nowhere."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 1, CHUNK_VALUES).astype(np.float32)
    n_chunks = trace_bytes // noise.nbytes
    traces = []
    with h5py.File(folder / "net.h5", "w") as file:
        for number in range(n_traces):
            name = f"net/float32-s0/activations/layer{number}"
            path = f"/traces/{name.partition('/')[2]}"
            shape = (n_chunks, CHUNK_VALUES)
            dataset = file.create_dataset(path, shape, np.float32, chunks=(1, CHUNK_VALUES), fillvalue=0)
            digest = hashlib.sha256()
            for row in range(n_chunks):
                values = noise * (number + 1) if row % 64 == number % 64 else np.zeros_like(noise)
                digest.update(values)
                if values.any():
                    dataset[row] = values
            identity = {"role": "activations", "layer": f"layer{number}", "dtype": "float32", "sparsity": 0.0}
            identity |= {"pruning": "none", "phase": "inference", "precision": "float32"}
            traces.append(TraceInfo(name, "net", shape=shape, sha256=digest.hexdigest(), **identity))
    model = ModelInfo("net", "a net", "accuracy", True, "seeded noise", "CC0")
    head = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "name": "large", "version": "1"}
    head |= {"description": "for tests", "digest": corpus_digest(tuple(traces))}
    rows = {"models": [asdict(model)], "traces": [asdict(trace) for trace in traces]}
    (folder / MANIFEST).write_text(json.dumps(head | rows))
    return folder


def family_of(pid):
    """A process and all that descend from it."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from family_of(int(child))


def resident_bytes(pid):
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except OSError:  # it has just ended
        return 0


def watched_run(arguments, **options):
    """Run; the highest resident bytes of the run's own process, of a child, and of all at one time."""
    peaks = {"own": 0, "child": 0, "all": 0}
    process = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, **options
    )

    def watch():
        while process.poll() is None:
            try:
                own, *children = [resident_bytes(pid) for pid in family_of(process.pid)]
            except OSError:
                continue
            now = {"own": own, "child": max(children, default=0), "all": own + sum(children)}
            peaks.update({key: max(peaks[key], now[key]) for key in peaks})
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, stderr = process.communicate()
    watcher.join()
    assert process.returncode == 0, stderr
    return peaks


def measure(tmp_path, n_traces, trace_bytes, jobs):
    corpus = write_large_corpus(tmp_path / "corpus", n_traces, trace_bytes)
    options = ("--out", tmp_path / "out", "--codecs", CODECS, "--no-timing", "--no-page", "--jobs", jobs)
    peaks = watched_run(
        command("suite", "run", "--corpus", corpus, *options), env=environment(), cwd=tmp_path
    )
    table = results.read(tmp_path / "out")
    assert set(table["status"]) == {"ok"}
    assert len(table) == 3 * n_traces
    return peaks


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("n_traces", "trace_bytes", "jobs"), [(20, 256 * MIB, 1), (64, 64 * MIB, 2)], ids=["256-MiB", "64-MiB"]
)
def test_a_corpus_of_gigabytes_runs_in_two(tmp_path, capsys, n_traces, trace_bytes, jobs):
    peaks = measure(tmp_path, n_traces, trace_bytes, jobs)
    with capsys.disabled():
        sys.stdout.write(f"\npeaks in MiB: { {key: value >> 20 for key, value in peaks.items()} }\n")
    assert peaks["all"] <= LIMIT_BYTES


def test_memory_does_not_grow_with_the_number_of_traces(tmp_path):
    """In small: 18 traces more, of 288 MiB together, cost no more than noise."""
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir()
    many.mkdir()
    base = measure(few, 2, 16 * MIB, 1)["all"]
    assert measure(many, 20, 16 * MIB, 1)["all"] < base + 64 * MIB
