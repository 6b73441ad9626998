"""Each question's printed query gives its table, and a question without rows says what is missing."""

import re

import polars as pl
import pytest
from support import REPOSITORY, cell, trace_fields

from suite import results, runfile
from suite.reporting import publish, questions, tables
from suite.reporting.leaderboard import build

REPORT = publish.published(REPOSITORY / "reports")[-1]
BY_KEY = {question.key: question for question in questions.QUESTIONS}


@pytest.fixture(scope="module")
def published():
    return results.read(REPORT), runfile.read_run_file(REPORT)


def test_there_are_eight_and_their_queries_are_printed_as_they_run(published):
    table, facts = published
    text = questions.markdown(table, facts)
    assert re.findall(r"^## (Q\d)\. ", text, flags=re.MULTILINE) == [f"Q{n}" for n in range(1, 9)]
    queries = re.findall(r"```sql\n(.*?)\n```", text, flags=re.DOTALL)
    cells = pl.read_parquet(REPORT / "results.parquet")
    for question, query in zip(questions.QUESTIONS, queries, strict=True):
        again = pl.SQLContext(cells=cells, figures=questions.figures_of(facts)).execute(query).collect()
        found = questions.answer(question, table, facts)
        assert not found.rows or again.to_dicts() == found.rows, question.key
        if found.rows:
            assert found.rows[0]["codec"] in found.sentence


def test_the_ratios_are_those_of_the_leaderboard(published):
    table, facts = published
    board = {row["codec"]: row for row in build(table).rows}
    for row in questions.answer(BY_KEY["Q1"], table, facts).rows:
        assert row["ratio"] == pytest.approx(board[row["codec"]][f"role={row['role']}"])
    for row in questions.answer(BY_KEY["Q2"], table, facts).rows:
        if row["role"] == "weights":
            assert row["ratio"] == pytest.approx(board[row["codec"]]["role=weights"])


def small(**fields):
    first = trace_fields("weights", "float32", trace_sha256="a")
    return results.frame(
        cell(codec, "a", bits, **{**first, **fields}) for codec, bits in {"raw": 8000, "x": 4000}.items()
    )


def test_what_a_run_lacks_is_said():
    facts = {"corpus": {"name": "c", "digest": "1"}, "hardware": {"hw/x": {}}}
    found = {key: questions.answer(question, small(), facts) for key, question in BY_KEY.items()}
    assert "weights: x, 2.000" in found["Q1"].sentence
    assert [key for key in found if "Not answered" in found[key].sentence] == [
        "Q3",
        "Q4",
        "Q5",
        "Q6",
        "Q7",
        "Q8",
    ]
    assert "lossy codecs, and the accuracy" in found["Q7"].sentence
    assert "area (GE) and energy" in found["Q8"].sentence


def test_lossy_rows_and_gates_are_reported_where_there_are_some():
    lossy = small(lossless=False, mse=0.25, max_error=1.0)
    found = questions.answer(BY_KEY["Q7"], lossy, {})
    assert found.sentence.startswith(
        "The highest lossy total ratio is 2.000 by x, at a mean squared error of 0.25"
    )
    figure = {"unit": "", "origin": "estimate", "source": ""}
    hardware = {
        codec: {name: {"value": value, **figure} for name in questions.AREA_AND_ENERGY}
        for codec, value in {"hw/x": 100, "hw/y": 70}.items()
    }
    found = questions.answer(BY_KEY["Q8"], small(), {"hardware": hardware})
    assert "the smallest is hw/y with 140 GE" in found.sentence
    assert [row["pj_per_byte"] for row in found.rows] == [140, 200]
    assert tables.ABSENT not in found.sentence
