"""`.pt`, `.pth`, `.bin`, `.ckpt`: what `torch.save` wrote, by torch's weights-only loader. Needs torch."""

from __future__ import annotations

import contextlib
import pickle
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracegen.capturing._roles import place
from tracegen.capturing.formats.base import Stored
from tracegen.corpus import CorpusError
from tracegen.progress import need

if TYPE_CHECKING:
    from torch import Tensor

MAX_DEPTH = 64
"""Mappings and lists in each other."""
# What every optimiser of torch.optim puts into its `state_dict()`.
_OPTIMISER_STATE = {"state", "param_groups"}


@contextlib.contextmanager
def open_torch(path: Path) -> Iterator[Sequence[Stored]]:
    """Open what `torch.save` wrote; raises CorpusError where it is more than plain tensors."""
    need(f"reading {path.suffix} files", "torch")
    loaded = _load(path)
    buffers = _said_buffers(loaded)
    tensors = [
        _stored(keys or (path.stem,), tensor, buffers, in_optimiser=in_optimiser)
        for keys, tensor, in_optimiser in _tensors(loaded, path)
    ]
    if not tensors:
        raise CorpusError(f"{path} holds no tensor")
    yield tensors


def _load(path: Path) -> object:
    import torch

    try:
        # Mapped where the file allows it, so that only what is kept is read.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        OSError,
    ) as error:
        raise CorpusError(f"{path} holds no plain tensors that torch can load: {_why(error)}") from error


def _why(error: Exception) -> str:
    """What torch's loader, which unpickles nothing but tensors, found; and the way out where there is one."""
    if found := re.search(r"GLOBAL ([\w.]+)|class ([\w.]+) ", str(error)):
        what = found[1] or found[2]
        return f"it holds a {what}, and only tensors are read: save model.state_dict(), or tensors by name"
    return (str(error).split(". ")[0].splitlines() or [type(error).__name__])[0]


def _said_buffers(loaded: object) -> Collection[str]:
    """The names that DeepSpeed's files say are buffers."""
    said = loaded.get("buffer_names") if isinstance(loaded, Mapping) else None
    return frozenset(map(str, said)) if isinstance(said, list | tuple) else frozenset()


def _tensors(
    value: object,
    path: Path,
    keys: tuple[str, ...] = (),
    seen: dict[int, object] | None = None,
    *,
    in_optimiser: bool = False,
) -> Iterator[tuple[tuple[str, ...], Tensor, bool]]:
    """The tensors in nested mappings and lists, their keys, and whether an optimiser's state is around them.

    A container that stands in several places, or in itself, is looked into once.
    """
    from torch import Tensor

    seen = {} if seen is None else seen
    if isinstance(value, Tensor):
        yield keys, value, in_optimiser
        return
    items: Sequence[tuple[Any, object]] = ()
    if isinstance(value, Mapping):
        items = list(value.items())
        in_optimiser = in_optimiser or value.keys() >= _OPTIMISER_STATE
    elif isinstance(value, tuple | list):
        items = list(enumerate(value))
    if not items or seen.setdefault(id(value), keys) != keys:
        return
    if len(keys) == MAX_DEPTH:
        raise CorpusError(f"{path} is nested more than {MAX_DEPTH} deep: save plain state dicts")
    for key, item in items:
        yield from _tensors(item, path, (*keys, str(key)), seen, in_optimiser=in_optimiser)


def _stored(keys: tuple[str, ...], tensor: Tensor, buffers: Collection[str], *, in_optimiser: bool) -> Stored:
    from tracegen.capturing.tensors import array_of, identity_of, trace_dtype, unreadable

    refusal = unreadable(tensor)
    return Stored(
        ".".join(keys),
        place(keys, in_optimiser=in_optimiser, buffers=buffers),
        tuple(tensor.shape),
        None if refusal else trace_dtype(tensor),
        read=partial(array_of, tensor),
        identity=identity_of(tensor),
        refusal=refusal,
    )
