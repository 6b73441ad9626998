"""Where compiled kernels are kept: for each, a folder for exactly the sources that it is made of.

numba itself looks at a kernel's own file only, and would go on with what it compiled of a changed file that
the kernel calls. Nothing here happens before a kernel is compiled or loaded for the first time.

What is kept are pickles, so only folders are used that nobody but their owner and root can write to: the one
that NUMBA_CACHE_DIR names, else the first that works of the installation's own, the user's and the system's
temporary one; else every process compiles anew. An entry that cannot be loaded, or stored, costs one
compilation and is never fatal.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numba
from numba.core import caching

from tensorcodecs import sources

_config: Any = numba.config
_notes: dict[str, None] = {}


def notes() -> tuple[str, ...]:
    """Return what its user should know of the cache in this process so far, a line each; mostly nothing."""
    return tuple(_notes)


@functools.cache
def base_folder() -> Path | None:
    """Return the folder in which every kernel's folder lies; None where there is none that works."""
    if _config.CACHE_DIR:
        folders = [Path(_config.CACHE_DIR)]
    else:
        folders = [Path(__file__).parent / "__pycache__"]
        with contextlib.suppress(RuntimeError):  # nobody's home is known
            folders.append(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "squeezemark")
        owner = os.getuid() if hasattr(os, "getuid") else "user"
        folders.append(Path(tempfile.gettempdir()) / f"squeezemark-kernels-{owner}")
    refused: list[str] = []
    for folder in folders:
        if not (reason := _unusable(folder)):
            if refused:
                _note(f"kernels are cached in {folder}: {'; '.join(refused)}")
            return folder
        refused.append(reason)
    why = "; ".join(refused)
    _note(f"kernels are not cached but compiled in every process: {why}; NUMBA_CACHE_DIR can name a folder")
    return None


def _unusable(folder: Path) -> str:
    """Why kernels cannot be kept in the folder, which is made where it is missing; empty where they can."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return _untrusted(folder)
    except OSError as error:
        return f"{folder} cannot be written to ({error.strerror or error})"


def _untrusted(folder: Path) -> str:
    """Why what lies in the folder may not be loaded; empty where it may."""
    found = folder.stat()
    if hasattr(os, "getuid") and found.st_uid not in (0, os.getuid()):
        return f"{folder} belongs to another user"
    return f"{folder} can be written to by everybody" if found.st_mode & stat.S_IWOTH else ""


def _note(line: str) -> None:
    _notes[line] = None


@functools.cache
def digest(module: str) -> str:
    """Return 12 hexadecimal digits of all that the kernels of `module` are made of."""
    found = hashlib.sha256(f"{numba.__version__} {_config.BOUNDSCHECK}".encode())
    for name in sorted({*sources.made_of(module), __name__, __package__}):
        found.update(sources.content(name))
    return found.hexdigest()[:12]


class _Folder:
    """numba's locator of a kernel's entries; the folder's name says which sources they are of."""

    def __init__(self, function: types.FunctionType, file: str) -> None:
        self._py_file = file  # numba's warnings name it
        self._line = function.__code__.co_firstlineno
        self._digest = digest(function.__module__)

    @classmethod
    def from_function(cls, function: types.FunctionType, file: str) -> Self:
        return cls(function, file)

    def get_cache_path(self) -> str:
        return str((base_folder() or Path()) / f"kernels-{self._digest}")

    def ensure_cache_path(self) -> None:
        Path(self.get_cache_path()).mkdir(mode=0o700, parents=True, exist_ok=True)

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Entries(caching.CompileResultCacheImpl):
    _locator_classes = [_Folder]  # noqa: RUF012 - as numba has it


class _Files(caching.Cache):
    _impl_class = _Entries  # type: ignore[assignment]  # numba: None


class KernelCache(caching.NullCache):
    """The cache of one kernel; it looks for its folder when the kernel is first compiled or loaded."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @functools.cached_property
    def _files(self) -> Any:  # noqa: ANN401 - numba's
        return _Files(self._function) if base_folder() else None  # type: ignore[no-untyped-call]

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401 - numba's
        """Return what is kept for the signature; None where it is to be compiled."""
        if self._files is None:
            return None
        try:
            return self._files.load_overload(sig, target_context)
        except Exception as error:  # noqa: BLE001 - a damaged pickle raises anything
            what = f"damaged entries of the kernel cache {base_folder()}"
            _note(f"{what} are compiled anew ({type(error).__name__})")
            with contextlib.suppress(OSError):
                self._files.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ANN401 - numba's
        """Keep what was compiled for the signature, if the disk takes it."""
        if self._files is None:
            return
        try:
            self._files.save_overload(sig, data)
        except OSError as error:
            _note(f"the kernel cache {base_folder()} takes no more ({error.strerror or error})")
