import dataclasses

import pytest
from rich.console import Console
from support import cell, trace_fields

from suite import results
from suite.reporting import leaderboard, terminal
from suite.reporting.report import Report
from tracegen.corpus import ROLES

CODECS = ("shuffle|zstd:level=3", "hw/bdi:line_bytes=64")


@pytest.fixture
def report():
    """A board with all roles and speeds: as wide as one gets."""
    timed = {"encode_s": [1e-3], "decode_s": [1e-3]}
    hardware = {"effective_bits_32": 8000, "effective_bits_64": 8000, "decompress_cycles": 1.0}
    table = results.frame(
        cell(codec, role, 100, **trace_fields(role, "float32"), **fields)
        for codec, fields in {
            CODECS[0]: timed,
            CODECS[1]: {"kind": "hardware", **hardware},
            "raw": timed,
        }.items()
        for role in ROLES
    )
    return Report({}, table, "", leaderboard.build(table), leaderboard.times(table))


def test_the_picture_is_as_wide_as_its_columns(report):
    svg = terminal.picture(report)
    for word in (*CODECS, *ROLES, "effective"):
        assert word in svg, word


@pytest.mark.parametrize(("width", "roles"), [(140, ROLES), (100, ROLES[:2]), (80, ROLES[:1])])
def test_a_narrow_terminal_shows_fewer_roles_but_every_codec(
    report, tmp_path, monkeypatch, capsys, width, roles
):
    monkeypatch.setattr(terminal, "_console", lambda: Console(width=width))
    terminal.show_board(report, tmp_path, 15)
    table = capsys.readouterr().out.partition("Tables:")[0]
    assert max(map(len, table.splitlines())) <= width
    assert [role for role in ROLES if f" {role} " in table] == list(roles)
    for word in (*CODECS, "effective"):
        assert word in table, word


def test_rows_that_learned_nothing_are_named(report, tmp_path, capsys):
    terminal.show_board(report, tmp_path, 15)
    assert "learned nothing" not in capsys.readouterr().out
    untrained = [row | ({"state_bytes": 0} if row["codec"] == CODECS[0] else {}) for row in report.board.rows]
    board = dataclasses.replace(report.board, rows=untrained)
    terminal.show_board(dataclasses.replace(report, board=board), tmp_path, 15)
    said = capsys.readouterr().out
    assert "learned nothing: 1 rows are untrained" in said
    assert f"of the split profile for them: {CODECS[0]}" in said
