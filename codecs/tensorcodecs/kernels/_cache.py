"""How compiled kernels are kept: an entry for each kernel and set of types, in a folder of its sources.

numba's own cache looks at a kernel's own file only, and would go on with what it compiled of a changed
file that the kernel calls. And it takes what it finds for what it wrote: a flipped byte of machine code runs.
So here a folder's name tells all sources, and an entry begins with a SHA-256 of what it is for and what it
holds. Nothing of this happens before a kernel is compiled or loaded for the first time.

An entry that is damaged, or cannot be stored, costs one compilation and is never fatal.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import sys
import types
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba
from numba.core import caching, compiler, serialize

from tensorcodecs import sources
from tensorcodecs.kernels._folder import base_folder, note, unusable

_config: Any = numba.config
_DIGEST_BYTES = hashlib.sha256().digest_size


class DamagedEntryError(ValueError):
    """An entry is not what was written for this kernel and these types."""


@functools.cache
def digest(module: str) -> str:
    """Return 12 hexadecimal digits of all that the kernels of `module` are made of."""
    found = hashlib.sha256(f"{numba.__version__} {_config.BOUNDSCHECK}".encode())
    for name in sorted({*sources.made_of(module), __name__, __package__}):
        found.update(sources.content(name))
    return found.hexdigest()[:12]


@functools.cache
def _folder(name: str) -> Path | None:
    """The folder of that name for entries, made where it is missing; None where there is none to be had."""
    base = base_folder()
    if base is None:
        return None
    if reason := unusable(base / name):
        note(f"kernels of {base / name} are not cached: {reason}")
        return None
    return base / name


class KernelCache(caching.FunctionCache):
    """The cache of one kernel, for numba; it looks for its folder when the kernel is first called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._py_func = cast("types.FunctionType", function)  # of which numba's keys are made

    @property
    def cache_path(self) -> None:
        """Not told to numba's statistics, which ask kernels that are never called."""

    @property
    def _folder(self) -> Path | None:
        return _folder(f"kernels-{digest(self._py_func.__module__)}")

    def flush(self) -> None:
        """Nothing: an entry is replaced when its kernel is compiled again."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401 - numba's
        """Return what is kept for the signature; None where it is to be compiled."""
        target_context.refresh()
        if self._folder is None:
            return None
        try:
            path, identity = self._entry(self._folder, sig, target_context.codegen())
            reduced = pickle.loads(_read(path, identity))  # noqa: S301 - written by this user, as checked
            return compiler.CompileResult._rebuild(target_context, *reduced)  # type: ignore[no-untyped-call]
        except FileNotFoundError:
            return None
        except MemoryError:
            raise
        except DamagedEntryError:
            note(f"damaged entries of the kernel cache {base_folder()} are compiled anew")
        except Exception as error:  # noqa: BLE001 - whatever it is, the kernel can be compiled
            what = f"entries of the kernel cache {base_folder()} that cannot be loaded"
            note(f"{what} are compiled anew ({type(error).__name__})")
        return None

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ANN401 - numba's
        """Keep what was compiled for the signature, if the disk takes it."""
        if self._folder is None or data.lifted or data.library.has_dynamic_globals:  # holds addresses
            return
        try:
            path, identity = self._entry(self._folder, sig, data.codegen)
            _write(path, identity, serialize.dumps(data._reduce()))  # type: ignore[no-untyped-call]
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - likewise
            why = getattr(error, "strerror", None) or error
            note(f"the kernel cache {base_folder()} takes no more ({why})")

    def _entry(self, folder: Path, sig: Any, codegen: Any) -> tuple[Path, bytes]:  # noqa: ANN401 - numba's
        """The file for these types on this processor, and the SHA-256 of what it is for."""
        function, module = self._py_func.__qualname__, self._py_func.__module__
        key = self._index_key(sig, codegen)  # type: ignore[no-untyped-call]
        of = (folder.name, module, function, sys.implementation.cache_tag, key)
        identity = hashlib.sha256(repr(of).encode())
        name = f"{function.replace('<', '').replace('>', '')}-{identity.hexdigest()[:16]}.nbc"
        return folder / name, identity.digest()


def _read(path: Path, identity: bytes) -> bytes:
    """The content of the entry; DamagedEntryError unless it was written by `_write` with this identity."""
    entry = path.read_bytes()
    content = entry[_DIGEST_BYTES:]
    if entry[:_DIGEST_BYTES] != hashlib.sha256(identity + content).digest():
        raise DamagedEntryError(f"{path} is damaged")
    return content


def _write(path: Path, identity: bytes, content: bytes) -> None:
    """Put an entry into its place at once, whoever else reads or writes it."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}.part")
    try:
        part.write_bytes(hashlib.sha256(identity + content).digest() + content)
        os.replace(part, path)  # noqa: PTH105 - as atomic as can be
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
