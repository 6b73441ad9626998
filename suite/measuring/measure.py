"""Measuring one cell. These functions run in worker processes and return plain records.

Sizes and times are two measurements that never mix: `measure_size` encodes, decodes and compares bit by
bit, on as many cores as there are; `measure_time` runs alone, afterwards, and keeps every repeat.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import math
import operator
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import hwmodels
from suite.journal import Record
from suite.measuring import clock, fitting, in_worker, memory
from suite.measuring.reference import zero_aware_order0
from suite.plan import Subject
from tensorcodecs import anycodec, arrays, kernels, registry
from tensorcodecs.base import TooLargeError
from tracegen.corpus import Corpus, CorpusError, TraceInfo

Array = npt.NDArray[Any]

DAMAGED = "damaged"
"""Marks a record whose trace, not whose codec, is at fault."""

SLICE_VALUES = 1 << 24
"""Values whose errors are computed together."""


def warm_up(subject: Subject) -> tuple[int, int, tuple[str, ...]]:
    """Compile every kernel that the subject needs.

    Returns the kernels compiled, those loaded from the cache, and what this process knows of the cache.
    """
    before = kernels.compile_counts()
    with contextlib.suppress(registry.NotInstalledError):  # then its cells say so
        _warm_instance(subject)
    after = kernels.compile_counts()
    return after[0] - before[0], after[1] - before[1], kernels.notes()


def load_all(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """Load all that the subjects need into this worker, so that no cell's seconds hold that.

    Returns what the worker knows of the cache of kernels.
    """
    for subject in subjects:
        with contextlib.suppress(Exception):  # its cells say why
            _warm_instance(subject)
    return kernels.notes()


def learn(root: Path, subject: Subject) -> bytes:
    """The state that a subject which has none yet learns, on all profile traces of the corpus."""
    corpus = _corpus(root)
    return bytes(_instance(subject).fit(corpus.read(trace) for trace in fitting.lessons(corpus)))


def measure_reference(root: Path, trace: TraceInfo) -> Record:
    """The trace's reference columns."""
    try:
        reference = zero_aware_order0(_load(root, trace))
    except CorpusError as error:
        return _damaged(error)
    return {
        "reference_bits": reference.bits,
        "reference_form": reference.form,
        "zero_fraction": reference.zero_fraction,
    }


def measure_size(root: Path, trace: TraceInfo, subject: Subject, peak: bool = False) -> Record:
    """Encode, decode, compare: the size fields of one cell, with its status and reason.

    What the subject learned is not charged yet: `coded_bits` are those of the frame. With `peak`,
    peak memory is counted too.
    """
    try:
        pristine = _load(root, trace)
    except CorpusError as error:
        return _damaged(error)
    try:
        codec = _warm_instance(subject)
    except registry.NotInstalledError as error:
        return _not_ok("skipped", str(error))
    except MemoryError:
        raise  # `isolation` knows the limit
    except Exception as error:  # noqa: BLE001 - whatever a codec raises is its row's reason
        return _not_ok("failed", f"warm-up raised {in_worker.one_line(error)}")
    held = memory.held_bytes()
    record = _round_trip(codec, trace, subject, pristine, peak)
    if record["status"] == "ok":
        leaked = memory.leaked_bytes(lambda: _round_trip(codec, trace, subject, pristine), held)
        if leaked:
            in_worker.spoil("leak")
            return _not_ok("failed", f"keeps {leaked / 2**20:.0f} MiB more after every call: it leaks")
    return record


def _round_trip(
    codec: Any,  # noqa: ANN401 - as `_instance` gives it
    trace: TraceInfo,
    subject: Subject,
    pristine: Array,
    peak: bool = False,
) -> Record:
    # The codec gets its own copy: some overwrite their input, and that must be seen.
    work = pristine.copy()
    raw = arrays.raw_bytes(pristine)
    grown = memory.Peak() if peak else None
    start = time.process_time()
    try:
        coded = anycodec.encode_array(codec, work)
    except TypeError as error:
        return _not_ok("skipped", f"does not take {trace.dtype}: {in_worker.one_line(error)}")
    except TooLargeError as error:
        return _not_ok("skipped", str(error))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - likewise
        return _not_ok("failed", f"encode raised {in_worker.one_line(error)}")
    cpu_s = time.process_time() - start
    if not np.array_equal(arrays.raw_bytes(work), raw):
        in_worker.spoil("overwrote")
        return _not_ok("failed", "encode overwrote its input")
    del work  # decoding needs no second copy beside it
    frame = arrays.raw_bytes(coded)
    frame_before = frame.copy()
    start = time.process_time()
    try:
        decoded = anycodec.decode_bytes(codec, coded, raw.size)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - likewise
        return _not_ok("failed", f"decode raised {in_worker.one_line(error)}")
    record: Record = {"codec_cpu_s": cpu_s + time.process_time() - start}
    record["peak_memory_bytes"] = grown.grown_bytes() if grown else None
    if not np.array_equal(frame, frame_before):
        in_worker.spoil("overwrote")
        return _not_ok("failed", "decode overwrote its input")
    exact = np.array_equal(decoded, raw)
    if subject.lossless and not exact:
        return _not_ok("failed", _difference(decoded, raw))
    record |= {
        "status": "ok",
        "reason": subject.unfitted,
        "bit_exact": exact,
        "coded_bits": 8 * frame.size,
    }
    if not subject.lossless:
        record |= _errors(decoded, pristine)
    if isinstance(codec, hwmodels.HardwareModel):
        start = time.process_time()
        record |= _hardware_sizes(codec, pristine)
        record["codec_cpu_s"] += time.process_time() - start
    return record


