"""Which code a time is of: a digest of what a codec's calls run, so that a faster kernel is timed anew.

A codec's version says what its sizes depend on. Its times depend on more: its own module and all that this
imports of its package, the packages under it, and how we read the clock.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from numcodecs.abc import Codec

from suite import clock, machine, measure
from suite.plan import NOT_INSTALLED, Subject
from tensorcodecs import registry

_PACKAGES = ("numpy", "numba", "llvmlite", "numcodecs")
_LISTS = frozenset({"tensorcodecs.registry"})
"""Modules that name codecs and run none: another name there makes no codec slower."""


def digests(subjects: Iterable[Subject]) -> dict[str, str]:
    """For each spec that can be timed, 12 hexadecimal digits of the sources that run then."""
    timed = [s.spec for s in subjects if s.kind == "software" and s.version != NOT_INSTALLED]
    return {spec: _digest(registry.get_codec(spec)) for spec in timed}


def _digest(codec: Codec) -> str:
    modules: set[str] = set()
    todo = [type(part).__module__ for part in _parts(codec)]
    while todo:
        name = todo.pop()
        if name not in modules:
            modules.add(name)
            todo += _imported(name)
    found = hashlib.sha256(_harness())
    for name in sorted(modules):
        found.update(_content(name))
    return found.hexdigest()[:12]


def _parts(codec: Codec) -> Iterator[Codec]:
    """The codec, and every codec that it calls: stages, and what blocks are coded with."""
    yield codec
    for value in vars(codec).values():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(item, Codec):
                yield from _parts(item)


@functools.cache
def _harness() -> bytes:
    versions = machine.versions()
    code = (inspect.getsource(clock), inspect.getsource(measure.measure_time))
    return "\0".join((*(versions[name] for name in _PACKAGES), *code)).encode()


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
    return frozenset(m for m in found - _LISTS if m.partition(".")[0] == top and _path(m))


@functools.cache
def _path(name: str) -> Path | None:
    """The module's file; None where there is no such module, or it is built in."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # its parent is no package
        return None
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


@functools.cache
def _content(name: str) -> bytes:
    path = _path(name)
    return path.read_bytes() if path else b""
