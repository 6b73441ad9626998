"""What hardware models cost, and what they do to a memory: tables made of a run's facts alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hwmodels import figures as hw_figures
from hwmodels.layouts import STORED
from hwmodels.memories import CLOCK_GHZ, Memory
from suite.reporting.tables import CODEC, RANK, Column, Section, is_main, ratio
from suite.results import Row

Figures = Mapping[str, Any]

NAND2_UM2 = 0.63
"""At 40 nm: Nangate45's 0.798 um2 scaled by (40/45)^2."""
MARKS = {"published": "ᵖ", "synthesised": "ˢ", "modelled": "ᵐ", "estimate": "ᵉ"}
_HEADINGS = {
    "compressor_area_ge": "compressor GE",
    "decompressor_area_ge": "decompressor GE",
    "compress_latency_cycles": "compress, cycles",
    "decompress_latency_cycles": "decompress, cycles",
    "compress_bytes_per_cycle": "compress, B/cycle",
    "decompress_bytes_per_cycle": "decompress, B/cycle",
    "compress_pj_per_byte": "compress, pJ/B",
    "decompress_pj_per_byte": "decompress, pJ/B",
}


def sections(rows: Sequence[Row], run: Mapping[str, Any]) -> list[Section]:
    """The tables of cost and memory; none for results that know nothing of gates and energy."""
    figures = run.get("hardware", {})
    known = [row for row in rows if "compressor_area_ge" in figures.get(row["codec"], {})]
    if not known:
        return []
    moved = [Memory(**fields) for fields in run["memories"]]
    main = [row for row in known if is_main(run["hardware_models"], row["codec"])]
    return [
        _lines(known, run["hardware_models"]),
        _costs(main, figures),
        _nodes(main, figures, run["technology"]),
        _energy(main, figures, moved),
        _break_even(main, figures, moved),
        _bandwidth(main, figures, moved),
    ]


def _lines(rows: Sequence[Row], models: Mapping[str, Any]) -> Section:
    """One row per scheme, one column per line size and layout."""
    table: dict[str, Row] = {}
    for row in rows:
        model = models[row["codec"]]
        scheme = table.setdefault(_scheme(row["codec"]), {"codec": _scheme(row["codec"])})
        scheme[f"{model['line_bytes']}-{model['layout']}"] = row["effective_ratio_32"]
        scheme["access"] = "line" if model["random_access"] else "stream"
    keys = {key for row in table.values() for key in row} - {"codec", "access"}
    sizes = sorted(int(key.split("-")[0]) for key in keys if key.endswith(STORED) and key[0].isdigit())
    columns = [CODEC, Column("access", "access")]
    columns += [Column(f"{size}-{STORED}", f"{size} B", ratio) for size in sizes]
    if "64-nhwc" in keys:
        columns.append(Column("64-nhwc", "64 B, NHWC", ratio))
    note = (
        "Effective ratio at a 32-B granule by bytes of a line, in the order NCHW that the corpus keeps, and "
        "with channels last (NHWC), which moves the values of 4-d tensors alone. A stream gives up decoding "
        "a line without those before it, and is rounded up at its end only."
    )
    return Section("Line sizes and layouts", note, tuple(columns), list(table.values()))


def _scheme(spec: str) -> str:
    """The spec without line size and layout."""
    parts = [part for part in spec.split(":") if not part.startswith(("line_bytes=", "layout="))]
    return ":".join(parts)


def _costs(rows: Sequence[Row], figures: Figures) -> Section:
    body = []
    for row in rows:
        own = figures[row["codec"]]
        body.append(
            {"rank": row["rank"], "codec": row["codec"]}
            | {name: f"{_short(own[name]['value'])}{MARKS[own[name]['origin']]}" for name in _HEADINGS}
        )
    columns = tuple(Column(name, heading) for name, heading in _HEADINGS.items())
    note = (
        "Latency of one line, raw bytes a cycle, gate equivalents (GE, over a NAND2), energy per raw byte at "
        f"{hw_figures.REFERENCE_NM} nm. Origin: ᵖ published, ˢ synthesised, ᵐ modelled from the circuit's "
        "parts (no wires, control or clock tree), ᵉ estimate. Each figure's source is in the notes below."
    )
    return Section("Gates, cycles, energy", note, (RANK, CODEC, *columns), body)


