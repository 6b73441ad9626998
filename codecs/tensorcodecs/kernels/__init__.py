"""Compiled inner loops: numba only, arrays in, arrays and numbers out.

numba checks no bounds. So a kernel that reads hostile data checks every index itself and answers with a
negative number, which its codec turns into a `DecodeError`.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

_dispatchers: list[Any] = []
_config: Any = numba.config
_IMPORT = re.compile(rf"^from {re.escape(__name__)}\.(\w+) import", re.MULTILINE)


@functools.cache
def _cache_folder(module: str) -> str:
    """A folder of compiled kernels for exactly the sources that the kernels of `module` are made of.

    numba itself looks at a kernel's own file only, and would go on with what it compiled of a changed file
    that the kernel calls.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _sources(here, module))).hexdigest()
    base = Path(_config.CACHE_DIR or here / "__pycache__")
    folder = base / f"kernels-{digest[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only installation, whose files do not change: numba finds a place of its own
        return str(_config.CACHE_DIR)
    return str(folder)


def _sources(here: Path, module: str) -> list[Path]:
    """The files of `module` and of all kernel modules that it imports, sorted."""
    found = {here / "__init__.py"}
    waiting = [module.rpartition(".")[2]]
    while waiting:
        path = here / f"{waiting.pop()}.py"
        if path not in found and path.exists():
            found.add(path)
            waiting += _IMPORT.findall(path.read_text(encoding="utf-8"))
    return sorted(found)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` at its first call for each set of types; cached on disk, runs without the GIL."""
    others_folder = _config.CACHE_DIR
    _config.CACHE_DIR = _cache_folder(function.__module__)
    try:
        dispatcher = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    finally:
        _config.CACHE_DIR = others_folder
    _dispatchers.append(dispatcher)
    return cast("Callable[P, R]", dispatcher)


def compile_counts() -> tuple[int, int]:
    """Return how many specialisations this process compiled, and how many it loaded from numba's cache."""
    stats = [dispatcher.stats for dispatcher in _dispatchers]
    compiled = sum(sum(stat.cache_misses.values()) for stat in stats)
    loaded = sum(sum(stat.cache_hits.values()) for stat in stats)
    return compiled, loaded
