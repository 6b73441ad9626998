"""Which variants of a model there are: how it is pruned, in which precision it runs, what of it is traced.

Never needs torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracegen.corpus import pruning_name
from tracegen.zoo.pruning import LEVELS

CORE_PRECISIONS = ("float32", "float16", "bfloat16", "int8")
FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
FINE_TUNED_PRECISIONS = ("ternary", "binary")
STOCHASTIC = "-stochastic"
"""Ending of a precision whose rounding is stochastic (Gupta et al., ICML 2015)."""

_ROUNDED_AT_RANDOM = (f"bfloat16{STOCHASTIC}", f"int8{STOCHASTIC}")
IN_TRAINING = "activations in training"
"""Not a role of its own: activations of the backward pass that gives gradients and errors."""


@dataclass(frozen=True)
class Pruning:
    """A method, as `tracegen.pruning` names it, and the share of weights that go (0 to 1).

    `magnitude` is iterative: each level is fine-tuned from the one below. `magnitude-gradual` prunes the
    dense model while it is fine-tuned, `magnitude-oneshot` and all other methods at once, before that.
    """

    method: str
    sparsity: float

    @property
    def name(self) -> str:
        """Such as `s90` or `block4x4-s80`."""
        return pruning_name(self.sparsity, self.method)

    @property
    def criterion(self) -> str:
        """The method without how it is spread over the training."""
        return self.method.partition("-")[0]


DENSE = Pruning("none", 0.0)
ITERATIVE = tuple(Pruning("magnitude", level) for level in LEVELS if level)
ONE_SHOT = Pruning("magnitude-oneshot", 0.9)
GRADUAL = Pruning("magnitude-gradual", 0.9)
TWO_OF_FOUR = Pruning("2of4", 0.5)
ROWS = Pruning("rows", 0.8)
BLOCK_4 = Pruning("block4x4", 0.8)
BLOCK_16 = Pruning("block16x16", 0.8)
FILTER = Pruning("filter", 0.5)
OTHER_METHODS = (ONE_SHOT, GRADUAL, TWO_OF_FOUR, ROWS, BLOCK_4, BLOCK_16, FILTER)
SPARSE = Pruning("magnitude", 0.9)
"""The one that stands for all where not every level is traced."""

Plan = dict[str, tuple[str, ...]]
"""By precision, the roles (and `IN_TRAINING`) that are traced in it."""

_ALL_ROLES = ("weights", "activations", "kv", "gradients", "errors")
_OTHER_WEIGHTS = (*FLOAT8, "int8-affine", "int8-tensor", "int8-tensor-affine", "int4")


def plan(pruning: Pruning, *, all_precisions: bool, whole: bool = False) -> Plan:
    """What is traced of a model pruned so.

    Dense: every role in the core precisions, and activations in training beside those in inference. At 90 %:
    every role, too, but in float16 the weights alone. Else weights in float32 and int8 and activations in
    int8; by methods other than magnitude also weights in bfloat16. With `all_precisions`, dense comes in
    every precision and so do weights at 90 %. With `whole` (the full tier), everything comes in everything.
    """
    roles: dict[str, list[str]] = {}

    def add(precisions: Iterable[str], *names: str) -> None:
        for precision in precisions:
            present = roles.setdefault(precision, [])
            present.extend(name for name in names if name not in present)

    if whole or pruning == DENSE:
        add(CORE_PRECISIONS, *_ALL_ROLES)
        add(CORE_PRECISIONS if whole else ("float32",), IN_TRAINING)
    elif pruning == SPARSE:
        add(("float32", "bfloat16", "int8"), *_ALL_ROLES)
        add(("float16",), "weights")
    else:
        add(("float32", "int8"), "weights")
        add(("int8",), "activations")
        if pruning not in ITERATIVE:
            add(("bfloat16",), "weights")
    if whole or (all_precisions and pruning in (DENSE, SPARSE)):
        add(_OTHER_WEIGHTS, "weights")
    if whole or (all_precisions and pruning == DENSE):
        add((*FLOAT8, "int8-affine"), "activations", "kv")
        add(("float8_e5m2",), "gradients", "errors")
        add(_ROUNDED_AT_RANDOM, "gradients")
    return {precision: tuple(names) for precision, names in roles.items()}
