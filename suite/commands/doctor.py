"""What `suite doctor` says: what is installed, what machine this is, and what will make times unreliable."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from suite import machine, runfile
from suite.measuring import clock, conditions, memory, workers
from tensorcodecs import kernels, registry

WATCH_S = 1.0
"""So long the cores are watched for what others do."""
FREE_DISK_MIN_BYTES = 2 << 30
"""A run over the standard corpus writes some tens of megabytes; a disk this full soon fails something."""
CPU_FEATURES = ("sse4_2", "avx2", "avx512f", "bmi2", "sha_ni", "asimd", "sve")
THREAD_VARIABLES = tuple(workers.SINGLE_THREAD)
QUIET_GOVERNORS = ("performance", None)

Table = tuple[str, list[str], list[list[str]]]
"""Title, header, rows."""


@dataclass(frozen=True)
class Finding:
    """Everything that was found out; `notes` are good to know, `doubts` will make times unreliable."""

    tables: list[Table]
    doubts: list[str]
    notes: tuple[str, ...] = ()

    def verdict(self) -> str:
        """One line."""
        if self.doubts:
            return "times measured here now will be UNRELIABLE: " + "; ".join(self.doubts)
        return "nothing found that would make times unreliable"


def examine(folder: Path) -> Finding:
    """Look at this machine and at the disk that `folder` is on, for a second in which cores are watched."""
    before = conditions.usage()
    probes = [min(conditions.probe())]
    time.sleep(WATCH_S)
    probes.append(min(conditions.probe()))
    facts = {**conditions.snapshot(), **conditions.shares(before, conditions.usage()), "probe_s": probes}
    facts["core"] = conditions.choose_core()
    free_bytes = shutil.disk_usage(_existing(folder)).free
    tables = [
        ("Codecs", ["name", "version", "family"], _codecs()),
        ("Packages", ["package", "version"], [list(item) for item in machine.versions().items()]),
        ("Machine", ["what", "is"], _machine()),
        ("Now", ["what", "is"], [*_now(facts), ["free disk", f"{free_bytes / 2**30:.1f} GiB at {folder}"]]),
    ]
    return Finding(tables, _doubts(facts, free_bytes), kernels.notes())


def _codecs() -> list[list[str]]:
    rows = []
    for name in registry.names():
        try:
            cls = registry.codec_class(name)
            rows.append([name, str(getattr(cls, "version", "unknown")), registry.family(name)])
        except registry.NotInstalledError as error:
            rows.append([name, "–", str(error)])
    return rows


def _machine() -> list[list[str]]:
    facts = machine.describe()
    caches = [f"L{level} {kind.lower()} {size >> 10} KiB" for level, kind, size in clock.caches()]
    limit = "in force" if memory.is_limitable() else "not in force: this system does not count private memory"
    return [
        *([key.replace("_", " "), str(value)] for key, value in facts.items()),
        ["CPU features", " ".join(_features()) or "unknown"],
        ["cached kernels", str(kernels.base_folder() or "nowhere: every process compiles")],
        ["caches of a core", ", ".join(caches) or f"unknown; {clock.CACHE_BYTES_UNKNOWN >> 20} MiB assumed"],
        [
            "memory limit of a cell",
            f"{memory.default_limit_bytes(machine.usable_cores()) / 2**30:.1f} GiB, {limit}",
        ],
        [
            "threads set here (workers always: 1)",
            ", ".join(f"{n}={os.environ.get(n, 'unset')}" for n in THREAD_VARIABLES),
        ],
    ]


def _features() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    words = next((set(line.split()) for line in lines if line.startswith(("flags", "Features"))), set())
    return [feature for feature in CPU_FEATURES if feature in words]


def _now(facts: runfile.Facts) -> list[list[str]]:
    shown = {
        "load of the last minute": facts["load_1min"],
        "frequency": f"{facts['mhz_min']} to {facts['mhz_max']} MHz" if facts["mhz_max"] else None,
        "governor": facts["governor"],
        "steal": _percent(facts.get("steal_share")),
        "other programs": _percent(facts.get("others_share")),
        "core for times": facts["core"],
    }
    return [
        [key, "the system does not tell" if value is None else str(value)] for key, value in shown.items()
    ]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%} of the cores' time, over {WATCH_S:g} s"


def _doubts(facts: runfile.Facts, free_bytes: int) -> list[str]:
    doubts = machine.noise(facts)
    if facts["governor"] not in QUIET_GOVERNORS:
        doubts.append(f"the governor is {facts['governor']!r}: frequencies change; 'performance' keeps them")
    if facts["load_1min"] is not None and facts["load_1min"] > 0.5 * (os.cpu_count() or 1):
        doubts.append(f"the load of the last minute is {facts['load_1min']}, on {os.cpu_count()} cores")
    if machine.usable_cores() == 1:
        doubts.append("there is one core alone, which the timed codec shares with everything else")
    if free_bytes < FREE_DISK_MIN_BYTES:
        doubts.append(f"the disk has {free_bytes / 2**30:.1f} GiB left")
    return doubts


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path())
