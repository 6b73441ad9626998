"""Leaderboards by use: each track has its own traces, its own codecs and its own size that counts.

Beside each ratio stands its 95 % interval over traces, and a rank is marked as a tie where the interval
against the row above includes 1 (see `suite.bootstrap`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from suite.reporting import bootstrap
from suite.reporting.leaderboard import JUDGED
from suite.reporting.tables import CODEC, Column, Document, Section, ratio
from suite.results import Row
from suite.runfile import Facts
from tensorcodecs.specs import parse_spec

Bits = npt.NDArray[np.int64]

LINE_BYTES = 64
BUFFER_BLOCK_BYTES = 4096
OFFLOADED = ("activations", "errors", "updates", "gradients")


@dataclass(frozen=True)
class Track:
    """A leaderboard: which traces and codecs are in it, which size counts, and its rules in two lines."""

    name: str
    rules: tuple[str, str]
    size: str = "coded_bits"
    software: bool = True
    block_bytes: int | None = None
    """Codecs must have blocks or lines of at most so many bytes; `exact_block` of just so many."""
    exact_block: bool = False
    roles: tuple[str, ...] = ()
    """All roles where empty."""
    training: bool = False
    hardware: bool = False


TRACKS = (
    Track(
        "Storage",
        (
            "Checkpoints, files, network: lossless software codecs, blocks of any size, all test traces.",
            "What counts is the total ratio of the frames, everything needed to decode counted.",
        ),
    ),
    Track(
        "Memory link",
        (
            "Random access to 64-B lines: lossless hardware models whose lines decode alone, test traces.",
            "What counts is the effective ratio: bits moved at a 32-B granule, bypass and metadata included.",
        ),
        size="effective_bits_32",
        software=False,
        hardware=True,
        block_bytes=LINE_BYTES,
        exact_block=True,
    ),
    Track(
        "Memory link: block codecs as streams",
        (
            "Lossless software codecs with blocks of 64 B, all test traces; their records know no granule,",
            "so what counts is the total ratio of the frame: slots on a granule of their own hold less.",
        ),
        block_bytes=LINE_BYTES,
        exact_block=True,
    ),
    Track(
        "On-chip buffer",
        (
            "Activations alone (test traces): lossless hardware models, and codecs with blocks up to 4096 B.",
            "What counts is the total ratio: a buffer has no access granule that sizes are rounded up to.",
        ),
        hardware=True,
        block_bytes=BUFFER_BLOCK_BYTES,
        roles=("activations",),
    ),
    Track(
        "Training offload",
        (
            "Activations, errors, updates (optimiser state) and gradients, test traces of training alone.",
            "Lossless software codecs, blocks of any size; what counts is the total ratio of the frames.",
        ),
        roles=OFFLOADED,
        training=True,
    ),
)

INTRO = (
    "Each track ranks by its own rules. The interval is that of the middle 95 % of "
    f"{bootstrap.RESAMPLES} bootstrap draws of the traces; '=' behind a rank marks a tie: on them, the "
    "interval of its ratio over that of the row above includes 1. A tie is between neighbours and says "
    "nothing of rows further apart.",
    "Layers of one model resemble each other, which the draws do not know: intervals are rather too narrow. "
    "A codec is in a track only with a verified size of each of the track's traces.",
)


def document(found: Sequence[Row], facts: Facts) -> Document:
    """The rows of `rows` as a document: the tracks that a run's results have something for."""
    by_track = [(track, [row for row in found if row["track"] == track.name]) for track in TRACKS]
    sections = [_section(track, standing) for track, standing in by_track if standing]
    corpus = facts["corpus"]
    intro = (*INTRO, f"Corpus '{corpus['name']}' {corpus.get('version')}, digest {corpus['digest']}.")
    return Document("Squeezemark leaderboards by track", intro, tuple(sections))


def standings(track: Track, table: pl.DataFrame, facts: Facts) -> list[Row]:
    """The rows of a track in rank order; empty where no codec or no trace is in it."""
    on = table.filter(_traces_of(track, table))
    known = facts.get("hardware_models", {})
    specs = [spec for spec in on["codec"].unique().sort() if _enters(track, spec, known)]
    traces = on.unique("trace").sort("trace")
    sized = on.filter(pl.col("status") == "ok", pl.col("lossless"), pl.col(track.size).is_not_null())
    whole = {
        str(spec): cells.sort("trace")[track.size].to_numpy()
        for (spec,), cells in sized.filter(pl.col("codec").is_in(specs)).group_by("codec")
        if len(cells) == len(traces)
    }
    if not whole:
        return []
    raw = traces["raw_bits"].to_numpy()
    order = sorted(whole, key=lambda spec: (int(whole[spec].sum()), spec))
    coded = np.stack([whole[spec] for spec in order])
    found, totals = bootstrap.intervals(raw, coded), coded.sum(axis=1)
    return [_row(track, n, order[n], raw, totals, found) for n in range(len(order))]


def _row(track: Track, n: int, spec: str, raw: Bits, totals: Bits, found: bootstrap.Intervals) -> Row:
    tied = bool(found.tied()[n])
    row = {
        "track": track.name,
        "rank": f"{n + 1}{'=' if tied else ''}",
        "tie": int(tied),
        "codec": spec,
        "ratio": int(raw.sum()) / int(totals[n]),
        "low": float(found.ratio[n, 0]),
        "high": float(found.ratio[n, 1]),
        "traces": len(raw),
    }
    if n:
        row["over_above"] = int(totals[n - 1]) / int(totals[n])
        row["over_above_low"], row["over_above_high"] = map(float, found.over_above[n])
    return row


def _traces_of(track: Track, table: pl.DataFrame) -> pl.Expr:
    split, phase = pl.col("split"), pl.col("phase")
    on = split == JUDGED if (table["split"] == JUDGED).any() else split.is_not_null()
    if track.roles:
        on &= pl.col("role").is_in(track.roles)
    if track.training:  # results of old corpora know no phase
        on &= phase.is_null() | phase.str.starts_with("training")
    return on


def _enters(track: Track, spec: str, models: Facts) -> bool:
    is_hardware = spec.startswith("hw/")
    if not (track.hardware if is_hardware else track.software):
        return False
    if track.name == "Memory link" and not models.get(spec, {}).get("random_access", True):
        return False
    if track.block_bytes is None:
        return True
    block_bytes = _block_bytes(spec)
    if block_bytes is None:
        return False
    return block_bytes == track.block_bytes if track.exact_block else block_bytes <= track.block_bytes


def _block_bytes(spec: str) -> int | None:
    """Bytes of a line or block, as the settings of the last stage spell them; None where they do not."""
    try:
        _, settings = parse_spec(spec)[-1]
    except ValueError:  # a codec that is not of our spelling
        return None
    found = settings.get("line_bytes", settings.get("block_bytes"))
    return found if isinstance(found, int) else None


def _section(track: Track, rows: Sequence[Row]) -> Section:
    columns = (
        Column("rank", "rank"),
        CODEC,
        Column("ratio", "effective ratio" if track.size != "coded_bits" else "total ratio", ratio),
        Column("low", "95 % from", ratio),
        Column("high", "to", ratio),
        Column("over_above", "over the row above", ratio),
        Column("over_above_low", "95 % from ", ratio),
        Column("over_above_high", "to ", ratio),
        Column("traces", "traces"),
    )
    return Section(track.name, "\n".join(track.rules), columns, rows)


def rows(table: pl.DataFrame, facts: Facts) -> list[Row]:
    """The rows of all tracks, for the CSV file."""
    return [row for track in TRACKS for row in standings(track, table, facts)]
