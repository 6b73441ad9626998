"""Which role a tensor of a checkpoint has, told by where it lies in the file. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tracegen.corpus.recording import layer_name, legal_name

STATE_KINDS = {"exp_avg": "first-moment", "exp_avg_sq": "second-moment", "momentum_buffer": "momentum"}
"""What the tensors of an optimiser's state are called, by the key that torch.optim has for them."""
BUFFER = "buffer"
"""A role that no trace has: what a module keeps beside its parameters, such as running statistics."""
OTHER = "other"
"""Another such role: what a training loop keeps, such as the state of a random generator."""
AVERAGE = "average"
"""The kind of weights that are an average over training steps (EMA, SWA)."""

# Copies of the weights in float32 that DeepSpeed and Megatron step, flattened and in parts.
_MASTER_KEYS = (
    *("single_partition_of_fp32_groups", "fp32_flat_groups", "fp32_groups"),
    *("fp32_from_fp16_params", "fp32_from_float16_groups", "master_param"),
)
_KINDS = {**STATE_KINDS, **dict.fromkeys(_MASTER_KEYS, "master-weights")}
# Names that no parameter has, so that they tell an optimiser's state wherever they lie: of Adam and its like,
# Lion, SGD, Adafactor, Adamax, RMSprop and Adadelta.
_STATE_KEYS = frozenset(
    (
        *_KINDS,
        *("max_exp_avg_sq", "exp_avg_sq_row", "exp_avg_sq_col", "exp_avg_sq_hessian", "exp_inf"),
        *("square_avg", "grad_avg", "acc_delta"),
    )
)
# By the last part of their names: normalisation in torch, Keras and Flax, observers of quantisers, tables and
# masks of transformers.
_BUFFER_KEYS = frozenset(
    (
        *("running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance"),
        *("min_val", "max_val", "fake_quant_enabled", "observer_enabled"),
        *("position_ids", "token_type_ids", "inv_freq", "original_inv_freq", "cos_cached", "sin_cached"),
        *("relative_position_index", "relative_coords_table", "attn_mask", "masked_bias", "freqs_cis"),
    )
)
_OPTIMISER = re.compile(r"(^|_)optim", re.IGNORECASE)
_AVERAGE = re.compile(r"(^|[_-])(ema|swa)([_-]|$)|^(shadow_params|averaged_model)$|(^|\W)EMA(\W|$)")
_LOOP = re.compile(
    r"callbacks|loops|(lr_?)?schedulers?(_state.*)?|.*rng(_state.*)?|random_states?|hyper_parameters|hparams.*"
    r"|(grad_?|loss_?|amp_?)?scaler(_state.*)?|sampler.*|data_?loader.*",
    re.IGNORECASE,
)


class Place(NamedTuple):
    """What a tensor is: a role, `BUFFER` or `OTHER`; its trace's layer; its kind ("" = not said)."""

    role: str
    layer: str
    kind: str = ""


def place(path: Sequence[str], *, in_optimiser: bool = False, buffers: Collection[str] = ()) -> Place:
    """What the tensor at `path` is: the keys of the mappings around it, outermost first, its own name last.

    Of a name with dots the first part may be such a key: files of flat names have no other. `in_optimiser`
    says that one of the mappings is an optimiser's whole state, `buffers` which names the file itself calls
    buffers.
    """
    name = ".".join(path)
    parts = name.split(".")
    around = [*path[:-1], *path[-1].split(".")[:-1][:1]]
    key = next((part for part in reversed(parts) if not part.isdigit()), "")
    if in_optimiser or (key in _STATE_KEYS and len(parts) > 1):
        return _update(parts, key)
    is_average = any(map(_AVERAGE.search, around))
    if key in _BUFFER_KEYS or path[-1] in buffers:
        return Place(BUFFER, layer_name(name), BUFFER)
    if is_average:
        return Place("weights", layer_name(name), AVERAGE)
    if any(map(_OPTIMISER.search, around)):
        return _update(parts, key)
    if _LOOP.fullmatch(path[0]):
        return Place(OTHER, layer_name(name))
    return Place("weights", layer_name(name))


def _update(parts: Sequence[str], key: str) -> Place:
    """As hooks name it: the parameter, then the kind, such as `optimizer.0.first-moment`."""
    if not key:
        return Place("updates", ".".join(parts))
    kind = _KINDS.get(key, legal_name(key))
    at = len(parts) - 1 - list(reversed(parts)).index(key)
    before = list(parts[:at])
    if "state" in before:
        before.remove("state")
    parameter = layer_name(".".join(before))
    return Place("updates", ".".join(part for part in (parameter, kind, *parts[at + 1 :]) if part), kind)
