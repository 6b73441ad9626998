"""Hooks that leave a user's loop as it is; calls of a layer that move nothing to be read. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.fx._symbolic_trace as fx
from torch.jit._trace import is_tracing


class Hook:
    """A hook of a module, which stays with it: in a copy of the model, or a pickled one, it does nothing."""

    def __init__(self, function: Callable[..., None], *arguments: object) -> None:
        self._function = function
        self._arguments = arguments

    def __call__(self, *call: object) -> None:
        """Call the function with the arguments from its making, and behind them those of the hook."""
        if not torch.compiler.is_compiling():  # else the compiler would trace all the way into HDF5
            self._function(*self._arguments, *call)

    def __deepcopy__(self, _memo: object) -> Callable[..., None]:
        return _nothing

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[()]]:
        return _do_nothing, ()


def _do_nothing() -> Callable[..., None]:
    return _nothing


def _nothing(*_: object) -> None:
    """What is left of a hook in a copy of its module."""


def aside() -> str:
    """Why the present call of a layer moves no values that can be read; empty where it does."""
    return next((reason for reason, is_so in _ASIDES if is_so()), "")


def _has_fake_mode() -> bool:
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None


def _is_in_graph() -> bool:
    # Copying to the CPU would spoil the graph.
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return False
    return torch.cuda.is_current_stream_capturing()


_ASIDES: tuple[tuple[str, Callable[[], bool]], ...] = (
    ("torch.jit traces it", is_tracing),
    ("torch.fx traces it", lambda: fx._is_fx_tracing_flag),
    (
        "it runs inside a transform of torch.func, where values cannot be read",
        lambda: torch._C._functorch.peek_interpreter_stack() is not None,
    ),
    ("it runs on fake tensors, which have no values", _has_fake_mode),
    ("it becomes part of a CUDA graph", _is_in_graph),
)
