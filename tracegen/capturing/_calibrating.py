"""Calibration: the ranges that activations have over a few passes, before any is captured. Needs torch."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from tracegen.capturing._hooking import Hook, aside
from tracegen.capturing._layers import Layer
from tracegen.capturing._recomputing import backward_pass
from tracegen.capturing.tensors import joined, named_tensors, range_of, unreadable
from tracegen.corpus.recording import Recorder


class Calibration:
    """Observes the first `passes` of each layer; keeps a range for each of its outputs, never a tensor."""

    def __init__(self, recorder: Recorder, layers: Iterable[Layer], passes: int) -> None:
        self._recorder = recorder
        self._passes = passes
        self._seen: Counter[str] = Counter()
        self._handles: list[RemovableHandle] = []
        for layer in layers:
            if layer.is_called and passes:
                hook = Hook(self._observe, layer)
                with contextlib.suppress(RuntimeError):  # a scripted module's: it is noted as never called
                    self._handles.append(layer.module.register_forward_hook(hook))

    def remove(self) -> None:
        """Remove the hooks."""
        while self._handles:
            self._handles.pop().remove()

    def _observe(self, layer: Layer, _module: nn.Module, _inputs: Any, output: object) -> None:  # noqa: ANN401
        if backward_pass() is not None or aside() or self._seen[layer.path] >= self._passes:
            return
        self._seen[layer.path] += 1
        for key, tensor in named_tensors(output):
            found = None if unreadable(tensor) or not tensor.numel() else range_of(tensor)
            if found:
                self._recorder.widen(joined(layer.name, key), found)