def measure_time(root: Path, trace: TraceInfo, subject: Subject, cold: bool = False) -> Record:
    """Every timed repeat of encoding and decoding one trace, in seconds, on the wall clock."""
    codec = _warm_instance(subject)
    work = _load(root, trace).copy()
    coded = anycodec.encode_array(codec, work)
    arrays_in: Iterator[arrays.ArrayOrBuffer] = clock.cold_copies(work) if cold else itertools.repeat(work)
    frames_in: Iterator[arrays.ArrayOrBuffer] = itertools.repeat(coded)
    if cold:
        frames_in = clock.cold_copies(arrays.raw_bytes(coded))
    gc.disable()
    try:
        # The codec's own calls alone: what it takes is made ready, and was compared, outside the clock.
        encode_s = clock.repeat(codec.encode, (anycodec.as_taken(codec, array) for array in arrays_in))
        decode_s = clock.repeat(codec.decode, frames_in)
    finally:
        gc.enable()
    prefix = "cold_" if cold else ""
    return {f"{prefix}encode_s": encode_s, f"{prefix}decode_s": decode_s}


def measure_cold_time(root: Path, trace: TraceInfo, subject: Subject) -> Record:
    """As `measure_time`, each call on a copy of its input that no cache of this core holds any more."""
    return measure_time(root, trace, subject, cold=True)


def _hardware_sizes(model: hwmodels.HardwareModel, array: Array) -> Record:
    sizes = model.sizes(array)
    return {
        "coded_bits": sizes.coded_bits,
        "effective_bits_32": sizes.effective_bits(32),
        "effective_bits_64": sizes.effective_bits(64),
        "decompress_cycles": model.decompress_cycles(array),
    }


def _errors(decoded: Array, pristine: Array) -> Record:
    # ml_dtypes' bfloat16 and float8 convert to float64 exactly, as do all floats up to 64 bits. Slices bound
    # the memory of large traces; those of the corpora so far are one, and their sums as ever.
    means, maxima, weights = [], [], []
    values, others = decoded.view(pristine.dtype), pristine.reshape(-1)
    for start in range(0, values.size, SLICE_VALUES):
        part = slice(start, start + SLICE_VALUES)
        difference = values[part].astype(np.float64) - others[part].astype(np.float64)
        means.append(float(np.mean(difference**2)))
        maxima.append(float(np.max(np.abs(difference))))
        weights.append(difference.size / values.size)
    return {"mse": math.fsum(map(operator.mul, means, weights)), "max_error": float(np.max(maxima))}


def _difference(decoded: Array, raw: Array) -> str:
    if decoded.size != raw.size:
        return f"decoded {decoded.size} bytes, not {raw.size}"
    first = int(np.argmax(decoded != raw))
    return f"decoded bytes differ from the trace's, first at byte {first}"


def _not_ok(status: str, reason: str) -> Record:
    return {"status": status, "reason": reason}


def _damaged(error: CorpusError) -> Record:
    return {**_not_ok("failed", f"damaged trace: {error}"), DAMAGED: True}


@functools.cache
def _instance(subject: Subject) -> Any:  # noqa: ANN401 - any numcodecs codec, or a hardware model
    get = hwmodels.get_model if subject.kind == "hardware" else registry.get_codec
    return fitting.with_state(get(subject.spec), subject)


@functools.cache
def _warm_instance(subject: Subject) -> Any:  # noqa: ANN401 - likewise
    """The instance after its kernels were compiled or loaded, so that no timing ever holds that."""
    codec = _instance(subject)
    if hasattr(codec, "warm_up"):  # foreign numcodecs codecs have none
        codec.warm_up()
    return codec


@functools.cache
def _corpus(root: Path) -> Corpus:
    return Corpus.open(root)


_loaded: dict[tuple[Path, TraceInfo], Array] = {}


def _load(root: Path, trace: TraceInfo) -> Array:
    """The trace; one is kept, since its cells follow each other, and let go before the next one is read."""
    if (root, trace) not in _loaded:
        _loaded.clear()
        array = _corpus(root).read(trace)
        array.setflags(write=False)
        _loaded[root, trace] = array
    return _loaded[root, trace]
