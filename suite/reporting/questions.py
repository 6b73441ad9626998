"""The eight research questions, each answered by a query over the records: its text is what is run.

`cells` in a query is `results.parquet`; `figures` is a table of the hardware figures in run.json. A question
that a run has no rows for says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from suite.reporting.formats import markdown_table
from suite.reporting.tables import Column, Section, rate, ratio
from suite.results import Row
from suite.runfile import Facts

SHOWN_ROWS = 10
_SIZED = "status = 'ok' AND lossless"
_RATIO = "SUM(CAST(raw_bits AS DOUBLE)) / SUM(CAST({bits} AS DOUBLE))"


@dataclass(frozen=True)
class Question:
    """A question, the query that answers it, its sentence, and what is missing where the query has no row."""

    key: str
    text: str
    query: str
    sentence: Callable[[list[Row]], str]
    missing: str
    needs: tuple[str, ...] = ()
    """Figures of hardware without which the answer is none."""
    sides: tuple[str, str] = ("", "")
    """What `a_ratio` and `b_ratio` of the rows are of."""

    def columns(self, row: Row) -> tuple[Column, ...]:
        """The columns of its table."""
        a, b = self.sides
        titles = {"a_ratio": a, "b_ratio": b, "cpu_mb_s": "MB / CPU s", "bytes_per_cycle": "B/cycle"}
        rates = ("cpu_mb_s", "bytes_per_cycle", "mse", "max_error", "area_ge", "pj_per_byte")
        forms = {
            **dict.fromkeys(rates, rate),
            **dict.fromkeys(("ratio", "a_ratio", "b_ratio", "change"), ratio),
        }
        return tuple(Column(key, titles.get(key, key.replace("_", " ")), forms.get(key, str)) for key in row)


@dataclass(frozen=True)
class Answer:
    """A question with its answer; no row where something is missing, which the sentence says."""

    question: Question
    sentence: str
    rows: list[Row]

    def shown(self) -> list[Row]:
        """The rows that a table shows."""
        return self.rows if self.rows and "place" in self.rows[0] else self.rows[:SHOWN_ROWS]


def _complete(columns: str, where: str, bits: str = "coded_bits") -> str:
    """Total ratios by role of the codecs that have a size of every trace of the role."""
    return f"""WITH every AS (
  SELECT role, COUNT(DISTINCT trace) AS traces FROM cells WHERE split = 'test' AND {where} GROUP BY role
), sized AS (
  SELECT role, codec, {_RATIO.format(bits=bits)} AS ratio{columns}, COUNT(*) AS traces
  FROM cells WHERE split = 'test' AND {where} AND {_SIZED} GROUP BY role, codec
)"""  # noqa: S608 - of constants here


_OVERHEAD = ", SUM(CAST(raw_bits AS DOUBLE)) / 8 / SUM(decompress_cycles) AS bytes_per_cycle"
_CPU = ", SUM(CAST(raw_bits AS DOUBLE)) / 8000000 / SUM(codec_cpu_s) AS cpu_mb_s"


def _best(where: str) -> str:
    """The three best codecs and hardware models of each role, with what they cost."""
    return f"""{_complete(_OVERHEAD + _CPU + ", MAX(kind) AS kind", where)}, placed AS (
  SELECT sized.role, kind, codec, ratio, cpu_mb_s, bytes_per_cycle,
    ROW_NUMBER() OVER (PARTITION BY sized.role, kind ORDER BY ratio DESC) AS place
  FROM sized JOIN every ON sized.role = every.role AND sized.traces = every.traces
)
SELECT role, kind, place, codec, ratio, cpu_mb_s, bytes_per_cycle FROM placed
WHERE place <= 3 ORDER BY role, kind DESC, place"""  # noqa: S608 - of constants here


def _pairs(column: str, a: str, b: str, where: str, left: str, right: str) -> str:
    """Ratios over the same tensors, which differ in one column alone."""
    same = [key for key in ("model", "role", "layer", "phase", "precision") if key != column]
    same += [] if column == "sparsity" else ["pruning", "sparsity"]
    join = " AND ".join(f"a.{key} = b.{key}" for key in ("codec", *same))
    sums = ", ".join(
        f"SUM(CAST({side}.raw_bits AS DOUBLE)) / SUM(CAST({side}.coded_bits AS DOUBLE)) AS {name}"
        for side, name in (("a", left), ("b", right))
    )
    sized = " AND ".join(
        f"{side}.split = 'test' AND {side}.status = 'ok' AND {side}.lossless" for side in ("a", "b")
    )
    return f"""WITH paired AS (
  SELECT a.codec, {sums}, COUNT(*) AS tensors
  FROM cells AS a JOIN cells AS b ON {join}
  WHERE a.{column} {a} AND b.{column} {b} AND {sized}{where}
  GROUP BY a.codec
)
SELECT codec, {left}, {right}, {right} / {left} AS change, tensors FROM paired
WHERE tensors = (SELECT MAX(tensors) FROM paired) ORDER BY {left} DESC, codec"""  # noqa: S608 - of constants here


def _roles(rows: list[Row]) -> str:
    best = [row for row in rows if row.get("place", 1) == 1 and row.get("kind", "software") == "software"]
    return "; ".join(f"{row['role']}: {row['codec']}, {row['ratio']:.3f}" for row in best)


def _which(rows: list[Row]) -> str:
    return f"By role, the highest total ratios over the test traces are: {_roles(rows)}."


def _at_a_cost(rows: list[Row]) -> str:
    hardware = [row for row in rows if row["kind"] == "hardware" and row["place"] == 1]
    circuits = "; ".join(
        f"{row['role']}: {row['codec']}, {row['ratio']:.3f} at {row['bytes_per_cycle']:.1f} B/cycle"
        for row in hardware
    )
    software = f"In software: {_roles(rows)}."
    return f"{software} " + (f"In hardware: {circuits}." if circuits else "No hardware model has all sizes.")


def _change(left: str, right: str) -> dict[str, Any]:
    def sentence(rows: list[Row]) -> str:
        first = rows[0]
        best = max(rows, key=lambda row: (row["b_ratio"], row["codec"]))
        down = sum(row["change"] < 1 for row in rows)
        return (
            f"Over the same {first['tensors']} tensors, {first['codec']} is best on {left} with "
            f"{first['a_ratio']:.3f} and reaches {first['b_ratio']:.3f} on {right}, where {best['codec']} is "
            f"best with {best['b_ratio']:.3f}; {down} of {len(rows)} codecs have a lower ratio on {right}."
        )

    return {"sentence": sentence, "sides": (left, right)}


def _lossy(rows: list[Row]) -> str:
    first = rows[0]
    return (
        f"The highest lossy total ratio is {first['ratio']:.3f} by {first['codec']}, at a mean squared error "
        f"of {first['mse']:.3g} on average over its traces. What it costs in accuracy is not in the records: "
        "for that, the model has to be evaluated with decoded tensors."
    )


def _gates(rows: list[Row]) -> str:
    small = min(rows, key=lambda row: (row["area_ge"], row["codec"]))
    frugal = min(rows, key=lambda row: (row["pj_per_byte"], row["codec"]))
    return (
        f"Of {len(rows)} models, the smallest is {small['codec']} with {small['area_ge']:.0f} GE for both "
        f"directions; {frugal['codec']} takes least energy, {frugal['pj_per_byte']:.3g} pJ per byte "
        "compressed and decompressed. Origin and source of every figure are in leaderboard.md."
    )


_GATES = """SELECT codec,
  SUM(CASE WHEN figure IN ('compressor_area_ge', 'decompressor_area_ge') THEN value END) AS area_ge,
  SUM(CASE WHEN figure IN ('compress_latency_cycles', 'decompress_latency_cycles') THEN value END)
    AS latency_cycles,
  SUM(CASE WHEN figure IN ('compress_pj_per_byte', 'decompress_pj_per_byte') THEN value END) AS pj_per_byte
