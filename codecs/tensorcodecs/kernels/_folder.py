"""The folder in which compiled kernels are kept, and what its user should know of it.

What is kept there is machine code and pickles, so only folders are used that nobody but their owner and root
can write to: the one that NUMBA_CACHE_DIR names, else the first that works of the installation's own, the
user's and the system's temporary one; else every process compiles anew.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numba

_notes: dict[str, None] = {}
_PRIVATE = 0o700


def notes() -> tuple[str, ...]:
    """Return what its user should know of the cache in this process so far, a line each; mostly nothing."""
    return tuple(_notes)


def note(line: str) -> None:
    """Keep a line for `notes`; one that is there already stays one."""
    _notes[line] = None


@functools.cache
def base_folder() -> Path | None:
    """Return the folder in which every kernel's folder lies; None where there is none that works."""
    refused: list[str] = []
    for folder in _candidates():
        if not (reason := unusable(folder)):
            if refused:
                note(f"kernels are cached in {folder}: {'; '.join(refused)}")
            if others := _who_can_replace(folder):
                note(f"kernels are cached in {folder}, which {others} can replace")
            return folder
        refused.append(reason)
    why = "; ".join(refused)
    note(f"kernels are not cached but compiled in every process: {why}; NUMBA_CACHE_DIR can name a folder")
    return None


def _candidates() -> Iterator[Path]:
    if named := str(numba.config.CACHE_DIR):  # type: ignore[attr-defined]  # set from the environment
        yield Path(named)
    yield Path(__file__).parent / "__pycache__"
    with contextlib.suppress(RuntimeError):  # nobody's home is known
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "squeezemark"
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    with contextlib.suppress(OSError):  # there is no temporary folder at all
        yield Path(tempfile.gettempdir()) / f"squeezemark-kernels-{owner}"


def unusable(folder: Path) -> str:
    """Why kernels cannot be kept in the folder, which is made where it is missing; empty where they can."""
    try:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return _untrusted(folder)
    except OSError as error:
        return f"{folder} cannot be written to ({error.strerror or error})"


def _untrusted(folder: Path) -> str:
    """Why what lies in the folder may not be loaded; empty where it may."""
    if not hasattr(os, "getuid"):  # modes of folders say nothing there
        return ""
    found = folder.stat()
    if found.st_uid not in (0, os.getuid()):
        return f"{folder} belongs to another user"
    if found.st_mode & stat.S_IWOTH:
        return f"{folder} can be written to by everybody"
    if folder.is_symlink() and folder.parent.stat().st_mode & stat.S_IWOTH:
        return f"{folder} is a link that anybody may have made"
    return ""


def _who_can_replace(folder: Path) -> str:
    """The others that can put another folder, or others' entries, in this one's place; empty: nobody."""
    if not hasattr(os, "getuid"):
        return ""
    for place in (folder.resolve(), folder.resolve().parent):
        found = place.stat()
        if found.st_uid not in (0, os.getuid()):
            return f"the user {found.st_uid}"
        if found.st_mode & stat.S_ISVTX:  # as /tmp: everybody may write, nobody may replace
            continue
        if found.st_mode & stat.S_IWOTH:
            return "everybody"
        if found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid):
            return f"the group {found.st_gid}"
    return ""


def _is_own_group(number: int) -> bool:
    """Whether this is the user's own group, which nobody else is in: many systems make one for each user."""
    import grp  # not on every system
    import pwd

    try:
        group, user = grp.getgrgid(number), pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return False
    return group.gr_name == user and not set(group.gr_mem) - {user}
