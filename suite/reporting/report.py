"""A run as reporting sees it, read once: its facts and records, and the statistics over them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from suite import results, runfile
from suite.reporting import leaderboard
from suite.reporting.leaderboard import Board
from suite.results import Row

DIGEST_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Report:
    """All that tables, documents and the page may read."""

    facts: dict[str, Any]
    """`run.json`."""
    table: pl.DataFrame
    """`results.parquet`: one row per cell."""
    records_sha256: str
    board: Board
    speeds: list[Row]
    """Of every timed codec; empty where nothing was timed."""

    @property
    def corpus(self) -> dict[str, Any]:
        """Name, version, digest and number of traces of the corpus."""
        corpus: dict[str, Any] = self.facts["corpus"]
        return corpus

    @property
    def judged(self) -> pl.DataFrame:
        """The cells of the traces that codecs are ranked on."""
        if leaderboard.JUDGED not in self.board.splits:
            return self.table
        return self.table.filter(pl.col("split") == leaderboard.JUDGED)


def load(folder: Path) -> Report:
    """Read a run's folder; raises RunError, FileNotFoundError or ValueError where it holds no sound run."""
    facts, table = runfile.read_run_file(folder), results.read(folder)
    return Report(
        facts=facts,
        table=table,
        records_sha256=_sha256(folder / results.RESULTS_FILE),
        board=leaderboard.build(table),
        speeds=leaderboard.times(table),
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(DIGEST_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
