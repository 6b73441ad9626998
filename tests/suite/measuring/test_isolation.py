"""A codec's fault costs its own cells: the others are measured, in a worker that is sound."""

import subprocess

import polars as pl
import pytest
from cells import pid_after, take
from support import command, environment

from suite import results
from suite.measuring import memory, workers

pytestmark = pytest.mark.timeout(240)
GIB = 1 << 30


def run_all(function, arguments, jobs=1, timeout_s=60.0, memory_bytes=None):
    """Outcomes by the cell's number."""
    cells = [(number, argument) for number, argument in enumerate(arguments)]
    limits = workers.Limits(timeout_s, memory_bytes)
    with workers.worker_pool(jobs) as pool:
        return {cell: rest for cell, *rest in workers.run_cells(pool, jobs, function, cells, limits)}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("dies", "its process died (SIGABRT)"),
        ("exits", "its process died (exit code 75)"),
        ("hangs", "no result within 2 s; its process was killed"),
    ],
)
def test_a_worker_that_ends_in_a_batch_takes_no_other_cell_along(what, reason):
    whats = ["fine"] * 60
    whats[37] = what
    outcomes = run_all(pid_after, [(w,) for w in whats], timeout_s=2.0)
    assert outcomes.pop(37)[:2] == [None, reason]
    assert len(outcomes) == 59
    assert {why for _, why, _ in outcomes.values()} == {None}
    assert len({pid for pid, _, _ in outcomes.values()}) == 2, "one worker before it, another one after it"


def test_a_spoilt_worker_is_replaced_before_the_next_cell():
    outcomes = run_all(pid_after, [("fine",), ("spoils",), ("fine",), ("fine",)])
    pids = [outcomes[number][0] for number in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_an_exception_costs_one_cell_and_no_worker():
    outcomes = run_all(pid_after, [("fine",), ("raises",), ("quits",), ("fine",)])
    assert [why for _, why, _ in map(outcomes.get, range(4))] == [
        *(None, "RuntimeError: no such luck", "SystemExit: 3", None),
    ]
    assert outcomes[0][0] == outcomes[3][0]


@pytest.mark.skipif(not memory.is_limitable(), reason="no limit holds on this system")
def test_a_cell_may_add_what_the_limit_says_and_no_more():
    outcomes = run_all(take, [(GIB // 2,), (2 * GIB,), (GIB // 2,)], memory_bytes=GIB)
    assert outcomes[0][:2] == outcomes[2][:2] == [GIB // 2, None]
    assert outcomes[1][:2] == [None, "ran out of memory: a cell may add 1 GiB (--memory-limit)"]


FAULTS = {
    "faulty.takes-memory": "ran out of memory: a cell may add 0.25 GiB (--memory-limit)",
    "faulty.leaks": "keeps 12 MiB more after every call: it leaks",
    "faulty.overwrites": "encode overwrote its input",
    "faulty.overwrites-frame": "decode overwrote its input",
    "faulty.dies": "its process died (SIGSEGV)",
    "faulty.exits": "its process died (exit code 75)",
    "faulty.stubborn": "no result within 10 s; its process was killed",
}


@pytest.fixture(scope="module")
def faulty_run(corpus_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("faults") / "out"
    codecs = ",".join([*FAULTS, "faulty.caches", "zvc"])
    options = (
        "--select",
        "role=weights,sparsity=0",
        "--timeout",
        "10",
        "--memory-limit",
        "0.25",
        "--no-page",
    )
    arguments = command("suite", "run", "--corpus", corpus_folder, "--out", out, "--codecs", codecs, *options)
    done = subprocess.run(
        arguments, env=environment(), capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return results.read(out)


@pytest.mark.parametrize("codec", FAULTS)
def test_each_fault_costs_one_failed_row(faulty_run, codec):
    (row,) = faulty_run.filter(pl.col("codec") == codec).to_dicts()
    assert (row["status"], row["reason"]) == ("failed", FAULTS[codec])


def test_beside_the_faults_sound_codecs_are_measured(faulty_run):
    sound = faulty_run.filter(~pl.col("codec").is_in(list(FAULTS)))
    assert set(sound["codec"]) == {"raw", "zvc:block_bytes=64", "faulty.caches"}
    assert set(sound["status"]) == {"ok"}
    assert min(map(len, sound["encode_s"])) >= 1


def test_peak_memory_is_what_the_codec_took(faulty_run):
    peaks = dict(faulty_run.select("codec", "peak_memory_bytes").iter_rows())
    if peaks["raw"] is None:
        pytest.skip("this kernel does not tell peaks")
    assert peaks["raw"] < 4 << 20
    assert 11 << 20 <= peaks["faulty.caches"] < 16 << 20


def test_a_leak_passes_any_level_that_was_once_found_sound(monkeypatch):
    """What a codec keeps and gives back is looked at once; what another leaks adds up and is found."""
    held = [100 << 20]
    monkeypatch.setattr(memory, "held_bytes", lambda: held[0])
    monkeypatch.setattr(memory, "_sound_bytes", 0)
    looked = []

    def keeps():
        looked.append("keeps")
        held[0] = max(held[0], 130 << 20)

    def leaks():
        looked.append("leaks")
        held[0] += 12 << 20

    def found(call):
        before = held[0]
        call()
        return memory.leaked_bytes(call, before)

    assert found(keeps) == 0
    assert looked == ["keeps"] * 2, "one further call shows that it takes no more"
    held[0] = 100 << 20
    assert found(keeps) == 0
    assert looked == ["keeps"] * 3, "it is known"
    held[0] = 100 << 20
    assert [found(leaks), found(leaks), found(leaks)] == [0, 0, 0], "hidden beneath what the other one kept"
    assert found(leaks) == 12 << 20
