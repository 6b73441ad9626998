"""What `python -m suite list codecs` shows: every codec by family, with its settings and where it is from."""

from __future__ import annotations

import inspect
import re
from typing import Any

from tensorcodecs import registry

FAMILIES = (
    *(
        "tensors",
        "general-purpose",
        "filters",
        "entropy coders",
        "sparse",
        "floats",
        "blocks",
        "lines",
        "checkpoints",
    ),
    *("other", "peers"),
)

HEADER = ["name", "what it is", "settings = default", "source", "rows on the board"]


def codecs() -> list[tuple[str, list[list[str]]]]:
    """The rows of every family that has codecs, in the order of `FAMILIES`."""
    rows: dict[str, list[list[str]]] = {}
    for name in registry.names():
        family, row = _row(name)
        rows.setdefault(family, []).append(row)
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


def _row(name: str) -> tuple[str, list[str]]:
    board = [spec for spec in registry.default_specs() if name in re.split(r"[:|]", spec)]
    try:
        cls = registry.codec_class(name)
    except registry.NotInstalledError:
        return "peers", [name, "not installed", "", "", "\n".join(board)]
    return str(getattr(cls, "family", "other")), [
        name,
        cls.title,
        "\n".join(_settings(cls)),
        cls.source,
        "\n".join(board),
    ]


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
