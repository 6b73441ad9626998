"""What stands beside the leaderboards in a run's folder: the reproduction card.

Apart from `suite.render`, whose files of published reports never change: a report that lacks these is valid.
"""

from __future__ import annotations

from pathlib import Path

from suite import card, results, run

DOCUMENT_FILES = (card.CARD_FILE, card.CARD_TEXT_FILE)


def write_documents(folder: Path) -> None:
    """Write them into a run's folder, from its records alone.

    Raises RunError, FileNotFoundError or ValueError for a folder that holds no run, or a damaged one.
    """
    facts, table = run.read_run_file(folder), results.read(folder)
    card.write(folder, table, facts)
