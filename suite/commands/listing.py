"""What `python -m suite list` shows: codecs by family with settings, hardware models with their figures."""

from __future__ import annotations

import inspect
import re
from typing import Any

import hwmodels
from tensorcodecs import registry

FAMILIES = ("squeeze", "general", "filters", "entropy", "sparse", "floats", "lines", "nested", "peers")
"""The folders of codecs, in the order that they are shown in."""

HEADER = ["name", "what it is", "settings = default", "source", "rows on the board"]

MODELS_HEADER = ["name", "what it is", "line bytes", "random access", "source"]
FIGURES_HEADER = ["row on the board", "cycles", "B/cycle", "kGE", "pJ/B"]
FIGURES_NOTE = (
    "Each figure: compressor / decompressor, and where it is from: p published, s synthesised, m modelled "
    "from parts, e estimate.\nCycles are a line's latency; area in thousands of gate equivalents and energy "
    "per raw byte are at 40 nm.\nOne model's sources: python -m suite list hwmodels hw/bdi:line_bytes=64"
)
_PAIRS = (
    ("compress_latency_cycles", "decompress_latency_cycles", 1.0),
    ("compress_bytes_per_cycle", "decompress_bytes_per_cycle", 1.0),
    ("compressor_area_ge", "decompressor_area_ge", 1e-3),
    ("compress_pj_per_byte", "decompress_pj_per_byte", 1.0),
)


def models() -> list[list[str]]:
    """A row for each hardware model."""
    return [
        [name, m.title, ", ".join(map(str, m.legal_line_bytes)), "yes" if m.random_access else "no", m.source]
        for name, m in ((name, hwmodels.get_model(name)) for name in hwmodels.names())
    ]


def figures() -> list[list[str]]:
    """The figures of each of the board's hardware rows, every one with its origin's first letter."""
    rows = []
    for spec in hwmodels.default_specs():
        found = hwmodels.get_model(spec).figures
        pairs = [
            " / ".join(f"{_digits(found[key].value * unit)} {found[key].origin[0]}" for key in pair)
            for *pair, unit in _PAIRS
        ]
        rows.append([spec, *pairs])
    return rows


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def sources(spec: str) -> list[list[str]]:
    """Every figure of one model with its origin and source; ValueError for an unknown one."""
    found = hwmodels.get_model(spec).figures
    return [[k.replace("_", " "), f"{f.value:g} {f.unit}", f.origin, f.source] for k, f in found.items()]


def codecs() -> list[tuple[str, list[list[str]]]]:
    """The rows of every family that has codecs, in the order of `FAMILIES`."""
    rows: dict[str, list[list[str]]] = {}
    for name in registry.names():
        rows.setdefault(registry.family(name), []).append(_row(name))
    order = sorted(rows, key=FAMILIES.index)
    return [(family, rows[family]) for family in order]


def missing() -> list[str]:
    """Why each codec that cannot be used here cannot, and how to get it."""
    reasons = []
    for name in registry.names():
        try:
            registry.codec_class(name)
        except registry.NotInstalledError as error:
            reasons.append(f"{name}: {error}")
    return reasons


def _row(name: str) -> list[str]:
    board = [spec for spec in registry.default_specs() if name in re.split(r"[:|]", spec)]
    try:
        cls = registry.codec_class(name)
    except registry.NotInstalledError:
        return [name, "not installed", "", "", "\n".join(board)]
    return [name, cls.title, "\n".join(_settings(cls)), cls.source, "\n".join(board)]


def _settings(cls: Any) -> list[str]:  # noqa: ANN401 - any codec's class
    """Each setting with its default, and what is legal: the codec's own error says it."""
    lines = []
    for key, parameter in inspect.signature(cls).parameters.items():
        default = parameter.default
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        shown = "" if default is parameter.empty else f" = {default}"
        lines.append(f"{key}{shown}{_legal(cls, key)}")
    return lines


def _legal(cls: Any, key: str) -> str:  # noqa: ANN401 - any codec's class
    try:
        cls(**{key: "?"})
    except (TypeError, ValueError) as error:
        found = re.search(r"is not legal: (.*?)(?:; nearest is .*)?$", str(error))
        return f" ({found[1]})" if found else ""
    return ""
