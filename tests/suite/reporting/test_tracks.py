"""Intervals, ties and tracks, and that what is printed of them is LaTeX."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from support import REPOSITORY, cell, trace_fields

from suite import results, runfile
from suite.reporting import bootstrap, publish, speeds, tracks
from suite.reporting.latex import PACKAGES, latex

REPORT = publish.published(REPOSITORY / "reports")[-1]


@pytest.fixture(scope="module")
def published():
    return results.read(REPORT), runfile.read_run_file(REPORT)


@pytest.fixture(scope="module")
def documents(published):
    table, facts = published
    timed = speeds.document(speeds.rows(table), facts)
    return {"tracks": tracks.document(tracks.rows(table, facts), facts), "speeds": timed}


def test_draws_are_the_same_for_a_seed_and_hold_every_trace_as_often_as_chance_has_it():
    drawn = bootstrap.draws(50, 400)
    assert (drawn.sum(axis=1) == 50).all()
    assert (drawn == bootstrap.draws(50, 400)).all()
    assert (drawn != bootstrap.draws(50, 400, seed=2)).any()
    assert abs(drawn.mean(axis=0) - 1).max() < 0.25


def test_intervals_are_those_of_one_draw_after_another():
    rng = np.random.default_rng(3)
    raw, coded = rng.integers(100, 9000, 30), rng.integers(100, 9000, (4, 30))
    found = bootstrap.intervals(raw, coded, resamples=200)
    ratios = [
        [np.repeat(raw, times).sum() / np.repeat(row, times).sum() for row in coded]
        for times in bootstrap.draws(30, 200)
    ]
    np.testing.assert_allclose(found.ratio, np.quantile(ratios, (0.025, 0.975), axis=0).T)
    over = np.array(ratios)[:, 1:] / np.array(ratios)[:, :-1]
    np.testing.assert_allclose(found.over_above[1:], np.quantile(over, (0.025, 0.975), axis=0).T)
    assert np.isnan(found.over_above[0]).all()


def test_sums_that_a_float_cannot_hold_are_exact():
    raw = np.array([1 << 52, 1, 1 << 52])
    assert (bootstrap.intervals(raw, raw[None]).ratio == 1).all()
    assert bootstrap._product(bootstrap.draws(3), raw[:, None]).dtype == np.int64


@pytest.mark.parametrize("coded", [[[1, 2]], [[1, 2, 0]], [1, 2, 3]])
def test_sizes_that_make_no_ratio_are_refused(coded):
    with pytest.raises(ValueError, match=r"do not go with|not positive"):
        bootstrap.intervals([8, 8, 8], coded)


def test_a_row_that_only_chance_puts_below_is_a_tie_and_a_worse_one_is_not():
    rng = np.random.default_rng(5)
    good = rng.integers(900, 1100, 100)
    swapped = good[::-1].copy()
    swapped[0] += 1
    found = bootstrap.intervals(np.full(100, 2000), [good, swapped, good + 500])
    assert found.tied().tolist() == [False, True, False]


def rows_of(traces, codecs):
    return results.frame(
        cell(codec, name, bits, trace_sha256=name, **{"effective_bits_32": bits, **fields})
        for name, fields in traces.items()
        for codec, bits in codecs.items()
    )


def test_each_track_has_its_own_traces_and_codecs():
    traces = {
        "w": trace_fields("weights", "float32"),
        "a": trace_fields("activations", "float32"),
        "g": trace_fields("gradients", "float32", phase="training-end"),
        "p": trace_fields("updates", "float32", phase="training-end", split="profile"),
    }
    codecs = {"raw": 8000, "zlib:level=6": 4000, "zvc:block_bytes=64": 5000, "zvc:block_bytes=8192": 4500}
    codecs |= {"hw/x:line_bytes=64": 6000, "hw/y:line_bytes=128": 3000, "hw/z:line_bytes=64": 1000}
    models = {"hw/z:line_bytes=64": {"random_access": False}}
    found = tracks.rows(rows_of(traces, codecs), {"hardware_models": models})
    by_track = {track.name: {} for track in tracks.TRACKS}
    for row in found:
        by_track[row["track"]][row["codec"]] = row["traces"]
    assert by_track["Storage"] == dict.fromkeys([c for c in codecs if not c.startswith("hw/")], 3)
    assert by_track["Memory link"] == {"hw/x:line_bytes=64": 3}
    assert by_track["Memory link: block codecs as streams"] == {"zvc:block_bytes=64": 3}
    assert by_track["On-chip buffer"] == dict.fromkeys(
        [*(c for c in codecs if "64" in c), "hw/y:line_bytes=128"], 1
    )
    assert set(by_track["Training offload"].values()) == {1}


def test_a_codec_without_a_size_of_each_trace_is_in_no_track():
    traces = {name: trace_fields("weights", "float32") for name in "ab"}
    table = rows_of(traces, {"raw": 8000, "zlib": 4000})
    short = table.filter((table["codec"] != "zlib") | (table["trace"] == "a"))
    assert [row["codec"] for row in tracks.rows(short, {})] == ["raw"]


def test_the_published_board_has_all_tracks_and_their_totals(published):
    table, facts = published
    found = tracks.rows(table, facts)
    assert {row["track"] for row in found} == {track.name for track in tracks.TRACKS}
    assert all(row["low"] <= row["ratio"] <= row["high"] for row in found)
    assert tracks.rows(table.sample(fraction=1.0, shuffle=True, seed=1), facts) == found


def test_speeds_are_quartiles_over_traces_of_the_medians_of_repeats():
    traces = {name: trace_fields("weights", "float32", raw_bits=8_000_000) for name in "abc"}
    table = results.frame(
        cell("raw", name, 8, encode_s=[s, s, 3 * s], decode_s=[s], **fields)
        for (name, fields), s in zip(traces.items(), (1.0, 0.5, 0.25), strict=True)
    )
    (row,) = speeds.rows(table)
    assert (row["encode_first_quartile"], row["encode_median"], row["encode_third_quartile"]) == (1.5, 2, 3)
    assert (row["encode_spread"], row["decode_spread"]) == (1.0, None)


def latex_files(documents):
    files = {name: latex(document) for name, document in documents.items()}
    return files | {
        f"p-{f}": (REPORT / f"{f}.tex").read_text(encoding="utf-8") for f in ("leaderboard", "times")
    }


def test_latex_is_balanced_and_escaped(documents):
    for name, text in latex_files(documents).items():
        code = [line for line in text.splitlines() if not line.startswith("%")]
        opened = re.findall(r"\\(begin|end)\{(\w+)\}", "\n".join(code))
        depth = []
        for what, environment in opened:
            if what == "begin":
                depth.append(environment)
            else:
                assert depth.pop() == environment, name
        assert not depth
        for line in code:
            assert not re.search(r"(?<!\\)[_#%^~]", line.replace("\\textasciitilde", "")), (name, line)
            assert line.isascii(), (name, line)


@pytest.mark.skipif(
    not shutil.which("pdflatex"), reason="no LaTeX here; the test above looks at the structure"
)
def test_latex_compiles(documents, tmp_path):
    for name, text in latex_files(documents).items():
        page = f"\\documentclass{{article}}\\usepackage{{{','.join(PACKAGES)}}}\\usepackage[T1]{{fontenc}}"
        page += "\\usepackage[a4paper,landscape,margin=1cm]{geometry}\\begin{document}\n"
        (tmp_path / f"{name}.tex").write_text(f"{page}{text}\\end{{document}}\n", encoding="utf-8")
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"],  # noqa: S607 - a tool of the user's
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Float too large" not in done.stdout, "rows were lost below the page"
        assert (tmp_path / f"{name}.pdf").stat().st_size > 1000
