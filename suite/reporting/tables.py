"""From statistics to tables of text: which columns there are, what they are called, how they are printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suite.machine import noise
from suite.reporting.breakdowns import Breakdown
from suite.reporting.leaderboard import Board
from suite.results import Row
from suite.safetext import visible

Format = Callable[[Any], str]

ABSENT = "–"
MAX_GROUPS = 9
"""Columns of ratios that fit beside rank, codec and total."""


LEFT_ALIGNED = frozenset({"codec", "kind", "status", "first", "reason", "access"})
"""Headings of columns of words; columns of figures stand to the right."""


@dataclass(frozen=True)
class Column:
    """A column: the row's key, its heading, how its values are printed."""

    key: str
    title: str
    format: Format = str


@dataclass(frozen=True)
class Section:
    """A table under a heading, with a sentence that says how to read it."""

    title: str
    note: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]

    def header(self) -> list[str]:
        """The headings."""
        return [visible(column.title) for column in self.columns]

    def alignment(self) -> list[str]:
        """`left` or `right` for each column."""
        return ["left" if title in LEFT_ALIGNED else "right" for title in self.header()]

    def body(self) -> list[list[str]]:
        """The rows as text; an absent value is a dash."""
        return [[_text(row.get(column.key), column.format) for column in self.columns] for row in self.rows]


@dataclass(frozen=True)
class Document:
    """A report, whatever file format it ends in."""

    title: str
    intro: tuple[str, ...]
    sections: tuple[Section, ...]
    footnotes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", visible(self.title))
        object.__setattr__(self, "intro", tuple(map(visible, self.intro)))
        object.__setattr__(self, "footnotes", tuple(map(visible, self.footnotes)))


def _text(value: Any, form: Format) -> str:  # noqa: ANN401 - a cell holds anything
    return ABSENT if value is None or value != value else visible(form(value))


def ratio(value: float) -> str:
    """Ratios and efficiencies have three decimals: dense float codecs differ in the third."""
    return f"{value:.3f}"


