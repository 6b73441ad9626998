"""What machine this is: written beside every time, because a time means nothing without it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import zlib
from pathlib import Path
from typing import Any

PACKAGES = ("squeezemark", "numpy", "numba", "llvmlite", "numcodecs", "zstandard", "brotli", "h5py", "polars")


STEAL_MAX = 0.02
"""A larger share of the cores' time given by the host to other machines makes times unreliable."""
OTHERS_MAX = 0.05
"""As large a share of the cores' time spent by programs other than this run, likewise."""
DRIFT_MAX = 0.05
"""As large a change of a fixed piece of work's time, likewise."""


def describe() -> dict[str, Any]:
    """CPU, cores, memory, system and Python of this machine."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def identity(machine: dict[str, Any]) -> str:
    """A short digest of a machine's description: times of different identities never mix."""
    return hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Versions of everything that a result depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return {**found, "zlib": zlib.ZLIB_RUNTIME_VERSION}


def noise(conditions: dict[str, Any]) -> list[str]:
    """What makes times unreliable, in words; empty where nothing does."""
    found = []
    if conditions.get("steal_share", 0) > STEAL_MAX:
        found.append(f"the host took {conditions['steal_share']:.0%} of the cores' time away")
    if conditions.get("others_share", 0) > OTHERS_MAX:
        found.append(f"other programs used {conditions['others_share']:.0%} of the cores' time")
    first, *_, last = conditions.get("probe_s") or [1.0, 1.0]
    if abs(last / first - 1) > DRIFT_MAX:
        found.append(f"a fixed piece of work took {last / first - 1:+.0%} time at the end against the start")
    if conditions.get("core", 0) is None:
        found.append("this system lets no process keep a core")
    return found


def usable_cores() -> int:
    """Cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None
