"""Under which conditions times were measured: who else used the machine, and did its clock hold still."""

from __future__ import annotations

import contextlib
import hashlib
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from suite.runfile import Facts

_PROBE_BYTES, _PROBE_REPEATS = 1 << 20, 25


@dataclass(frozen=True)
class Usage:
    """CPU seconds of all cores since the machine started; `own`: of this process and its children."""

    busy: float
    stolen: float
    total: float
    own: float


def usage() -> Usage | None:
    """The counters of now; None where the system has no /proc/stat."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    # user, nice, system, idle, iowait, irq, softirq, steal; guests' time is in user's already.
    ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in first.split()[1:9]]
    own = os.times()
    return Usage(
        busy=sum(ticks) - ticks[3] - ticks[4] - ticks[7],
        stolen=ticks[7],
        total=sum(ticks),
        own=own.user + own.system + own.children_user + own.children_system,
    )


def snapshot() -> Facts:
    """Load, frequency and governor of now; None for what the system does not tell."""
    frequencies = _frequencies_mhz()
    return {
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "mhz_min": min(frequencies, default=None),
        "mhz_max": max(frequencies, default=None),
        "governor": governor(),
    }


def governor() -> str | None:
    """Who sets the first core's frequency; None where the system (most virtual ones) does not tell."""
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _frequencies_mhz() -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return [round(float(line.partition(":")[2])) for line in lines if line.startswith("cpu MHz")]
    return []


def probe() -> list[float]:
    """Seconds of each repeat of a fixed piece of work in which memory has no part (SHA-256 of 1 MiB)."""
    block, seconds = bytes(_PROBE_BYTES), []
    for _ in range(_PROBE_REPEATS):
        start = time.perf_counter()
        hashlib.sha256(block).digest()
        seconds.append(time.perf_counter() - start)
    return seconds


class Watch:
    """Made before a time phase; tells after it how it was."""

    def __init__(self, core: int | None) -> None:
        self.core = core
        self.before, self.usage = snapshot(), usage()
        self.probes: list[float] = []

    def probed(self, seconds: list[float] | None) -> None:
        """The probe's times, once before and once after."""
        if seconds:
            self.probes.append(statistics.median(seconds))

    def facts(self) -> Facts:
        """For run.json; call it when all workers have ended: only then their CPU time is known as own."""
        facts: Facts = {"core": self.core, "before": self.before, "after": snapshot()}
        facts |= shares(self.usage, usage())
        if len(self.probes) > 1:
            facts["probe_s"] = self.probes
        return facts


def shares(before: Usage | None, after: Usage | None) -> Facts:
    """What the host and other programs had of the cores' time in between; empty where that is unknown."""
    if before is None or after is None or after.total <= before.total:
        return {}
    total = after.total - before.total
    others = (after.busy - before.busy) - (after.own - before.own)
    return {
        "steal_share": round((after.stolen - before.stolen) / total, 4),
        "others_share": round(max(0.0, others / total), 4),
    }


def choose_core() -> int | None:
    """The core to time on: the last one that we may use, since systems serve interrupts on the first ones."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else None


@contextlib.contextmanager
def away_from(core: int | None) -> Iterator[None]:
    """Keep this thread, and those that it starts, off `core` if there is another one."""
    if core is None:
        yield
        return
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, usable - {core} or usable)
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)
