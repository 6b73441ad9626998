"""Activation checkpointing: which calls of a layer recompute, and which pass they belong to. Needs torch.

A checkpoint runs its layers in the forward pass and again in the backward pass. With `use_reentrant=False`
errors flow through the graph of the first run, and the second gives nothing new. With `use_reentrant=True`
(and the checkpoints of DeepSpeed and Megatron, which are made alike) the first run has no graph: errors flow
through that of the second, in a backward pass inside the backward pass.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from types import FrameType
from weakref import WeakKeyDictionary

import torch
from torch.autograd.function import FunctionCtx
from torch.utils import checkpoint

_UNPACKING = "unpack_hook"  # what runs the layers again where a checkpoint is not reentrant


class Recomputations:
    """Links the calls that recompute to the passes that they belong to.

    The passes wait in their checkpoint's context, in the order of its calls, and go with it: checkpoints are
    recomputed in the order of the backward pass, what is in one of them in the order of the forward pass.
    """

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[FunctionCtx, dict[str, deque[str | None]]] = WeakKeyDictionary()
        self._outermost: WeakKeyDictionary[FunctionCtx, int] = WeakKeyDictionary()

    def wait(self, layer: str, suffix: str | None) -> None:
        """Let the pass that was counted now wait for being recomputed, if it is inside a checkpoint."""
        around = [] if torch.is_grad_enabled() else [context for _, context in _running()]
        if around:
            self._push(around[-1], layer, suffix)

    def recomputed(self, layer: str) -> str | None:
        """The suffix of the pass whose errors will come through the present call of the layer.

        None where none will: the pass is not captured, has its errors already, or is recomputed once more
        inside another checkpoint.
        """
        inner = None
        for what, context in _running():
            if what == "forward":
                inner = context
                continue
            self._note_outermost(context)
            waiting = self._waiting.get(context, {}).get(layer)
            if not waiting:
                return None
            suffix = waiting.popleft()
            if inner is None:
                return suffix
            self._push(inner, layer, suffix)
            return None
        return None

    def outermost_backward_pass(self) -> int | None:
        """The number of the backward pass that the user called, from inside whichever a checkpoint runs."""
        backward = [context for what, context in _running() if what == "backward"]
        return self._outermost.get(backward[-1], backward_pass()) if backward else backward_pass()

    def _push(self, context: FunctionCtx, layer: str, suffix: str | None) -> None:
        self._waiting.setdefault(context, {}).setdefault(layer, deque()).append(suffix)

    def _note_outermost(self, context: FunctionCtx) -> None:
        number = self.outermost_backward_pass()
        if context not in self._outermost and number is not None:
            self._outermost[context] = number


def backward_pass() -> int | None:
    """The number of the backward pass that runs in this thread, the innermost of several; None for none."""
    number: int = torch._C._current_graph_task_id()
    return None if number < 0 else number


def in_checkpoint() -> bool:
    """Whether this is the first run inside a reentrant checkpoint, which has no graph."""
    return not torch.is_grad_enabled() and next(_running(), None) is not None


def _running() -> Iterator[tuple[str, FunctionCtx]]:
    """The autograd functions around this call, the innermost first: "forward" or "backward", and its context.

    Ends where layers are run again by a checkpoint that is not reentrant: what is around it is not its
    caller but the backward pass.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == _UNPACKING and code.co_filename == checkpoint.__file__:
            return
        # Methods are passed over: looking at the locals of a frame keeps them until it returns.
        if code.co_name in ("forward", "backward") and code.co_varnames[:1] != ("self",):
            context = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
            if isinstance(context, FunctionCtx):
                yield code.co_name, context
        frame = frame.f_back
