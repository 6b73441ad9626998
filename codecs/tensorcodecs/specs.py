"""The one spelling that names a codec with its settings.

A spec is `name:key=value:key=value`, stages of a pipeline are separated by `|`: `shuffle|zstd:level=3`.
Values are JSON (numbers, true, null, "quoted", [lists]) or bare words.
"""

from __future__ import annotations

import json
from typing import Any


def parse_spec(spec: str) -> list[tuple[str, dict[str, Any]]]:
    """Split `spec` into stages of (name, settings); ValueError where it is not spelled as specs are."""
    stages: list[tuple[str, dict[str, Any]]] = []
    at = 0
    while at <= len(spec):
        end = _next_of(":|", spec, at)
        name, settings = spec[at:end].strip(), dict[str, Any]()
        if not name:
            raise ValueError(f"spec {spec!r} has a stage without a name: legal is name:key=value|name")
        while spec[end : end + 1] == ":":
            key, equals, _ = spec[end + 1 :].partition("=")
            if not equals or not key.isidentifier():
                raise ValueError(f"spec {spec!r}: expected key=value after {spec[:end]!r}")
            settings[key], end = _parse_value(spec, end + 2 + len(key))
        stages.append((name, settings))
        at = end + 1
    return stages


def _parse_value(spec: str, at: int) -> tuple[Any, int]:
    """Return the value that starts at `at` and where it ends."""
    if spec[at : at + 1] in ("[", "{", '"'):
        try:
            value, end = json.JSONDecoder().raw_decode(spec, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"spec {spec!r}: {spec[at:]!r} is not JSON") from error
        return value, end
    end = _next_of(":|", spec, at)
    word = spec[at:end].strip()
    try:
        return json.loads(word), end
    except json.JSONDecodeError:
        return {"True": True, "False": False, "None": None}.get(word, word), end


def _next_of(characters: str, text: str, at: int) -> int:
    return min((found if (found := text.find(c, at)) >= 0 else len(text)) for c in characters)


def format_settings(name: str, settings: dict[str, Any]) -> str:
    """Return `name:key=value:...`, which `get_codec` reads back."""
    return ":".join((name, *(f"{key}={_format_value(value)}" for key, value in settings.items())))


def _format_value(value: object) -> str:
    # Bare only where it reads back as the same word; JSON elsewhere.
    if isinstance(value, str) and value.isidentifier() and _parse_value(value, 0)[0] == value:
        return value
    return json.dumps(value, separators=(",", ":"))
