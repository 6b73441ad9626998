"""A report's reproduction card: what to type, with which versions, and the digest of the sizes to expect.

The digest is of sizes alone. Neither times nor the machine nor the order of measuring are in it, so that it
is the same wherever the same codec versions meet the same corpus.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

import polars as pl

from suite.plan import NOT_INSTALLED
from suite.reporting.formats import markdown_table
from suite.reporting.tables import Column, Section
from suite.runfile import Facts

CARD_FILE, CARD_TEXT_FILE = "card.json", "reproduction.md"
CARD_SCHEMA_VERSION = 1

SIZE_COLUMNS = (
    *("trace", "trace_sha256", "codec", "codec_version", "raw_bits", "coded_bits", "state_bits"),
    *("effective_bits_32", "effective_bits_64"),
)
"""What a line of the canonical text holds, in this order."""

DEFINITION = (
    "SHA-256 of UTF-8 text: one line for each cell whose status is ok, its fields "
    f"{', '.join(SIZE_COLUMNS)} joined by tabs (integers in decimal, an absent value empty), every line "
    "ended by a line feed, lines sorted by their code points."
)


class CardError(ValueError):
    """A card that cannot be read."""


def sizes_text(table: pl.DataFrame) -> str:
    """The canonical text of a run's sizes, as `DEFINITION` says."""
    ok = table.filter(pl.col("status") == "ok").select(pl.col(*SIZE_COLUMNS).cast(pl.String).fill_null(""))
    return "".join(sorted("\t".join(row) + "\n" for row in ok.iter_rows()))


def sizes_digest(table: pl.DataFrame) -> str:
    """SHA-256 of the canonical text, in hexadecimal digits."""
    return hashlib.sha256(sizes_text(table).encode()).hexdigest()


def build(table: pl.DataFrame, facts: Facts) -> Facts:
    """The card of a run's results; `facts` is its run.json.

    Each codec has a digest of its own too, so that one who lacks some of them can check the others.
    """
    ok = table.filter(pl.col("status") == "ok")
    per_codec = {}
    for (codec, version), cells in sorted(
        ok.group_by("codec", "codec_version"), key=lambda item: str(item[0])
    ):
        digest = sizes_digest(cells)
        per_codec[str(codec)] = {"version": version, "cells": len(cells), "sizes_sha256": digest}
    return {
        "schema_version": CARD_SCHEMA_VERSION,
        "command": command(table, facts),
        "corpus": facts["corpus"],
        "versions": {"python": facts["machine"].get("python"), **facts.get("versions", {})},
        "cells": len(ok),
        "sizes_sha256": sizes_digest(ok),
        "sizes_sha256_is": DEFINITION,
        "codecs": per_codec,
    }


def command(table: pl.DataFrame, facts: Facts) -> str:
    """A command that measures every cell of the results (and more, where starts chose different traces)."""
    plan, traces = facts.get("last_plan", {}), table["trace"].n_unique()
    # What was measured by an earlier start with another selection is in the whole corpus at any rate.
    one_selection = plan.get("select") and plan.get("traces") == traces < facts["corpus"]["traces"]
    select = f" --select {shlex.quote(plan['select'])}" if one_selection else ""
    specs = ",".join(table["codec"].unique().sort())
    return f"python -m suite run --corpus traces/ --no-timing{select} --codecs {shlex.quote(specs)}"


def write(folder: Path, table: pl.DataFrame, facts: Facts) -> None:
    """Write `card.json` and `reproduction.md` into a run's folder."""
    card = build(table, facts)
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    (folder / CARD_FILE).write_text(text, encoding="utf-8", newline="\n")
    (folder / CARD_TEXT_FILE).write_text(markdown(card, table), encoding="utf-8", newline="\n")


def read(folder: Path) -> Facts | None:
    """The card in a report's folder; None where an older report has none. CardError if it is damaged."""
    path = folder / CARD_FILE
    if not path.exists():
        return None
    try:
        card: Facts = json.loads(path.read_text(encoding="utf-8"))
        card["sizes_sha256"], card["codecs"], card["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CardError(f"{path} is damaged: {type(error).__name__} {error}") from error
    return card


def _expectation(card: Facts, table: pl.DataFrame) -> str:
    if "--select" in card["command"] or table["trace"].n_unique() == card["corpus"]["traces"]:
        return f"The run's own `{CARD_FILE}` must then say"
    return (
        "That measures more traces than this report holds. Of the cells of this report alone, the digest is"
    )


def markdown(card: Facts, table: pl.DataFrame) -> str:
    """The card as a page to follow."""
    corpus = card["corpus"]
    missing = table.filter(pl.col("codec_version") == NOT_INSTALLED)["codec"].unique().sort()
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items() if version)
    rows = [{"codec": codec, **entry} for codec, entry in card["codecs"].items()]
    columns = (
        Column("codec", "codec"),
        *(Column(key, key.replace("_", " ")) for key in ("version", "cells", "sizes_sha256")),
    )
    parts = [
        "# Reproduce this report",
        f"Corpus '{corpus['name']}' version {corpus.get('version')}, digest `{corpus['digest']}`.",
        "In a checkout that holds this corpus in `traces/`, with the pinned versions installed "
        "(`pip install -c constraints.txt -e '.[peers]'`):",
        f"```sh\n{card['command']}\n```",
        _expectation(card, table),
        f"```\n{card['sizes_sha256']}\n```",
        f"which is the digest of {card['cells']} sizes. `python -m suite verify` on this folder measures "
        "them again, or a sample of them (`--sample 500`), and names every size that differs.",
        f"Measured with {versions}.",
    ]
    if len(missing):
        parts.append(f"Not installed there, and so without sizes: {', '.join(missing)}.")
    parts += ["## What the digest is of", DEFINITION]
    parts += ["## Codec by codec", markdown_table(Section("", "", columns, rows))]
    return "\n\n".join(parts) + "\n"
