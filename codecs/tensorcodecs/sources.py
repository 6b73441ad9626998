"""The source files that a module is made of: its own, and those of its package that it imports.

What was compiled, or timed, is of these files; a digest of them tells whether it still is. Nothing is run.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Collection
from pathlib import Path


def made_of(module: str, leave_out: Collection[str] = ()) -> tuple[str, ...]:
    """Return `module` and all modules of its top-level package that it imports, near or far, sorted.

    Modules in `leave_out`, and what only they import, are not among them.
    """
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imported(name) - set(leave_out)
    return tuple(sorted(found))


@functools.cache
def content(module: str) -> bytes:
    """Return the text of the module's file; empty where there is no such module, or it is built in."""
    path = _path(module)
    return path.read_bytes() if path else b""


@functools.cache
def _imported(name: str) -> frozenset[str]:
    """The modules of its own package that the module called `name` imports."""
    path = _path(name)
    if path is None or path.suffix != ".py":
        return frozenset()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found.update((base, *(f"{base}.{alias.name}" for alias in node.names)))
    top = name.partition(".")[0]
    return frozenset(m for m in found if m.partition(".")[0] == top and _path(m))


@functools.cache
def _path(name: str) -> Path | None:
    """The module's file; None where there is no such module, or it is built in."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # its parent is no package
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None