def rate(value: float) -> str:
    """Speeds have three significant digits: a machine's noise allows no more."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def percent(value: float) -> str:
    """A share, in percent."""
    return f"{100 * value:.0f} %"


RANK = Column("rank", "rank")
CODEC = Column("codec", "codec")
TOTAL = Column("total_ratio", "total ratio", ratio)


def group_columns(breakdown: Breakdown) -> list[Column]:
    """A column of ratios for each group."""
    return [Column(group.key, visible(group.heading), ratio) for group in breakdown.groups]


def judged_traces(board: Board) -> str:
    """How many traces codecs are ranked on, and of which split where there are others."""
    if "test" in board.splits:
        return f"{board.judged} {'test ' if len(board.splits) > 1 else ''}traces"
    return f"{board.judged} {' and '.join(board.splits)} traces"


def _breakdown(breakdown: Breakdown, rows: Sequence[Row]) -> Iterator[Section]:
    """One table, or several of about equal width where one would be too wide to read."""
    columns = group_columns(breakdown)
    parts = math.ceil(len(columns) / MAX_GROUPS)
    width = math.ceil(len(columns) / parts)
    for part in range(parts):
        title = f"{breakdown.title} ({part + 1} of {parts})" if parts > 1 else breakdown.title
        shown = (RANK, CODEC, TOTAL, *columns[part * width : (part + 1) * width])
        yield Section(title, breakdown.note if part == 0 else "Continued.", shown, rows)


def _rule(board: Board) -> str:
    """What is ranked on, where that is not simply all; empty where it is."""
    if board.splits == ("test",):
        return ""
    if "test" not in board.splits:
        return f"No test trace was measured: ranked on the {judged_traces(board)}."
    others = [split for split in board.splits if split != "test"]
    stand = "'By split'" + (" and 'By model'" if "control" in others and "model" in board.breakdowns else "")
    return (
        f"Ranked on the {judged_traces(board)} alone, {board.judged_bytes / 2**20:.1f} MiB; "
        f"{' and '.join(others)} traces are measured and verified likewise ('traces verified' counts them) "
        f"but enter only {stand}."
    )


def leaderboard(board: Board, run: Row, hardware_tables: Sequence[Section] = ()) -> Document:
    """The size leaderboard as a document; `hardware_tables` are those of `suite.hardware`."""
    corpus, mib = run["corpus"], board.raw_bytes / 2**20
    sections = [
        Section(
            "Overall",
            "Ratio = raw bits / coded bits, everything needed to decode counted. Total = sum over sum; "
            "geometric mean = over traces. The reference is zero-aware order-0 entropy (no limit: adaptive "
            "codecs pass it); efficiency = reference / achieved. Only codecs with every trace verified are "
            "ranked.",
            (
                RANK,
                CODEC,
                Column("kind", "kind"),
                TOTAL,
                Column("geomean_ratio", "geometric mean", ratio),
                Column("bits_per_value", "bits / value", ratio),
                Column("reference_bits_per_value", "reference bits / value", ratio),
                Column("efficiency", "efficiency", ratio),
                Column("verified", "traces verified", lambda n: f"{n} / {board.traces}"),
            ),
            board.rows,
        )
    ]
    for breakdown in board.breakdowns.values():
        sections.extend(_breakdown(breakdown, board.rows))
    learning = [row for row in (*board.rows, *board.lossy) if "state_bytes" in row]
    if learning:
        sections.append(_learning(learning))
    hardware = [row for row in board.rows if row["kind"] == "hardware"]
    if hardware:
        sections += [_hardware(hardware), *hardware_tables]
    sections.extend(_lossy_and_failed(board))
    intro = (
        f"{board.traces} of {corpus['traces']} traces of corpus '{corpus['name']}' {corpus['version']}, "
        f"{mib:.1f} MiB. Every lossless cell was decoded and compared bit by bit.",
        *filter(None, (_rule(board),)),
        f"Corpus digest {corpus['digest']}.",
    )
    return Document("Squeezemark size leaderboard", intro, tuple(sections), _footnotes(hardware, run))


def _learning(rows: Sequence[Row]) -> Section:
    return Section(
        "Codecs that learn",
        "They learn once, on the corpus's profile traces alone; what they learned is counted in each trace's "
        "size by its share of the test traces' raw bytes. 0 = not fitted: nothing was learned.",
        (RANK, CODEC, TOTAL, Column("state_bytes", "bytes learned, counted above", lambda n: f"{n:,}")),
        rows,
    )


def _hardware(rows: Sequence[Row]) -> Section:
    return Section(
        "Hardware models",
        "Effective ratio = after the bypass rule and metadata, each line rounded up to the memory's access "
        "granule; a line decodes alone. B/cycle = raw bytes decompressed per cycle.",
        (
            RANK,
            CODEC,
            TOTAL,
            Column("effective_ratio_32", "effective, 32-B granule", ratio),
            Column("effective_ratio_64", "effective, 64-B granule", ratio),
            Column("bytes_per_cycle", "B/cycle", rate),
        ),
        rows,
    )


def is_main(models: Mapping[str, Row], spec: str) -> bool:
    """Whether a hardware row stands for its scheme: lines of 64 bytes (or its first size), as stored."""
    scheme = spec.partition(":")[0]
    same = [s for s, m in models.items() if s.partition(":")[0] == scheme and m["layout"] == "nchw"]
    at_64 = [s for s in same if models[s]["line_bytes"] == 64]
    return spec in (at_64 or same[:1])


def _footnotes(hardware: Sequence[Row], run: Row) -> tuple[str, ...]:
    """Every figure with its source; since there are areas, a line for each scheme."""
    notes = []
    models = run.get("hardware_models")
    for codec in sorted(str(row["codec"]) for row in hardware):
        figures = run.get("hardware", {}).get(codec, {})
        lines = [
            f"{name.replace('_', ' ')} {figure['value']:g} ({figure['origin']}: {figure['source']})"
            for name, figure in figures.items()
        ]
        if models is not None:
            lines = ["; ".join(lines)] if is_main(models, codec) else []
        notes += [f"{codec}: {line}" for line in lines]
    return tuple(notes)


def _lossy_and_failed(board: Board) -> list[Section]:
    sections = []
    if board.lossy:
        errors = (Column("mse", "MSE", rate), Column("max_error", "largest error", rate))
        note = "Never ranked among lossless ones."
        sections.append(Section("Lossy codecs", note, (CODEC, TOTAL, *errors), board.lossy))
    if board.not_ok:
        keys = {"codec": "codec", "status": "status", "cells": "cells", "trace": "first", "reason": "reason"}
        columns = tuple(Column(key, title) for key, title in keys.items())
        note = "Cells without a size: how many, and why the first of them."
        sections.append(Section("Not measured", note, columns, board.not_ok))
    return sections


def times(rows: Sequence[Row], run: Row, cold: Sequence[Row] = ()) -> Document:
    """The speeds as a document; it names its machine and, where they were noted, says how quiet it was."""
    machine = run["machine"]
    intro = (
        f"{machine['cpu']}, {machine['usable_cores']} cores, {machine['system']}, "
        f"Python {machine['python']}. "
        "One thread, one codec at a time, nothing else measured beside it.",
        *_conditions(run.get("phases", {})),
        f"Corpus digest {run['corpus']['digest']}.",
    )
    note = (
        "MB = 10^6 raw bytes. Speed = sum of raw bytes / sum of each trace's median time; × memcpy = "
        "against the raw row (a copy) on the same traces; spread = median over traces of (slowest - "
        "fastest) / median."
    )
    columns = _speed_columns()
    if any("peak_memory_mib" in row for row in rows):
        note += (
            " Peak memory = by how much encoding and decoding a trace made the resident memory grow at "
            "most, input aside, output counted."
        )
        columns.append(Column("peak_memory_mib", "peak memory MiB", rate))
    sections = [Section("Software", note, tuple(columns), rows)]
    if cold:
        cold_note = (
            "As above, but each call gets a copy of its input that no cache of its core holds any more."
        )
        sections.append(Section("Software, cold inputs", cold_note, tuple(_speed_columns()), cold))
    return Document("Squeezemark speeds", intro, tuple(sections))


def _speed_columns() -> list[Column]:
    columns = [CODEC]
    for direction in ("encode", "decode"):
        columns += [
            Column(f"{direction}_mb_s", f"{direction} MB/s", rate),
            Column(f"{direction}_x_memcpy", f"{direction} × memcpy", lambda v: f"{v:.3g}"),
            Column(f"{direction}_spread", f"{direction} spread", percent),
        ]
    return [*columns, Column("traces", "traces"), Column("repeats", "repeats")]


def _conditions(phases: Row) -> list[str]:
    """How quiet the machine was in each start that timed anything; nothing for runs that did not note it."""
    starts = [facts for kind in ("time", "cold") for facts in phases.get(kind, {}).get("conditions", ())]
    noisy = sorted({reason for facts in starts for reason in noise(facts)})
    if noisy:
        return [f"NOISY, so compare speeds with care: while they were measured, {'; '.join(noisy)}."]
    return ["The machine was quiet while they were measured."] if starts else []
