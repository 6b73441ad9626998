"""Hardware figures with their origin, and those that follow from what a circuit is made of."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tensorcodecs.arrays import did_you_mean

Origin = Literal["published", "synthesised", "modelled", "estimate"]

FIGURES = (
    "compress_latency_cycles",
    "decompress_latency_cycles",
    "compress_bytes_per_cycle",
    "decompress_bytes_per_cycle",
    "compressor_area_ge",
    "decompressor_area_ge",
    "compress_pj_per_byte",
    "decompress_pj_per_byte",
)
"""The figures that every model gives: latency of one line, raw bytes a cycle, area in gate equivalents
(over a NAND2's), energy per raw byte at `REFERENCE_NM`."""

REFERENCE_NM = 40
_COMPONENTS_FILE = Path(__file__).parent / "data" / "components.csv"


@dataclass(frozen=True)
class Figure:
    """A hardware figure with its origin; one without a source is an `estimate`."""

    value: float
    unit: str
    origin: Origin
    source: str


@dataclass(frozen=True)
class Component:
    """A building block: area in gate equivalents, energy of one use in pJ at `REFERENCE_NM`."""

    area_ge: float
    energy_pj: float
    source: str


@dataclass(frozen=True)
class Circuit:
    """What a compressor or decompressor is made of, and for how many cycles a line keeps it at work.

    parts: how many of each component of data/components.csv.
    activity: share of the parts that switch in a cycle of work.
    """

    parts: Mapping[str, float]
    cycles_per_line: float
    activity: float = 1.0

    @property
    def area_ge(self) -> float:
        """Gate equivalents of all parts; wires, control and clock tree are not in it."""
        return sum(count * component(name).area_ge for name, count in self.parts.items())

    @property
    def line_pj(self) -> float:
        """Energy to work on one line, pJ at `REFERENCE_NM`."""
        cycle_pj = sum(count * component(name).energy_pj for name, count in self.parts.items())
        return cycle_pj * self.activity * self.cycles_per_line


def circuit_figures(compressor: Circuit, decompressor: Circuit, line_bytes: int) -> dict[str, Figure]:
    """Area and energy of both circuits, modelled from their parts; published ones may be put over them."""
    figures = {}
    for who, what, circuit in (
        ("compressor", "compress", compressor),
        ("decompressor", "decompress", decompressor),
    ):
        parts = " + ".join(f"{count:g} {name}" for name, count in circuit.parts.items())
        energy = f"{parts}; {circuit.cycles_per_line:g} cycles a line, activity {circuit.activity:g}"
        figures[f"{who}_area_ge"] = Figure(circuit.area_ge, "GE", "modelled", parts)
        figures[f"{what}_pj_per_byte"] = Figure(circuit.line_pj / line_bytes, "pJ/B", "modelled", energy)
    return figures


@functools.cache
def components() -> dict[str, Component]:
    """Every component by name."""
    with _COMPONENTS_FILE.open(encoding="utf-8", newline="") as file:
        return {
            row["component"]: Component(float(row["area_ge"]), float(row["energy_pj"]), row["source"])
            for row in csv.DictReader(file)
        }


def component(name: str) -> Component:
    """The component called `name`; ValueError with the nearest match where there is none."""
    if name not in components():
        raise ValueError(f"no component {name!r}{did_you_mean(name, tuple(components()))}")
    return components()[name]
