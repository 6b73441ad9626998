import math

import pytest
from support import TRACES, cell, trace_fields

from suite import results
from suite.reporting import leaderboard


def board(*cells):
    return leaderboard.build(results.frame(cells))


def test_totals_and_means_are_what_they_say():
    (row,) = board(cell("c", "a", 4000), cell("c", "b", 100)).rows
    assert row["total_ratio"] == 8800 / 4100
    assert row["geomean_ratio"] == pytest.approx(math.sqrt(2 * 8))
    assert row["bits_per_value"] == 4100 / 350
    assert row["efficiency"] == 2000 / 4100
    assert (row["role=weights"], row["role=activations"]) == (2, 8)
    assert (row["precision=float32"], row["precision=int8"]) == (2, 8)
    assert (row["pruning=s0"], row["pruning=s90"]) == (2, 8)


def test_ranks_follow_the_total_and_ties_share_one():
    rows = board(
        *(cell(c, t, n) for c, n in {"x": 400, "y": 200, "z": 400, "w": 800}.items() for t in TRACES)
    ).rows
    assert [(row["codec"], row["rank"]) for row in rows] == [("y", 1), ("x", 2), ("z", 2), ("w", 4)]


def test_a_codec_that_misses_a_trace_is_shown_last_and_not_ranked():
    result = board(
        cell("half", "a", 1), cell("half", "b", None), cell("whole", "a", 8000), cell("whole", "b", 800)
    )
    assert [(row["codec"], row["rank"], row["verified"]) for row in result.rows] == [
        ("whole", 1, 2),
        ("half", None, 1),
    ]
    assert result.not_ok == [
        {"codec": "half", "status": "failed", "cells": 1, "trace": "b", "reason": "out of luck"}
    ]


def test_lossy_codecs_stay_out_of_the_ranking():
    lossy = {"lossless": False, "bit_exact": False, "mse": 0.5, "max_error": 2.0}
    result = board(*(cell("l", t, 1, **lossy) for t in TRACES), *(cell("c", t, 800) for t in TRACES))
    assert [row["codec"] for row in result.rows] == ["c"]
    assert [(row["codec"], row["mse"], row["max_error"]) for row in result.lossy] == [("l", 0.5, 2.0)]


def test_effective_ratios_are_of_hardware_rows_alone():
    hardware = {
        "kind": "hardware",
        "effective_bits_32": 4400,
        "effective_bits_64": 8800,
        "decompress_cycles": 10.0,
    }
    rows = board(
        *(cell("hw/x", t, 400, **hardware) for t in TRACES), *(cell("c", t, 800) for t in TRACES)
    ).rows
    by_codec = {row["codec"]: row for row in rows}
    assert by_codec["hw/x"]["effective_ratio_32"] == 1
    assert by_codec["hw/x"]["effective_ratio_64"] == 0.5
    assert by_codec["hw/x"]["bytes_per_cycle"] == 1100 / 20
    assert "effective_ratio_32" not in by_codec["c"]


def test_speeds_are_sums_over_medians_and_named_against_memcpy():
    rows = leaderboard.times(
        results.frame(
            [
                cell("raw", "a", 8000, encode_s=[1e-6], decode_s=[1e-6]),
                cell("raw", "b", 800, encode_s=[1e-6], decode_s=[1e-6]),
                cell("c", "a", 10, encode_s=[9e-6, 3e-6, 4e-6], decode_s=[2e-6], peak_memory_bytes=1 << 20),
                cell("c", "b", 10, encode_s=[4e-6], decode_s=[2e-6]),
                cell("c", "untimed", 10, **trace_fields("weights", "int8"), peak_memory_bytes=3 << 20),
                cell("untimed", "a", 10),
            ]
        )
    )
    by_codec = {row["codec"]: row for row in rows}
    assert set(by_codec) == {"raw", "c"}
    assert by_codec["c"]["encode_mb_s"] == pytest.approx(1100e-6 / 8e-6)
    assert by_codec["c"]["encode_x_memcpy"] == pytest.approx(2 / 8)
    assert by_codec["c"]["decode_x_memcpy"] == pytest.approx(2 / 4)
    assert by_codec["c"]["encode_spread"] == pytest.approx((9 - 3) / 4)
    assert by_codec["c"]["decode_spread"] is None
    assert by_codec["c"]["peak_memory_mib"] == 3, "of all its traces, timed or not"
    assert "peak_memory_mib" not in by_codec["raw"]
