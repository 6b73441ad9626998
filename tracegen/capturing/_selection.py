"""What of a model is captured, and which of its passes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tensorcodecs.arrays import did_you_mean
from tracegen.corpus import ROLES, CorpusError
from tracegen.corpus.checks import check_count, check_flag, shown

CAPTURED_ROLES = ("weights", "activations", "gradients", "errors")
"""What is captured by default; with an optimiser, `updates` too."""


@dataclass(frozen=True)
class Selection:
    """What of a model is captured: see `tracegen.capture`.

    Raises CorpusError, naming the legal values, for a value of another type or out of range.
    """

    layers: tuple[str, ...] = ("*",)
    roles: tuple[str, ...] = CAPTURED_ROLES
    steps: int = 1
    every: int = 1
    inputs: bool = False
    calibrate: int = 0

    def __post_init__(self) -> None:
        if not self.layers:
            raise CorpusError("layers is empty: '*' means all")
        for layer in self.layers:
            if not isinstance(layer, str):
                raise CorpusError(f"layers: {shown(layer)} is no string")
        if not self.roles:
            raise CorpusError(f"roles is empty: legal are {', '.join(ROLES)}")
        for role in self.roles:
            if role not in ROLES:
                raise CorpusError(f"no role {shown(role)} to capture{did_you_mean(str(role), ROLES)}")
        check_flag("inputs", self.inputs)
        if self.inputs and "activations" not in self.roles:
            raise CorpusError("inputs are activations: add 'activations' to the roles")
        check_count("steps", self.steps)
        check_count("every", self.every)
        if self.calibrate != 0:
            check_count("calibrate", self.calibrate)

    @property
    def last_pass(self) -> int:
        """The number of the last pass that is captured, counted from 1, those for calibration included."""
        return self.calibrate + 1 + (self.steps - 1) * self.every

    def suffix(self, number: int) -> str | None:
        """What the names of pass `number` (from 1) end with; None where it is not captured."""
        captured = number - self.calibrate
        if captured < 1 or number > self.last_pass or (captured - 1) % self.every:
            return None
        return f".step{captured}" if self.steps > 1 else ""


def texts(what: str, value: object) -> tuple[str, ...]:
    """One string or several as a tuple; their types are `Selection`'s to check.

    Raises CorpusError, naming `what`, for what is neither.
    """
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise CorpusError(f"{what} {shown(value)} is neither a string nor a list of strings")
    return tuple(value)
