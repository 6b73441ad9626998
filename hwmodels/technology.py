"""From one technology node to another: area and energy of logic.

Stillmaker and Baas, *Scaling equations for the accurate prediction of CMOS device performance from 180 nm to
7 nm*, Integration 58 (2017): area factors and coefficients of the energy polynomials, as the tool
hwcomponents carries them in its module of technology scaling; the paper itself was not at hand.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwmodels.figures import REFERENCE_NM

SUPPLY_V = 0.9
NODES_NM = (40, 28, 16, 7)
"""Those that reports give area and energy at."""
_FILE = Path(__file__).parent / "data" / "technology.csv"


def area_factor(to_nm: float, from_nm: float = REFERENCE_NM) -> float:
    """Area at `to_nm` over area at `from_nm`, linear between the table's nodes; ValueError outside them."""
    return _at(to_nm, 1) / _at(from_nm, 1)


def energy_factor(to_nm: float, from_nm: float = REFERENCE_NM, supply_v: float = SUPPLY_V) -> float:
    """Energy of one operation at `to_nm` over that at `from_nm`, both at `supply_v` volts."""
    return _energy(to_nm, supply_v) / _energy(from_nm, supply_v)


def _energy(node_nm: float, supply_v: float) -> float:
    return sum(_at(node_nm, column) * supply_v ** (4 - column) for column in (2, 3, 4))


def _at(node_nm: float, column: int) -> float:
    nodes = _table()[::-1]  # ascending
    if not nodes[0, 0] <= node_nm <= nodes[-1, 0]:
        raise ValueError(f"node {node_nm:g} nm is not legal: {nodes[0, 0]:g} to {nodes[-1, 0]:g} nm")
    return float(np.interp(node_nm, nodes[:, 0], nodes[:, column]))


@functools.cache
def _table() -> npt.NDArray[np.float64]:
    return np.loadtxt(_FILE, delimiter=",", skiprows=1)
