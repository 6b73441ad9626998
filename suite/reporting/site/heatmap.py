"""The heat map: every codec on every cell of the design (role × precision × pruning)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from suite.reporting.breakdowns import PRECISIONS
from suite.reporting.report import Report
from suite.reporting.site.charts import DIGITS, Chart, altair, finished
from suite.reporting.site.payload import level_name, rounded
from tracegen.corpus import ROLES

STEP = 14  # pixels
KEYS = ("trace", "role", "precision", "sparsity", "pruning", "codec", "raw_bits", "coded_bits")


def heatmap(report: Report) -> Chart | None:
    """Each codec's total ratio as a share of the column's best; None where fewer than two columns are."""
    ranked = [row["codec"] for row in report.board.rows if row["rank"]]
    columns = _columns(report, set(ranked))
    if len(columns) < 2 or not ranked:
        return None
    values = []
    for (role, label), ratios in columns.items():
        best = max(ratios.values())
        values += [
            {
                "codec": codec,
                "role": role,
                "cell": label,
                "ratio": rounded(ratios[codec], DIGITS),
                "share": rounded(ratios[codec] / best, 4),
            }
            for codec in ranked
        ]
    roles = list(dict.fromkeys(role for role, _ in columns))
    text = (
        f"Heat map of {len(ranked)} codecs by {len(columns)} cells of role, precision and pruning: how near "
        "each codec's total ratio comes to the best of the column."
    )
    return finished(
        "heatmap",
        "Share of the best ratio, by role, precision and pruning",
        text,
        _draw(values, ranked, roles),
        fluid=False,
    )


def _columns(report: Report, ranked: set[str]) -> dict[tuple[str, str], dict[str, float]]:
    """Ratios by codec of each (role, precision and pruning), in the order of roles, precisions and levels."""
    raw: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    coded: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for _, role, precision, sparsity, pruning, codec, raw_bits, coded_bits in (
        report.judged.select(KEYS).sort("trace").iter_rows()
    ):
        if codec in ranked:
            key = (_place(ROLES, role), _place(PRECISIONS, precision), sparsity, pruning or "")
            raw[key, role, precision][codec] += raw_bits
            coded[key, role, precision][codec] += coded_bits
    columns = {}
    for (key, role, precision), sizes in sorted(raw.items()):
        level = level_name(key[2], key[3])
        label = precision if level == "s0" else f"{precision} {level}"
        columns[role, label] = {
            codec: bits / coded[key, role, precision][codec] for codec, bits in sizes.items()
        }
    return columns


def _place(known: tuple[str, ...], value: str) -> int:
    return known.index(value) if value in known else len(known)


def _draw(values: list[dict[str, Any]], codecs: list[str], roles: list[str]) -> Any:  # noqa: ANN401
    """One panel for each role, side by side; names of codecs at the first."""
    alt = altair()
    panels = []
    for role in roles:
        mine = [value for value in values if value["role"] == role]
        order = list(dict.fromkeys(value["cell"] for value in mine))
        axis = alt.Axis(labelLimit=320) if role == roles[0] else None
        panels.append(
            alt.Chart(
                alt.Data(values=mine), title=alt.Title(role, fontSize=13, anchor="start", frame="group")
            )
            .mark_rect(aria=False)
            .encode(
                x=alt.X("cell:N", sort=order, title=None, axis=alt.Axis(labelAngle=-90, labelLimit=220)),
                y=alt.Y("codec:N", sort=codecs, title=None, axis=axis),
                color=alt.Color(
                    "share:Q",
                    scale=alt.Scale(scheme="viridis", domain=[0.4, 1], clamp=True),
                    legend=alt.Legend(
                        title="share of the column's best ratio",
                        format=".0%",
                        orient="top",
                        gradientLength=220,
                        titleLimit=400,
                    ),
                ),
                tooltip=[
                    alt.Tooltip("codec:N"),
                    alt.Tooltip("role:N"),
                    alt.Tooltip("cell:N"),
                    alt.Tooltip("ratio:Q", title="total ratio", format=".3f"),
                    alt.Tooltip("share:Q", title="of the best", format=".1%"),
                ],
            )
            .properties(width=alt.Step(STEP), height=alt.Step(STEP))
        )
    return alt.hconcat(*panels, spacing=10)
