"""What a corpus from a stranger may not do: reach out of its folder, run code, ask for memory without bound.

Each function says what is wrong, as the end of a sentence, or nothing (an empty string). All is decided
from headers, before a byte of data is read or memory for it is taken.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from tensorcodecs.arrays import resolve_dtype

MAX_MANIFEST_BYTES = 256 << 20
MAX_TRACE_BYTES = 8 << 30
"""Or half of this machine's memory, if that is less: whoever measures a trace holds several copies of it."""
MAX_CHUNK_BYTES = 256 << 20
MAX_CHUNKS = 1 << 20
MAX_DIMENSIONS = 32
MAX_NAME = 199
"""Characters of a name: with what is put around it, it stays below the 255 bytes of a file's."""
MAX_ATTRIBUTES = 1024
MAX_ATTRIBUTE_BYTES = 64 << 20

BUILT_IN_FILTERS = frozenset({h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32})
_NUMBERS = (h5py.h5t.INTEGER, h5py.h5t.FLOAT)
_LAYOUTS = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_TRACE_NAME = re.compile(r"[A-Za-z0-9_.+-]+/[A-Za-z0-9_.+-]+/[a-z]+/[A-Za-z0-9_.+@-]+")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, directions of writing, halves of pairs, separators of lines."""
_HARMLESS = frozenset("\n\t\u200c\u200d")
_NAMES = ("model", "role", "layer", "dtype", "pruning", "phase", "precision", "split")


def max_trace_bytes() -> int:
    """Raw bytes that a trace may have on this machine."""
    try:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on every system
        return MAX_TRACE_BYTES
    return min(MAX_TRACE_BYTES, memory_bytes // 2)


def wrong_header(data: Mapping[str, Any]) -> str:
    """What is wrong with a manifest's facts of the corpus itself: name and version become folders' names."""
    for key in ("name", "version"):
        if wrong := wrong_name(data[key]):
            return f"{key} {data[key]!r:.60} {wrong}"
    return next((f"{text!r:.60} {wrong}" for text in _texts(data) if (wrong := wrong_text(text))), "")


def wrong_name(name: object, length_max: int | None = MAX_NAME) -> str:
    """What is wrong with a name that becomes a file's or, without `length_max`, a part of a trace's name."""
    if not isinstance(name, str):
        return "is no string and no legal name"
    if length_max is not None and len(name) > length_max:
        return f"is no legal name: it has {len(name)} characters; legal are {length_max}"
    is_legal = _NAME.fullmatch(name)
    return "" if is_legal else "is no legal name: it may hold letters, digits and _ . + - only"


def wrong_text(text: object) -> str:
    """What is wrong with a text: characters that would act on a terminal instead of being shown.

    New lines, tabs, and the two joiners that emojis and some scripts need are none of these.
    """
    if not isinstance(text, str):
        return "is no string"
    for character in text:
        if unicodedata.category(character) in _ACTING and character not in _HARMLESS:
            named = f"U+{ord(character):04X} {unicodedata.name(character, 'a control character')}"
            return f"holds {named}: control characters act instead of being shown"
    return ""


def wrong_trace(row: Mapping[str, Any]) -> str:
    """What is wrong with a manifest's row of a trace, of either version."""
    if not isinstance(row["name"], str) or not _TRACE_NAME.fullmatch(row["name"]):
        return f"trace {row['name']!r} has no legal name"
    for key in _NAMES:
        value = row.get(key, "none")
        if wrong := wrong_name(value, MAX_NAME if key == "model" else None):
            return f"{key} {value!r:.60} of {row['name']!r:.60} {wrong}"
    if row["name"].partition("/")[0] != row["model"] or ".." in row["name"].split("/"):
        return f"trace {row['name']!r} is not of model {row['model']!r}"
    if not _SHA256.fullmatch(row["sha256"]):
        return f"sha256 {row['sha256']!r} of {row['name']!r} is no digest"
    sparsity = row["sparsity"]
    if isinstance(sparsity, bool) or not isinstance(sparsity, (int, float)) or not 0 <= sparsity <= 1:
        return f"sparsity {sparsity!r} of {row['name']!r} is not in [0, 1]"
    return _wrong_shape(row)


def _wrong_shape(row: Mapping[str, Any]) -> str:
    shape = row["shape"]
    extents = [n for n in shape if isinstance(n, int) and not isinstance(n, bool) and 0 < n < 1 << 62]
    if len(extents) != len(shape) or len(shape) > MAX_DIMENSIONS:
        return f"shape {shape!r:.100} of {row['name']!r} is none"
    try:
        n_bytes = math.prod(extents) * resolve_dtype(row["dtype"]).itemsize
    except ValueError as error:
        return str(error)
    limit = max_trace_bytes()
    return f"{row['name']!r} claims {n_bytes} bytes; a trace has at most {limit} here" * (n_bytes > limit)


