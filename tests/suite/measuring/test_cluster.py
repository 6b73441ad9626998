"""Runs on a real scheduler with real worker processes, on loopback."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support import command, environment, write_corpus

from suite import machine, results
from suite.measuring import cluster
from suite.measuring.cluster import ClusterError, Demand
from suite.plan import make_subject
from tracegen.corpus import Corpus

pytest.importorskip("distributed")
pytestmark = pytest.mark.timeout(240)
CODECS = "raw,zstd:level=1,faulty.slow,faulty.dies,zvc"


def dask(log, *arguments):
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *map(str, arguments)],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        )


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def address_of(process, log):
    while not (found := re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    return found[1]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    log = tmp_path_factory.mktemp("scheduler") / "log"
    process = dask(log, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    yield address_of(process, log)
    end(process)


@pytest.fixture
def workers(scheduler, tmp_path):
    options = ("--nthreads", "1", "--no-dashboard", "--local-directory", tmp_path / "dask")
    started = []

    def start(n, *more):
        log = tmp_path / f"log-{len(started)}"
        started.extend(dask(log, "worker", scheduler, *options, *more) for _ in range(n))
        return started

    yield start
    for process in started:
        end(process)


def start_run(corpus, out, *options):
    arguments = ("--corpus", corpus, "--out", out, "--codecs", CODECS, "--no-timing", "--no-page", *options)
    return subprocess.Popen(
        command("suite", "run", *arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_records(folder, at_least, process):
    journal = folder / "journal.jsonl"
    while not journal.exists() or journal.read_bytes().count(b"\n") < at_least:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_cluster_that_loses_workers_gives_what_a_local_run_gives(
    scheduler, workers, corpus_folder, tmp_path
):
    local = start_run(corpus_folder, tmp_path / "local", "--jobs", "2")
    processes = workers(2, "--no-nanny")
    far = start_run(corpus_folder, tmp_path / "far", "--cluster", scheduler)
    wait_for_records(tmp_path / "far", 8, far)
    end(processes[0])
    workers(1)  # it comes under a nanny, in the middle of the run
    _, stderr = far.communicate(timeout=120)
    assert far.returncode == 0, stderr
    _, stderr_local = local.communicate(timeout=120)
    assert local.returncode == 0, stderr_local
    tables = [
        results.read(tmp_path / name).drop("codec_cpu_s", "peak_memory_bytes") for name in ("local", "far")
    ]
    assert_frame_equal(*tables, check_exact=True)
    died = tables[1].filter(pl.col("codec") == "faulty.dies")
    assert set(died["reason"]) == {"its process died (SIGSEGV)"}
    for suffix in ("md", "csv", "tex", "html"):
        name = f"leaderboard.{suffix}"
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "far" / name).read_bytes()


def test_a_cell_goes_back_to_the_queue_however_often_its_workers_die(monkeypatch):
    """A worker's death is a cell handed out again, not a failed row; but not for ever."""
    from distributed import KilledWorker

    class Future:
        status = "error"

        def add_done_callback(self, call):
            call(self)

        def result(self, timeout):
            raise KilledWorker("cell", None, 3)

    class Client:
        submitted = 0

        def submit(self, *_, **__):
            self.submitted += 1
            return Future()

        def cancel(self, *_, **__):
            pass

    client = Client()
    pool = cluster.Cluster(client, "tcp://x:1", None)
    with pytest.raises(ClusterError, match="workers die again and again with one cell: net/a"):
        list(cluster.run_cells(pool, 1, len, [("a", ("net/a",))], 1.0))
    assert client.submitted == 1 + cluster.LOST_MAX


def fit_demand(folder):
    with Corpus.open(folder) as corpus:
        return Demand("start", folder, corpus.digest, tuple(sorted(machine.versions().items())))


def test_a_worker_without_the_same_corpus_or_codecs_is_named(corpus_folder, tmp_path):
    zvc = make_subject("zvc")
    fit = fit_demand(corpus_folder)
    assert not cluster._unfit(fit, (zvc,))
    other = write_corpus(tmp_path / "other", name="other", traces=None)
    unlike = [
        (replace(fit, corpus=tmp_path / "none"), (), "has not the corpus: no corpus at"),
        (replace(fit, corpus=other, digest="0" * 64), (), "has another corpus at"),
        (replace(fit, versions=(("numpy", "0.1"),)), (), r"has numpy .*, not 0.1"),
        (fit, (replace(zvc, version="9"),), "has zvc:block_bytes=64 in version 1, not 9"),
        (fit, (replace(zvc, spec="zst"),), "has not the codec zst"),
        (fit, (replace(zvc, state_file=tmp_path / "s"),), "does not see the run's folder"),
    ]
    for demand, subjects, message in unlike:
        assert re.match(message, cluster._unfit(demand, subjects))


def test_a_run_ends_with_a_line_where_a_worker_is_unfit(scheduler, workers, corpus_folder, monkeypatch):
    workers(1, "--no-nanny")
    with Corpus.open(corpus_folder) as corpus:
        monkeypatch.setattr(corpus, "digest", "0" * 64)
        message = r"worker tcp://\S+ has another corpus at"
        with pytest.raises(ClusterError, match=message), cluster.connect(scheduler, corpus, ()):
            pass


def test_a_cluster_without_workers_is_given_up(scheduler, corpus_folder, monkeypatch):
    monkeypatch.setattr(cluster, "WORKERLESS_S", 0.2)
    with (
        Corpus.open(corpus_folder) as corpus,
        pytest.raises(ClusterError, match=r"no worker at tcp://\S+ for 0.2 s"),
        cluster.connect(scheduler, corpus, ()),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "message"),
    [("nowhere", "no scheduler's address 'nowhere'"), ("tcp://127.0.0.1:9", "no scheduler answers")],
)
def test_a_wrong_address_is_one_line(address, message, corpus_folder, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with (
        Corpus.open(corpus_folder) as corpus,
        pytest.raises(ClusterError, match=message),
        cluster.connect(address, corpus, ()),
    ):
        pass


def test_a_missing_package_is_one_line_with_the_hint(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"needs the package distributed: pip install .*cluster"):
        cluster.check("tcp://127.0.0.1:8786")