def _nodes(rows: Sequence[Row], figures: Figures, factors: Mapping[str, Sequence[float]]) -> Section:
    columns, body = [], [{"codec": row["codec"]} for row in rows]
    for node, (area, energy) in factors.items():
        columns += [
            Column(f"um2-{node}", f"µm² at {node} nm", lambda v: f"{v:,.0f}"),
            Column(f"pj-{node}", f"pJ/B at {node} nm", lambda v: f"{v:.3g}"),
        ]
        for row in body:
            own = figures[row["codec"]]
            gates = own["compressor_area_ge"]["value"] + own["decompressor_area_ge"]["value"]
            row[f"um2-{node}"] = gates * NAND2_UM2 * area
            row[f"pj-{node}"] = _circuit_pj(own) * energy
    note = (
        "Both circuits' area, and the mean of compressing and decompressing a byte, scaled from 40 nm after "
        "Stillmaker and Baas, Integration 58 (2017), at 0.9 V."
    )
    return Section("At other technology nodes", note, (CODEC, *columns), body)


def _energy(rows: Sequence[Row], figures: Figures, moved: Sequence[Memory]) -> Section:
    columns, body = [], [{"codec": row["codec"]} for row in rows]
    for memory in moved:
        heading = f"{memory.name}{MARKS[memory.origin]}, raw {memory.pj_per_byte:.3g}"
        columns.append(Column(memory.name, heading, lambda v: f"{v:.3g}"))
        for out, row in zip(body, rows, strict=True):
            effective = row[f"effective_ratio_{memory.granule_bytes}"]
            out[memory.name] = memory.compressed_pj_per_byte(effective, _circuit_pj(figures[row["codec"]]))
    note = (
        "pJ per raw byte with the compressor, mean of a write (compress) and a read (decompress); the "
        "heading says what it takes without one. Bits moved are the effective ones at the memory's granule."
    )
    return Section("Energy on each memory", note, (CODEC, *columns), body)


def _break_even(rows: Sequence[Row], figures: Figures, moved: Sequence[Memory]) -> Section:
    columns = [
        Column("effective_ratio_32", "effective, 32-B granule", ratio),
        Column("effective_ratio_64", "effective, 64-B granule", ratio),
    ]
    body = [{**row} for row in rows]
    for memory in moved:
        columns.append(Column(memory.name, memory.name, _or_never))
        for row in body:
            row[memory.name] = memory.break_even_ratio(_circuit_pj(figures[row["codec"]]))
    note = "The effective ratio that pays for the compressor's own energy; what it reaches stands beside it."
    return Section("Break-even ratio", note, (CODEC, *columns), body)


def _bandwidth(rows: Sequence[Row], figures: Figures, moved: Sequence[Memory]) -> Section:
    columns, body = [], [{"codec": row["codec"]} for row in rows]
    for memory in moved:
        heading = f"{memory.name}, raw {memory.bandwidth_gb_s:g}"
        columns.append(Column(memory.name, heading, lambda v: f"{v:.1f}"))
        for out, row in zip(body, rows, strict=True):
            speed = figures[row["codec"]]["decompress_bytes_per_cycle"]["value"]
            effective = row[f"effective_ratio_{memory.granule_bytes}"]
            out[memory.name] = memory.effective_bandwidth_gb_s(effective, speed)
    for out, row in zip(body, rows, strict=True):
        cycles = figures[row["codec"]]["decompress_latency_cycles"]["value"]
        out["latency"] = cycles / CLOCK_GHZ
    latency = Column("latency", "added latency, ns", lambda v: f"{v:.3g}")
    note = (
        "Raw GB/s that one channel delivers when reading, at most what one decompressor gives at "
        f"{CLOCK_GHZ:g} GHz (an estimate, the same for all), and the first line's latency."
    )
    return Section("Bandwidth of one channel", note, (CODEC, *columns, latency), body)


def _circuit_pj(own: Mapping[str, Any]) -> float:
    """The circuit's energy per raw byte, mean of both directions."""
    return float(own["compress_pj_per_byte"]["value"] + own["decompress_pj_per_byte"]["value"]) / 2


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _or_never(value: float) -> str:
    return "never" if value == math.inf else ratio(value)
