"""Tables of technology, components and memories, and what follows from them."""

import math

import pytest

from hwmodels.figures import Circuit, component, components
from hwmodels.memories import memories
from hwmodels.technology import area_factor, energy_factor


def test_every_memory_says_what_it_moves_and_where_the_figures_are_from():
    assert len({memory.name for memory in memories()}) == len(memories()) >= 7
    for memory in memories():
        assert memory.granule_bytes in (32, 64), "the granules that results hold"
        assert memory.bandwidth_gb_s > 0
        assert memory.pj_per_bit > 0
        assert memory.origin in ("published", "estimate")
        assert memory.bandwidth_source
        assert memory.energy_source


def test_a_compressor_pays_from_the_break_even_ratio_on():
    memory = memories()[0]
    circuit_pj = 10.0
    ratio = memory.break_even_ratio(circuit_pj)
    assert memory.compressed_pj_per_byte(ratio, circuit_pj) == pytest.approx(memory.pj_per_byte)
    assert memory.compressed_pj_per_byte(ratio + 0.1, circuit_pj) < memory.pj_per_byte
    assert memory.break_even_ratio(memory.pj_per_byte) == math.inf


def test_bandwidth_grows_by_the_ratio_until_the_decompressor_is_full():
    memory = memories()[0]
    assert memory.effective_bandwidth_gb_s(1.5, 1000) == 1.5 * memory.bandwidth_gb_s
    assert memory.effective_bandwidth_gb_s(1.5, 2) == 2


def test_scaling_is_the_papers_at_its_nodes_and_between_them_elsewhere():
    assert area_factor(7, 45) == 0.059
    assert area_factor(45, 45) == energy_factor(45, 45) == 1
    assert area_factor(32) < area_factor(40) == 1 < area_factor(45)
    at_45 = 1.103 * 0.81 - 0.362 * 0.9 + 0.2767
    at_7 = 0.1776 * 0.81 - 0.09097 * 0.9 + 0.02447
    assert energy_factor(7, 45) == pytest.approx(at_7 / at_45)
    with pytest.raises(ValueError, match="5 nm is not legal: 7 to 130 nm"):
        area_factor(5)


def test_a_circuit_is_the_sum_of_its_parts():
    adder, bit = component("adder32"), component("register_bit")
    circuit = Circuit({"adder32": 2, "register_bit": 8}, cycles_per_line=3, activity=0.5)
    assert circuit.area_ge == pytest.approx(2 * adder.area_ge + 8 * bit.area_ge)
    assert circuit.line_pj == pytest.approx(1.5 * (2 * adder.energy_pj + 8 * bit.energy_pj))
    with pytest.raises(ValueError, match="no component 'adder33'; did you mean 'adder32'"):
        component("adder33")
    assert all(part.source for part in components().values())