FROM figures GROUP BY codec ORDER BY area_ge, codec"""

AREA_AND_ENERGY = (
    *("compressor_area_ge", "decompressor_area_ge", "compress_pj_per_byte", "decompress_pj_per_byte"),
)

QUESTIONS = (
    Question(
        "Q1",
        "Which compression techniques match ML data best?",
        f"""{_complete("", "TRUE")}, placed AS (
  SELECT sized.role, codec, ratio, sized.traces,
    ROW_NUMBER() OVER (PARTITION BY sized.role ORDER BY ratio DESC) AS place
  FROM sized JOIN every ON sized.role = every.role AND sized.traces = every.traces
)
SELECT role, place, codec, ratio, traces FROM placed WHERE place <= 3 ORDER BY role, place""",  # noqa: S608 - of constants here
        _which,
        "a codec with a verified size of every test trace of a role",
    ),
    Question(
        "Q2",
        "What compression is possible for input bandwidth (weights, inputs), and at what overhead?",
        _best("(role = 'weights' OR tensor_kind IN ('input', 'embedding'))"),
        _at_a_cost,
        "test traces of weights or of inputs",
    ),
    Question(
        "Q3",
        "What compression is possible for intermediate results (activations, KV, errors), and at what "
        "overhead?",
        _best("role IN ('activations', 'kv', 'errors')"),
        _at_a_cost,
        "test traces of activations, kv or errors",
    ),
    Question(
        "Q4",
        "Does training data compress differently from inference data?",
        _pairs("phase", "= 'inference'", "= 'training-end'", "", "a_ratio", "b_ratio"),
        missing="tensors that were traced both in inference and at the end of training",
        **_change("inference", "the end of training"),
    ),
    Question(
        "Q5",
        "What does quantisation do to it: is it as effective on INT8 as on FP32?",
        _pairs("precision", "= 'float32'", "= 'int8'", "", "a_ratio", "b_ratio"),
        missing="tensors that were traced both as float32 and as int8",
        **_change("float32", "int8"),
    ),
    Question(
        "Q6",
        "What does pruning do to it: is it as effective on sparse models as on dense ones?",
        _pairs("sparsity", "= 0.0", "= 0.9", " AND b.pruning = 'magnitude'", "a_ratio", "b_ratio"),
        missing="tensors that were traced both dense and pruned by 90 % (magnitude)",
        **_change("dense tensors", "those of models pruned by 90 %"),
    ),
    Question(
        "Q7",
        "Is lossy worth it: what does it gain, and what does it cost in accuracy?",
        f"""SELECT codec, {_RATIO.format(bits="coded_bits")} AS ratio,
  AVG(mse) AS mse, MAX(max_error) AS max_error, COUNT(*) AS traces