def _texts(data: Any) -> Iterator[str]:  # noqa: ANN401 - whatever JSON holds
    """All texts in it, keys included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for item in data.items():
            yield from _texts(list(item))
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)


def wrong_content(path: Path) -> str:
    """What is wrong with a file that is only a pointer to the one that was meant."""
    with path.open("rb") as file:
        is_pointer = file.read(len(_LFS_POINTER)) == _LFS_POINTER
    return "is a Git LFS pointer and not the file itself: run 'git lfs pull'" if is_pointer else ""


def wrong_file(root: Path, path: Path) -> str:
    """What is wrong with a file's place: its name or a symbolic link may lead out of the folder `root`."""
    home, target = root.resolve(), path.resolve()
    if target.is_relative_to(home) or _is_in_own_store(home, target):
        return ""
    link = "is a symbolic link that" if path.is_symlink() else ""
    return f"{link} leads out of the corpus's folder, to {target}: put a copy of it there".strip()


def _is_in_own_store(home: Path, target: Path) -> bool:
    """Whether the file lies where a store of its user's own keeps what the folder `home` links to.

    The cache of huggingface_hub has blobs/ beside the snapshots/; git-annex keeps objects in the repository.
    """
    if hasattr(os, "getuid") and target.stat().st_uid not in (os.getuid(), 0):
        return False
    folders = (home, *home.parents)
    hubs = (folder.parent / "blobs" for folder in folders if folder.name == "snapshots")
    annexes = (folder / ".git" / "annex" / "objects" for folder in folders)
    return any(target.is_relative_to(store) for store in (*hubs, *annexes))


def open_file(path: Path) -> h5py.File:
    """Open an HDF5 file for reading; from then on HDF5 loads no filters from plug-in folders.

    No lock is taken: file systems that cannot lock are read, too, and nobody is kept from writing.
    """
    while h5py.h5pl.size():
        h5py.h5pl.remove(0)
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "flag values don't match" not in str(error):
            raise
        return h5py.File(path, "r")  # this very process has it open, with locks


def is_lock(error: OSError) -> bool:
    """Whether a file could not be opened because it is locked, or open elsewhere for writing."""
    return any(word in str(error).lower() for word in ("lock", "already open for"))


def wrong_link(file: h5py.File, path: str) -> str:
    """What is wrong on the way to the object at `path`: only hard links are followed.

    Raises KeyError where there is nothing.
    """
    group = file
    for name in path.strip("/").split("/"):
        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise KeyError(f"nothing at {path}")
        if not isinstance(link, h5py.HardLink):
            return f"is reached by a {type(link).__name__}"
        group = group[name]
    return ""


def wrong_dataset(dataset: h5py.Dataset) -> str:
    """What is wrong with a dataset's header: only numbers, stored in this very file, by built-in filters."""
    if dataset.id.get_type().get_class() not in _NUMBERS:
        return "holds no plain numbers"
    properties = dataset.id.get_create_plist()
    if properties.get_layout() not in _LAYOUTS or properties.get_external_count():
        return "has its data in other files"
    filters = {properties.get_filter(n)[0] for n in range(properties.get_nfilters())}
    if foreign := filters - BUILT_IN_FILTERS:
        return f"needs the filter {min(foreign)}, which is not HDF5's own"
    n_bytes = math.prod(dataset.shape) * dataset.id.get_type().get_size()
    if n_bytes > max_trace_bytes():
        return f"claims {n_bytes} bytes; a trace has at most {max_trace_bytes()} here"
    if properties.get_layout() == h5py.h5d.CHUNKED:
        chunk = properties.get_chunk()
        if math.prod(chunk) * dataset.id.get_type().get_size() > MAX_CHUNK_BYTES:
            return f"has chunks {chunk}, of more than {MAX_CHUNK_BYTES} bytes"
        n_chunks = math.prod(-(-n // part) for n, part in zip(dataset.shape, chunk, strict=True))
        if n_chunks > MAX_CHUNKS:
            return f"has {n_chunks} chunks; {MAX_CHUNKS} are allowed"
    return ""


def wrong_attributes(dataset: h5py.Dataset) -> str:
    """What is wrong with an object's attributes: too many, too large, or neither numbers nor texts."""
    count = h5py.h5a.get_num_attrs(dataset.id)
    if count > MAX_ATTRIBUTES:
        return f"has {count} attributes; {MAX_ATTRIBUTES} are allowed"
    for index in range(count):
        attribute = h5py.h5a.open(dataset.id, index=index)
        kind = attribute.get_type()
        if kind.get_class() not in (*_NUMBERS, h5py.h5t.STRING, h5py.h5t.ENUM):
            return f"has the attribute {attribute.name!r:.60} of a type that is not read"
        if attribute.get_storage_size() > MAX_ATTRIBUTE_BYTES:
            return f"has the attribute {attribute.name!r:.60} of more than {MAX_ATTRIBUTE_BYTES} bytes"
    return ""
