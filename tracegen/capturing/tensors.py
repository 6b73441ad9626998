"""Tensors on their way into a corpus: their bits, their names, which are one and the same. Needs torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import (
    _disable_current_modes,
    _get_current_dispatch_mode,
    is_traceable_wrapper_subclass,
)

from tensorcodecs.arrays import Array
from tracegen.corpus.recording import Captured, Recorder, layer_name

# By a tensor's dtype: the words that torch hands to numpy, and what their bits mean.
_DTYPES = {
    **{
        getattr(torch, name): (getattr(torch, name), np.dtype(name))
        for name in (
            *("float64", "float32", "float16", "int64", "int32", "int16", "int8"),
            *("uint64", "uint32", "uint16", "uint8"),
        )
    },
    torch.bfloat16: (torch.uint16, np.dtype(ml_dtypes.bfloat16)),
    torch.float8_e4m3fn: (torch.uint8, np.dtype(ml_dtypes.float8_e4m3fn)),
    torch.float8_e5m2: (torch.uint8, np.dtype(ml_dtypes.float8_e5m2)),
}


def record_weights(
    recorder: Recorder, tensors: Iterable[tuple[str, Tensor]], kinds: Mapping[str, str] | None = None
) -> None:
    """Record named parameters as `weights`; one that several names share, under its first name."""
    for name, tensor in distinct(tensors, lambda name, first: recorder.note(f"{name} shares {first}")):
        record(recorder, tensor, "weights", layer_name(name), "inference", (kinds or {}).get(name, ""))


def distinct(
    tensors: Iterable[tuple[str, Tensor]], shared: Callable[[str, str], None] = lambda _name, _first: None
) -> Iterator[tuple[str, Tensor]]:
    """Each tensor once, under its first name; `shared` is told every other name and that first one."""
    first_names: dict[object, str] = {}
    for name, tensor in tensors:
        key = identity_of(tensor)
        if first_names.setdefault(key, name) == name:
            yield name, tensor
        else:
            shared(name, first_names[key])


def identity_of(tensor: Tensor) -> Hashable:
    """What two tensors share that are one and the same in memory."""
    if unreadable(tensor) or not tensor.numel():
        return id(tensor)
    return (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)


def trace_dtype(tensor: Tensor) -> np.dtype[Any]:
    """What the bits of a readable tensor mean."""
    dtype: np.dtype[Any] = _DTYPES[tensor.dtype][1]
    return dtype


def unreadable(tensor: Tensor) -> str:
    """Why its values cannot be an array of a trace, as the end of a sentence; empty where they can."""
    if is_lazy(tensor):
        return "it is not initialised"
    if tensor.is_nested:
        return "it is nested"
    if tensor.layout is not torch.strided:
        return f"its layout is {_plain_name(tensor.layout)}"
    if tensor.is_meta:
        return "it is on the device meta, without values"
    if is_functorch_wrapped_tensor(tensor):
        return "it is inside a transform of torch.func, where values cannot be read"
    if isinstance(tensor, FakeTensor):
        return "it is a fake tensor, without values"
    if is_traceable_wrapper_subclass(tensor):
        return f"it is a {type(tensor).__name__}, which consists of other tensors"
    return "" if tensor.dtype in _DTYPES else f"{_plain_name(tensor.dtype)} is no dtype of a trace"


def _plain_name(of: object) -> str:
    return str(of).removeprefix("torch.")


def array_of(tensor: Tensor, kept: tuple[slice, ...]) -> Array:
    """What of the tensor is kept, as a numpy array with the same bits."""
    words, dtype = _DTYPES[tensor.dtype]
    with _unseen():
        bits: Array = tensor.detach()[kept].cpu().contiguous().resolve_neg().view(words).numpy()
    return bits.view(dtype)


def _unseen() -> contextlib.AbstractContextManager[object]:
    """A context whose operations no mode of the user's sees, such as a checkpoint that saves some of them."""
    is_seen = _get_current_dispatch_mode() is not None
    return _disable_current_modes() if is_seen else contextlib.nullcontext()


def record(recorder: Recorder, tensor: Tensor, role: str, layer: str, phase: str, kind: str = "") -> None:
    """Record a tensor's bits, cut before they are copied; what torch cannot show is noted."""
    reason = unreadable(tensor)
    if not reason:
        kept, attributes = recorder.cut(tensor.shape, tensor.element_size())
        try:
            array = array_of(tensor, kept)
        except (RuntimeError, TypeError) as error:  # a subclass of somebody's, no memory left, ...
            reason = "torch cannot read it: " + str(error).partition("\n")[0]
    if reason:
        recorder.note(f"{role}/{layer} skipped: {reason}")
        return
    whole = range_of(tensor) if attributes and recorder.facts.precisions else None
    recorder.add(Captured(array, role, layer, phase, attributes, kind, whole))


def range_of(tensor: Tensor) -> tuple[float, float] | None:
    """The least and the greatest value of a floating-point tensor; None of any other."""
    if not tensor.is_floating_point():
        return None
    with _unseen():
        low, high = tensor.detach().float().aminmax()
    return low.item(), high.item()


def named_tensors(value: object, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested tuples, lists and mappings, named by index and key, such as `1.hidden`."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from named_tensors(item, joined(name, str(key)))
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from named_tensors(item, joined(name, str(index)))


def joined(*parts: str) -> str:
    """A dotted name of the parts that are not empty."""
    return ".".join(part for part in parts if part)
