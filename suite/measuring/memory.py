"""What memory this process holds: peaks, limits and leaks, by what the Linux kernel counts.

Elsewhere nothing is counted: peaks are None, and no limit holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

LIMIT_SHARE = 0.5
"""Of the machine's memory, the share that all workers together may add by default."""
LIMIT_BYTES_MIN = 1 << 30
LEAK_BYTES = 8 << 20
"""What a cell may leave behind unasked: caches, tables, compiled code. More is looked at."""
LEAK_CALLS = 2
"""A cache grows once, a leak with every call; so many calls tell them apart."""

_sound_bytes = 0
"""Held by this process when calls were last found not to leak: leaks add up, and pass it sooner or later."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_RESET_PEAK = b"5"
_DATA_FIELD = 5


def default_limit_bytes(jobs: int) -> int:
    """What one cell may add where `jobs` workers share the machine (or the container)."""
    return max(LIMIT_BYTES_MIN, int(LIMIT_SHARE * machine_bytes() / jobs))


def machine_bytes() -> int:
    """Memory of the machine, or of the container where that has less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(path).read_text(encoding="ascii")))
    return min(found, default=2 * LIMIT_BYTES_MIN)


@contextlib.contextmanager
def limited(limit_bytes: int | None) -> Iterator[None]:
    """Let this process add at most `limit_bytes` of private writable memory; then allocations fail.

    The kernel's data limit (RLIMIT_DATA, since Linux 4.7 of mappings too) is the right one of the three that
    there are: the address space's (RLIMIT_AS) also counts what numba, LLVM and malloc's arenas reserve and
    never touch, the resident set's is not enforced, and a watching thread can be outrun: a codec fills
    memory at gigabytes a second. It is set anew for each cell: a worker itself grows as it loads kernels.
    """
    held = held_bytes()
    if limit_bytes is None or held is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + limit_bytes
    resource.setrlimit(
        resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def is_limitable() -> bool:
    """Whether `limited` limits anything here."""
    return held_bytes() is not None


def held_bytes() -> int | None:
    """Private writable memory that this process holds, touched or not; None where nothing counts it."""
    statm = _open("/proc/self/statm")
    if statm is None:
        return None
    return int(os.pread(statm, 256, 0).split()[_DATA_FIELD]) * _PAGE_BYTES


def leaked_bytes(call: Callable[[], object], held_before: int | None) -> int:
    """What each further `call` leaves behind, in bytes, where more was than a cell may; else 0.

    What malloc keeps for a codec that is known not to leak is looked at once, not whenever it is back.
    """
    global _sound_bytes
    held = held_bytes()
    if held is None or held_before is None or held - max(held_before, _sound_bytes) <= LEAK_BYTES:
        return 0
    grown = []
    for _ in range(LEAK_CALLS):
        call()
        held, last = held_bytes() or 0, held
        grown.append(held - last)
        if grown[-1] <= LEAK_BYTES:
            _sound_bytes = held
            return 0
    return min(grown)


class Peak:
    """The most that the resident memory has grown by since this was made.

    malloc first gives back the free pages that it kept, which a call would else use again unseen. The kernel
    counts pages per core and adds up in lots, so figures are exact to a few hundred KiB.
    """

    def __init__(self) -> None:
        self._before: int | None = None
        reset = _open("/proc/self/clear_refs", os.O_WRONLY)
        if reset is not None:
            _trim()
            with contextlib.suppress(OSError):
                os.write(reset, _RESET_PEAK)
                self._before = _status_bytes("VmRSS")

    def grown_bytes(self) -> int | None:
        """The growth so far; None where the kernel does not tell."""
        peak = _status_bytes("VmHWM") if self._before is not None else None
        return None if peak is None or self._before is None else max(0, peak - self._before)


def keep_freed_memory() -> bool:
    """Have malloc keep what is freed for the next call, touched as it is; False where it cannot be told.

    So the kernel's work of handing out zeroed pages, which differs between machines and with the size of a
    result, is in no timing after the warm-up.
    """
    malloc = _libc()
    if malloc is None or not hasattr(malloc, "mallopt"):
        return False
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD, M_MMAP_MAX of glibc's malloc.h
    return bool(malloc.mallopt(trim_threshold, 2**31 - 1) and malloc.mallopt(mmap_max, 0))


def _trim() -> None:
    libc = _libc()
    if libc is not None and hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def _status_bytes(key: str) -> int | None:
    status = _open("/proc/self/status")
    found = re.search(rb"%s:\s*(\d+) kB" % key.encode(), os.pread(status, 4096, 0)) if status else None
    return int(found[1]) * 1024 if found else None


@functools.cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


@functools.cache
def _open(path: str, flags: int = os.O_RDONLY) -> int | None:
    """Opened once in each process: these are read for every cell. Spawned workers do not inherit it."""
    try:
        return os.open(path, flags)
    except OSError:
        return None
