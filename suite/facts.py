"""What a `run.json` must be made of: it may be a stranger's, and its names become those of files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

MAX_BYTES = 16 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{8,128}")


def read(path: Path) -> dict[str, Any]:
    """The facts in the file; ValueError, TypeError, KeyError, RecursionError or OSError say what is wrong."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    facts = json.loads(path.read_text(encoding="utf-8"))
    corpus = facts["corpus"]
    for key, pattern in (("name", _NAME), ("version", _NAME), ("digest", _DIGEST)):
        if not pattern.fullmatch(corpus[key]):
            raise ValueError(f"corpus {key} {corpus[key]!r:.60}")
    _is(corpus["traces"], int, "corpus traces")
    for key in ("machine", "phases"):
        _is(facts[key], dict, key)
    for key, value in facts["machine"].items():
        _is(value, (str, int, float, type(None)), f"machine {key}")
    for subject, figures in _is(facts.get("hardware", {}), dict, "hardware").items():
        for figure in _is(figures, dict, subject).values():
            _is(figure["value"], (int, float), f"{subject} value")
            _is(figure["origin"], str, f"{subject} origin")
            _is(figure["source"], str, f"{subject} source")
    for spec in _is(facts.get("last_plan", {}), dict, "last_plan").get("codecs", []):
        _is(spec, str, "codec")
    checked: dict[str, Any] = facts
    return checked


def _is(value: Any, kind: Any, what: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, kind):
        raise TypeError(f"{what} is {value!r:.60}")
    return value
