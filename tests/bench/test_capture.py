"""What capturing costs: `pytest tests/bench/test_capture.py --benchmark-group-by=group`.

A training step without capture, captured whole, and what writing the same bytes to HDF5 alone takes: h5py
with the corpus's filters, and without any. Nothing is asserted about seconds: machines differ.
"""

import shutil

import h5py
import pytest

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tracegen.corpus import Corpus  # noqa: E402

nn = torch.nn
GROUP = "capture a training step"


@pytest.fixture
def step():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more of them wait for each other on a busy machine
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 256, 10)),
    )
    inputs, targets = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))

    def step():
        model.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()

    step.model = model
    step()
    yield step
    torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path):
    """Return a folder that `setup` empties before each round."""
    return tmp_path / "corpus"


def emptied(folder):
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def captured(step, folder):
    with tracegen.capture(step.model, folder):
        step()


def test_training_step(benchmark, step):
    benchmark.group = GROUP
    benchmark.pedantic(step, rounds=5)


def test_training_step_captured(benchmark, step, folder):
    benchmark.group = GROUP
    benchmark.pedantic(captured, (step, folder), setup=emptied(folder), rounds=3)
    with Corpus.open(folder) as corpus:
        benchmark.extra_info["raw_bytes"] = sum(trace.raw_bytes for trace in corpus.traces)
        benchmark.extra_info["traces"] = len(corpus.traces)


def test_hooks_that_capture_nothing_more(benchmark, step, folder):
    """Time a step inside the block after the passes that are captured are over."""
    benchmark.group = GROUP
    with tracegen.capture(step.model, folder, roles=("activations", "errors", "gradients")):
        step()
        benchmark.pedantic(step, rounds=5)


@pytest.mark.parametrize("filters", ["plain", "gzip-9 and shuffle"])
def test_the_same_bytes_to_hdf5_alone(benchmark, step, folder, tmp_path, filters):
    benchmark.group = GROUP
    captured(step, folder)
    with Corpus.open(folder) as corpus:
        arrays = [corpus.read(trace) for trace in corpus.traces]
    options = {} if filters == "plain" else {"compression": "gzip", "compression_opts": 9, "shuffle": True}

    def write():
        with h5py.File(tmp_path / "alone.h5", "w") as h5:
            for number, array in enumerate(arrays):
                chunks = {"chunks": array.shape} if options else {}
                h5.create_dataset(str(number), data=array, **options, **chunks)

    benchmark.pedantic(write, rounds=3)
