"""Calibration: the ranges that activations have over a few passes, before any is captured. Needs torch."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

from torch import nn

from tracegen.capturing._layers import Layer
from tracegen.capturing._recomputing import backward_pass
from tracegen.capturing.tensors import has_plain_bits, joined, named_tensors, range_of
from tracegen.corpus.recording import Recorder


class Calibration:
    """Observes the first `passes` of each layer; keeps a range for each of its outputs, never a tensor."""

    def __init__(self, recorder: Recorder, layers: Iterable[Layer], passes: int) -> None:
        self._recorder = recorder
        self._passes = passes
        self._seen: Counter[str] = Counter()
        self._handles = [
            layer.module.register_forward_hook(partial(self._observe, layer))
            for layer in layers
            if layer.is_called and passes
        ]

    def remove(self) -> None:
        """Remove the hooks."""
        while self._handles:
            self._handles.pop().remove()

    def _observe(self, layer: Layer, _module: nn.Module, _inputs: Any, output: object) -> None:  # noqa: ANN401
        if backward_pass() is not None or self._seen[layer.path] >= self._passes:
            return
        self._seen[layer.path] += 1
        for key, tensor in named_tensors(output):
            # What cannot be looked at, such as a tensor under torch.func, cannot be captured either.
            with contextlib.suppress(RuntimeError):
                found = range_of(tensor) if has_plain_bits(tensor) and tensor.numel() else None
                if found:
                    self._recorder.widen(joined(layer.name, key), found)
