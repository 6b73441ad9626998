"""What ratios are broken down by: which traces each column of a table is a total over.

Beside plain breakdowns, whose columns hold different tensors, there are paired ones: the same tensors in
every column, so that columns can be compared with each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracegen.corpus import DTYPES, PHASES, ROLES, pruning_name

Trace = Mapping[str, Any]
"""The identity columns of one trace, its raw bits, and its `level`: see `_level`."""

CORE_PRECISIONS = ("float32", "float16", "bfloat16", "int8")
PRECISIONS = (
    *("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
    *("int8", "int8-affine", "int8-tensor", "int8-tensor-affine", "int4", "ternary", "binary"),
)
SPLIT_ORDER = ("test", "profile", "control")
DENSE = ("", 0.0)

IDENTITY = ("model", "role", "layer", "phase", "precision", "level")
"""What makes a tensor the same one, but for the column of interest."""

OWN_TRACES = (
    "Total ratio. Each column is over its own traces, and models and layers differ between columns: compare "
    "codecs down a column, not columns with each other."
)
SAME_TENSORS = (
    "Total ratio over the same tensors in every column ({count} of them, {mib:.2f} MiB over all columns), so "
    "columns can be compared with each other."
)
CONTROL = " A control model is untrained, with random weights: it is not part of the ranking."
BY_SPLIT = (
    "Total ratio. Codecs are judged on test; those that learn may learn on profile; control is an untrained "
    "model, there to be compared with."
)


@dataclass(frozen=True)
class Group:
    """A column: its key in a row, its heading, the names of the traces that it is a total over."""

    key: str
    heading: str
    traces: frozenset[str]


@dataclass(frozen=True)
class Breakdown:
    """A table of columns, with how to read it."""

    title: str
    note: str
    groups: tuple[Group, ...]


def breakdowns(traces: Sequence[Trace], judged: frozenset[str]) -> dict[str, Breakdown]:
    """All breakdowns that the traces have something for, by name; `role` is always among them.

    `judged` names the traces that codecs are ranked on; the others are in `model` and `split` alone.
    """
    traces = [{**trace, "level": _level(trace)} for trace in traces]
    on = [trace for trace in traces if trace["trace"] in judged]
    # Results of corpora of version 1 know no more than these, and their reports stay as they are.
    if all(trace["pruning"] is None for trace in traces):
        return {
            "role": _plain("role", "By role", on, _order(ROLES), note="Total ratio."),
            "dtype": _plain("dtype", "By precision", on, _order(DTYPES), note="Total ratio."),
            "level": _plain("sparsity", "By pruning level", on, _order(()), _percent, note="Total ratio."),
        }
    activations = [trace for trace in on if trace["role"] == "activations"]
    levels = _by_magnitude(on)
    weights = [trace for trace in on if trace["role"] == "weights"]  # most levels have little else
    kinds = [trace for trace in activations if trace["tensor_kind"]]
    models = [trace for trace in traces if trace["trace"] in judged or trace["split"] == "control"]
    found = {
        "role": _plain("role", "By role", on, _order(ROLES)),
        "precision": _plain("precision", "By precision", on, _order(PRECISIONS)),
        "paired_precision": _paired("precision", "Same tensors, other precision", on, CORE_PRECISIONS),
        "level": _plain("level", "By pruning", on, _order(()), _pruned),
        "paired_level": _paired("level", "Same tensors, other pruning", on, levels, _pruned),
        "paired_weights": _paired(
            "level", "Same weights, other pruning", weights, levels, _pruned, "paired weights"
        ),
        "phase": _several(_plain("phase", "By phase", on, _order(PHASES))),
        "paired_phase": _paired("phase", "Same tensors, training or inference", activations, PHASES),
        "kind": _several(_plain("tensor_kind", "By kind of activation", kinds, _order(()))),
        "model": _several(_by_model(models)),
        "split": _several(_plain("split", "By split", traces, _order(SPLIT_ORDER), note=BY_SPLIT)),
    }
    if _columns(found["paired_weights"]) == _columns(found["paired_level"]):
        del found["paired_weights"]
    return {name: breakdown for name, breakdown in found.items() if breakdown}


def _columns(breakdown: Breakdown | None) -> tuple[Group, ...] | None:
    return tuple(replace(group, key="") for group in breakdown.groups) if breakdown else None


def _level(trace: Trace) -> tuple[str, float]:
    """Method and level of the pruning; no method is named where the level says it all."""
    method = trace["pruning"] or ""
    return ("" if method in ("none", "magnitude") else method, trace["sparsity"])


def _by_magnitude(traces: Iterable[Trace]) -> list[tuple[str, float]]:
    return sorted({DENSE} | {trace["level"] for trace in traces if not trace["level"][0]})


def _percent(sparsity: float) -> str:
    return f"{100 * sparsity:g} % pruned" if sparsity else "dense"


def _pruned(level: tuple[str, float]) -> str:
    method, sparsity = level
    return f"{method} {100 * sparsity:g} %" if method else _percent(sparsity)


def _order(known: Sequence[Any]) -> Callable[[Any], Any]:
    """Known values in their order, all others after them, sorted."""
    return lambda value: (known.index(value), "") if value in known else (len(known), value)


def _group(
    column: str,
    value: Any,  # noqa: ANN401 - a name, or a level
    traces: Iterable[Trace],
    heading: Callable[[Any], str],
) -> Group:
    is_level = column == "level"
    key = f"pruning={pruning_name(value[1], value[0] or 'magnitude')}" if is_level else f"{column}={value}"
    return Group(key, heading(value), frozenset(trace["trace"] for trace in traces))


def _plain(
    column: str,
    title: str,
    traces: Iterable[Trace],
    order: Callable[[Any], Any],
    heading: Callable[[Any], str] = str,
    *,
    note: str = OWN_TRACES,
) -> Breakdown:
    members: dict[Any, list[Trace]] = defaultdict(list)
    for trace in traces:
        members[trace[column]].append(trace)
    groups = (_group(column, value, members[value], heading) for value in sorted(members, key=order))
    return Breakdown(title, note, tuple(groups))


def _several(breakdown: Breakdown) -> Breakdown | None:
    """Of one value alone there is nothing to compare."""
    return breakdown if len(breakdown.groups) > 1 else None


def _by_model(traces: Sequence[Trace]) -> Breakdown:
    controls = {trace["model"] for trace in traces if trace["split"] == "control"}
    return _plain(
        "model",
        "By model",
        traces,
        lambda model: (model in controls, model),
        lambda model: f"{model} (control)" if model in controls else str(model),
        note=OWN_TRACES + (CONTROL if controls else ""),
    )


def _paired(
    column: str,
    title: str,
    traces: Sequence[Trace],
    candidates: Sequence[Any],
    heading: Callable[[Any], str] = str,
    prefix: str = "paired",
) -> Breakdown | None:
    """The candidates that are there for most layers, over the tensors that are there in all of these.

    The first candidate is what the others are compared with. None where no tensor qualifies.
    """
    values = _common(column, traces, candidates)
    if len(values) < 2:
        return None
    found: dict[Hashable, dict[Any, Trace]] = defaultdict(dict)
    for trace in traces:
        if trace[column] in values:
            found[tuple(trace[key] for key in IDENTITY if key != column)][trace[column]] = trace
    tensors = [by_value for by_value in found.values() if len(by_value) == len(values)]
    if not tensors:
        return None
    raw_bytes = sum(trace["raw_bits"] for by_value in tensors for trace in by_value.values()) // 8
    note = SAME_TENSORS.format(count=len(tensors), mib=raw_bytes / 2**20)
    groups = (_group(column, value, (t[value] for t in tensors), heading) for value in values)
    paired = tuple(replace(group, key=f"{prefix} {group.key}") for group in groups)
    return Breakdown(title, note, paired)


def _common(column: str, traces: Sequence[Trace], candidates: Sequence[Any]) -> list[Any]:
    """Of the layers that have the first candidate and another: the values that at least half of them have."""
    layers: dict[Hashable, set[Any]] = defaultdict(set)
    for trace in traces:
        if trace[column] in candidates:
            layers[trace["model"], trace["role"], trace["layer"]].add(trace[column])
    compared = [values for values in layers.values() if candidates[0] in values and len(values) > 1]
    return [
        c for c in candidates if compared and 2 * sum(c in values for values in compared) >= len(compared)
    ]
