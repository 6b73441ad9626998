"""What an optimiser keeps and what its steps change. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import torch
from torch import Tensor

from tracegen.capturing._keeping import Keeper
from tracegen.capturing._roles import STATE_KINDS
from tracegen.capturing.tensors import array_of, distinct, joined, unreadable
from tracegen.corpus.recording import Captured, layer_name, legal_name

# What can be subtracted without a detour.
_SUBTRACTED = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_STEP = "optimiser's step"


class Updates:
    """The hooks around an optimiser's steps; `before` keeps what the parameters were before one."""

    def __init__(
        self,
        keeper: Keeper,
        parameters: Mapping[str, Tensor],
        optimiser: torch.optim.Optimizer,
        before: BinaryIO,
    ) -> None:
        self._keeper = keeper
        self._parameters = parameters
        self._optimiser = optimiser
        self._before = before

    def place(self) -> list[Any]:
        """Set the hooks; their handles."""
        return [
            self._optimiser.register_step_pre_hook(self._before_step),
            self._optimiser.register_step_post_hook(self._after_step),
        ]

    def _before_step(self, *_: object) -> None:
        # Counted here, so that `_after_step` sees the same number.
        if self._keeper.next_pass(_STEP) is None:
            return
        with self._keeper.errors_kept():
            self._before.seek(0)
            self._before.writelines(
                array_of(tensor, kept).tobytes() for _, tensor, (kept, _) in self._steppable()
            )

    def _after_step(self, *_: object) -> None:
        suffix = self._keeper.this_pass(_STEP)
        if suffix is None:
            return
        with self._keeper.errors_kept():
            self._before.seek(0)
            for name, parameter, (kept, attributes) in self._steppable():
                now = parameter.detach()[kept].cpu()
                earlier = bytearray(self._before.read(now.numel() * now.element_size()))
                change = now - torch.frombuffer(earlier, dtype=now.dtype).view(now.shape)
                layer = _update(name, "step", suffix)
                array = array_of(change, ())
                self._keeper.recorder.add(Captured(array, "updates", layer, "training", attributes, "step"))
        if suffix:
            self.record_state(suffix)

    def _steppable(self) -> Iterator[tuple[str, Tensor, tuple[tuple[slice, ...], dict[str, int]]]]:
        """The parameters that torch subtracts in their own dtype, each with what `Recorder.cut` says."""
        for name, parameter in distinct(self._parameters.items()):
            if parameter.dtype in _SUBTRACTED and not unreadable(parameter) and parameter.numel():
                yield name, parameter, self._keeper.recorder.cut(parameter.shape, parameter.element_size())

    def record_state(self, suffix: str = "") -> None:
        """Record what the optimiser keeps of each parameter, its counters of steps excepted."""
        for name, parameter in distinct(self._parameters.items()):
            for key, value in self._optimiser.state.get(parameter, {}).items():
                if isinstance(value, Tensor) and value.ndim:
                    kind = STATE_KINDS.get(key, legal_name(str(key)))
                    self._keeper.record(value, "updates", _update(name, kind, suffix), "training", kind)


def _update(parameter: str, kind: str, suffix: str) -> str:
    return f"{joined(layer_name(parameter), kind)}{suffix}"
