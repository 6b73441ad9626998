"""Two kills of the torture tier, and that it sees what it is there for."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future

import pytest
from pebble import ProcessExpired
from pebble.pool.process import PoolManager
from support import REPOSITORY, environment

from suite.measuring import workers

LIMITS = workers.Limits(20.0)
SCRIPT = REPOSITORY / "tests/torture/run.py"


@pytest.fixture(scope="module")
def torture():
    spec = importlib.util.spec_from_file_location("torture_run", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(300)
def test_killed_runs_end_as_undisturbed_ones(tmp_path):
    command = [sys.executable, SCRIPT, "--kills", "2", "--seed", "3"]
    done = subprocess.run(
        command, env=environment() | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 kills")


def test_a_lost_and_a_doubled_record_are_seen(torture, tmp_path):
    lines = [json.dumps({"record": "size", "trace": name, "codec": "raw"}).encode() for name in "ab"]
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join([*lines, b'{"cut']))
    assert torture.check(lines[:1], tmp_path) == lines
    (tmp_path / "journal.jsonl").write_bytes(lines[1] + b"\n")
    with pytest.raises(torture.BrokenError, match="are gone"):
        torture.check(lines[:1], tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join([*lines, lines[0], b""]))
    with pytest.raises(torture.BrokenError, match="there twice"):
        torture.check(lines, tmp_path)


def test_a_pool_outlives_processes_that_die_with_nothing_to_do(monkeypatch):
    monkeypatch.setattr(workers, "STALL_S", 5.0)  # it may die with the pipe's lock
    with workers.worker_pool(1) as pool:
        [(_, first, *_)] = workers.run_cells(pool, 1, os.getpid, [("cell", ())], LIMITS)
        os.kill(first, signal.SIGKILL)
        [(_, second, reason, _)] = workers.run_cells(pool, 1, os.getpid, [("cell", ())], LIMITS)
    assert reason is None
    assert second != first


def test_a_task_whose_process_died_before_it_was_heard_to_have_taken_it_ends(monkeypatch):
    heard = PoolManager.process_next_message
    late = lambda manager, timeout: (time.sleep(1.0), heard(manager, timeout))  # noqa: E731
    monkeypatch.setattr(PoolManager, "process_next_message", late)
    with workers.worker_pool(1) as pool:
        error = pool.schedule(os._exit, args=(7,), timeout=5.0).exception(timeout=60.0)
    assert isinstance(error, ProcessExpired)
    assert error.exitcode == 7


class Foreign:
    """What no other process can make again."""

    def __reduce__(self):
        return (__import__, ("not_there",))


def test_what_no_process_can_import_costs_its_batch_alone():
    cells = [("a", (Foreign(),)), ("b", ([1, 2],))]
    with workers.worker_pool(1) as pool:
        outcomes = {cell: why for cell, _, why, _ in workers.run_cells(pool, 1, len, cells, LIMITS)}
    assert outcomes == {"a": "ModuleNotFoundError: No module named 'not_there'", "b": None}


def test_a_task_that_is_never_heard_of_again_is_done_by_fresh_processes(monkeypatch):
    monkeypatch.setattr(workers, "STALL_S", 5.0)
    with workers.worker_pool(1) as pool:
        schedule = pool.schedule
        lost = iter([Future()])
        monkeypatch.setattr(pool, "schedule", lambda *a, **k: next(lost, None) or schedule(*a, **k))
        outcomes = list(workers.run_cells(pool, 1, len, [("a", ("ab",))], workers.Limits(1.0)))
    assert [outcome[:3] for outcome in outcomes] == [("a", 2, None)]


def test_a_machine_where_no_process_answers_ends_the_run(monkeypatch):
    monkeypatch.setattr(workers, "STALL_S", 0.1)
    with workers.worker_pool(1) as pool:
        monkeypatch.setattr(pool, "schedule", lambda *_, **__: Future())
        with pytest.raises(workers.WorkersLostError):
            list(workers.run_cells(pool, 1, len, [("a", ("ab",))], workers.Limits(0.1)))