FROM cells WHERE split = 'test' AND status = 'ok' AND NOT lossless
GROUP BY codec ORDER BY ratio DESC, codec""",  # noqa: S608 - of constants here
        _lossy,
        "rows of lossy codecs, and the accuracy of models that ran on what these decoded",
    ),
    Question(
        "Q8",
        "What does the compressor cost in hardware: gates, cycles, energy?",
        _GATES,
        _gates,
        "hardware models with area (GE) and energy (pJ per byte) among their figures in run.json",
        AREA_AND_ENERGY,
    ),
)


def answer(question: Question, table: pl.DataFrame, facts: Facts) -> Answer:
    """Run a question's query over a run's results and facts."""
    figures = figures_of(facts)
    known = set(figures["figure"])
    if any(name not in known for name in question.needs):
        return Answer(question, f"Not answered by this run: it lacks {question.missing}.", [])
    rows = pl.SQLContext(cells=table, figures=figures).execute(question.query).collect().to_dicts()
    rows = [row for row in rows if all(row[name] is not None for name in list(row)[:1])]
    if not rows:
        return Answer(question, f"Not answered by this run: it lacks {question.missing}.", [])
    return Answer(question, question.sentence(rows), rows)


def figures_of(facts: Facts) -> pl.DataFrame:
    """The hardware figures of a run as a table: codec, figure, value, unit, origin, source."""
    schema = dict.fromkeys(("codec", "figure", "unit", "origin", "source"), pl.String) | {"value": pl.Float64}
    rows = [
        {"codec": codec, "figure": name, **figure, "value": float(figure["value"])}
        for codec, figures in facts.get("hardware", {}).items()
        for name, figure in figures.items()
    ]
    return pl.DataFrame(rows, schema=schema)


def markdown(table: pl.DataFrame, facts: Facts) -> str:
    """All questions with their answers, tables and queries."""
    corpus = facts["corpus"]
    parts = [
        "# Squeezemark: eight questions",
        f"Answered from the records over corpus '{corpus['name']}' {corpus.get('version')}, digest "
        f"{corpus['digest']}. Each query is what made its table: `cells` is results.parquet, `figures` the "
        "table of run.json's hardware figures; see docs/verifying.md. MB / CPU "
        "s is encoding and decoding together, on the machine of the run, and no benchmark.",
    ]
    for question in QUESTIONS:
        found = answer(question, table, facts)
        parts += [f"## {question.key}. {question.text}", found.sentence]
        if found.rows:
            shown = found.shown()
            parts.append(markdown_table(Section("", "", question.columns(shown[0]), shown)))
            if len(shown) < len(found.rows):
                parts.append(f"The first {len(shown)} of {len(found.rows)} rows.")
        parts.append(f"```sql\n{question.query}\n```")
    return "\n\n".join(parts) + "\n"
