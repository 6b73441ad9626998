"""Damaged frames and what becomes of them: what the fuzz tier's worker processes run."""

from __future__ import annotations

import itertools
import mmap
import random
import resource
import struct
import time
from pathlib import Path

import ml_dtypes
import numpy as np

from tensorcodecs import anycodec, registry
from tensorcodecs.base import DecodeError

SLOT_BYTES = 1 << 20
"""The frame at work lies in a mapped file, so that it outlives a process that it kills."""
MEMORY_BYTES = 1 << 30
"""Address space that decoding may add to what a warm process has."""
HUGE = (2**31, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
FAILURES_KEPT = 3

_ready: dict[str, tuple] = {}


def samples():
    """Arrays to damage frames of: each width, floats, sparse, constant, dead channels, empty; below 3 KiB."""
    mixed = (np.arange(600, dtype=np.uint64) * 2654435761 >> 7) % 1009
    sparse = np.where(mixed % 5 < 3, 0, mixed)
    floats = np.random.default_rng(5).normal(0, 0.02, 500)
    return (
        np.zeros(0, np.uint8),
        np.zeros(300, np.uint16),
        np.bitwise_count(mixed).astype(np.uint8),
        sparse.astype(np.uint8),
        (sparse * 37).astype(np.int16),
        np.repeat(sparse[:60], 9).astype(np.int32),
        (mixed[:301] + (1 << 40)).astype(np.uint64),
        floats.astype(np.float32).reshape(20, 25),
        np.where(np.arange(25) % 5, floats.reshape(20, 25), 0.5).astype(np.float32),
        np.where(mixed[:500] % 3, 0, floats).astype(np.float16),
        floats.astype(ml_dtypes.bfloat16),
        (floats * 90).astype(ml_dtypes.float8_e4m3fn),
    )


def prepare(spec):
    """Compile, bound the memory, return (codec, its valid frames); once for each codec and process."""
    if spec not in _ready:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        codec = registry.get_codec(spec)
        frames = []
        for array in samples():
            try:
                frame = bytes(anycodec.encode_array(codec, array))
            except TypeError:  # a type that it does not take
                continue
            anycodec.decode_bytes(codec, frame, array.nbytes)
            frames.append(frame)
        _ready[spec] = (codec, frames)
        used_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = used_pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    return _ready[spec]


def measure_rate(spec):
    """Frames each second, roughly, of undamaged ones: a crash would be no batch's finding here.

    Raises where the codec cannot be made, or fails undamaged.
    """
    codec, frames = prepare(spec)
    start = time.perf_counter()
    for done, frame in enumerate(itertools.cycle(frames), start=1):  # noqa: B007
        survives(codec, frame)
        if (elapsed_s := time.perf_counter() - start) > 0.1:
            break
    return done / elapsed_s


def run_batch(spec, seed, batch, count, slot):
    """Decode `count` damaged frames; returns how many were refused, and the failures (reason, frame).

    Which frames these are depends on (spec, seed, batch) alone.
    """
    codec, frames = prepare(spec)
    damaged = damaged_frames(frames, random.Random(f"{seed}/{spec}/{batch}"))  # noqa: S311 - as above
    refused, failures = 0, {}
    with slot.open("r+b") as file, mmap.mmap(file.fileno(), SLOT_BYTES) as at_work:
        for frame in itertools.islice(damaged, count):
            at_work[: 4 + len(frame)] = struct.pack("<I", len(frame)) + frame
            problem = survives(codec, frame)
            refused += problem == ""
            if problem and len(failures) < FAILURES_KEPT:
                failures.setdefault(problem, frame)
        at_work[:4] = bytes(4)
    return refused, list(failures.items())


def frame_in(slot):
    """The frame that a dead process was at; None where it was at none."""
    data = slot.read_bytes()
    length = struct.unpack_from("<I", data)[0]
    return data[4 : 4 + length] if length else None


def survives(codec, frame):
    """None where `frame` decodes, "" where it is refused as it should be, else what went wrong."""
    try:
        codec.decode(frame)
    except DecodeError:
        return ""
    except Exception as error:  # noqa: BLE001 - any other error is the finding
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:120]}"
    return None


def damaged_frames(frames, rng):
    """Endless damaged frames: flips, truncations, splices, noise, edges of numbers, huge counts."""
    while True:
        frame = bytearray(rng.choice(frames))
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            rng.choice(DAMAGES)(frame, rng, frames)
        yield bytes(frame[: SLOT_BYTES - 4])


def _flip(frame, rng, _):
    if frame:
        frame[_early(frame, rng)] ^= 1 << rng.randrange(8)


def _truncate(frame, rng, _):
    del frame[rng.randrange(len(frame) + 1) :]


def _splice(frame, rng, frames):
    other = rng.choice(frames)
    at = rng.randrange(len(frame) + 1)
    frame[at:] = other[rng.choice((at, rng.randrange(len(other) + 1))) :]


def _noise_behind(frame, rng, _):
    frame[rng.randrange(min(len(frame), 12) + 1) :] = rng.randbytes(rng.randrange(300))


def _noise(frame, rng, _):
    frame[:] = rng.randbytes(rng.randrange(300))


def _edge_byte(frame, rng, _):
    if frame:
        frame[_early(frame, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))


def _huge_varint(frame, rng, _):
    value, varint = rng.choice(HUGE), bytearray()
    while value >= 0x80:
        varint.append(value & 0x7F | 0x80)
        value >>= 7
    varint.append(value)
    at = rng.randrange(min(len(frame), 8) + 1)
    frame[at : at + rng.randrange(3)] = varint


def _huge_word(frame, rng, _):
    n_bytes = rng.choice((2, 4, 8))
    word = struct.pack("<Q", rng.choice((*HUGE, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1)))[:n_bytes]
    at = rng.randrange(len(frame) + 1)
    frame[at : at + rng.choice((0, n_bytes))] = word


def _delete(frame, rng, _):
    at = rng.randrange(len(frame) + 1)
    del frame[at : at + rng.randrange(1, 9)]


def _repeat(frame, rng, _):
    at = rng.randrange(len(frame) + 1)
    frame[at:at] = frame[at : at + rng.randrange(1, 33)]


def _early(frame, rng):
    """A position, half of the time among the first bytes, where headers are."""
    return rng.randrange(len(frame) if rng.random() < 0.5 else min(len(frame), 16))


DAMAGES = (
    *(_flip, _flip, _truncate, _splice, _noise_behind, _noise),
    *(_edge_byte, _huge_varint, _huge_word, _delete, _repeat),
)
