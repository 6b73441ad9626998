"""`run.json`, what a run notes beside its records: what it must be made of, reading and writing it.

It may be a stranger's, and its names become those of files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeAlias

RUN_FILE = "run.json"
PART_FILE = f"{RUN_FILE}.part"
RUN_SCHEMA_VERSION = 1
Facts: TypeAlias = dict[str, Any]
"""What a run.json holds."""

MAX_BYTES = 16 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{8,128}")


class RunError(ValueError):
    """A run that cannot start or go on, in one line."""


def read_run_file(folder: Path) -> Facts:
    """The facts of the run in `folder`; RunError where there is no run, or a damaged one."""
    path = folder / RUN_FILE
    try:
        return _read(path)
    except FileNotFoundError as error:
        raise RunError(f"no run at {folder}: it holds no {RUN_FILE}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {type(error).__name__} {error}") from error


def write_run_file(folder: Path, facts: Facts) -> None:
    """Write the facts beside an earlier run.json, then over it: it is whole at any moment."""
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    beside = folder / PART_FILE
    beside.write_text(text, encoding="utf-8")
    beside.replace(folder / RUN_FILE)


def _read(path: Path) -> Facts:
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
    checked: Facts = facts
    return checked


def _is(value: Any, kind: Any, what: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, kind):
        raise TypeError(f"{what} is {value!r:.60}")
    return value
