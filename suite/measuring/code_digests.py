"""Which code a time is of: a digest of what a codec's calls run, so that a faster kernel is timed anew.

A codec's version says what its sizes depend on. Its times depend on more: its own module and all that this
imports of its package, the packages under it, and how we read the clock.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Iterable, Iterator

from numcodecs.abc import Codec

from suite import machine
from suite.measuring import clock, measure
from suite.plan import NOT_INSTALLED, Subject
from tensorcodecs import registry, sources

_PACKAGES = ("numpy", "numba", "llvmlite", "numcodecs")
_LISTS = frozenset({"tensorcodecs.registry"})
"""Modules that name codecs and run none: another name there makes no codec slower."""


def digests(subjects: Iterable[Subject]) -> dict[str, str]:
    """For each spec that can be timed, 12 hexadecimal digits of the sources that run then."""
    timed = [s.spec for s in subjects if s.kind == "software" and s.version != NOT_INSTALLED]
    return {spec: _digest(registry.get_codec(spec)) for spec in timed}


def _digest(codec: Codec) -> str:
    modules = {name for part in _parts(codec) for name in sources.made_of(type(part).__module__, _LISTS)}
    found = hashlib.sha256(_harness())
    for name in sorted(modules):
        found.update(sources.content(name))
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
