"""The hardware tables follow from the records and the run's own facts."""

import re

import pytest

from suite.measuring import hardware_facts
from suite.reporting import hardware, tables

ROWS = [
    {"codec": "hw/bdi:line_bytes=64", "rank": 1, "effective_ratio_32": 1.5, "effective_ratio_64": 1.2},
    {"codec": "hw/bdi:line_bytes=128", "rank": 2, "effective_ratio_32": 1.4, "effective_ratio_64": 1.1},
    {"codec": "hw/bdi:line_bytes=64:layout=nhwc", "rank": 3, "effective_ratio_32": 1.3}
    | {"effective_ratio_64": 1.0},
]


@pytest.fixture
def sections():
    facts = hardware_facts.hardware_facts([row["codec"] for row in ROWS])
    return {section.title: section for section in hardware.sections(ROWS, facts)}


def test_one_row_a_scheme_holds_every_line_size_and_layout(sections):
    [row] = sections["Line sizes and layouts"].rows
    assert (row["codec"], row["access"]) == ("hw/bdi", "line")
    assert (row["64-nchw"], row["128-nchw"], row["64-nhwc"]) == (1.5, 1.4, 1.3)


def test_every_cost_says_its_origin_and_stands_for_64_byte_lines(sections):
    [cells] = sections["Gates, cycles, energy"].body()
    assert cells[1] == "hw/bdi:line_bytes=64"
    assert all(re.fullmatch(r"[\d,.]+[ᵖˢᵐᵉ]", cell) for cell in cells[2:])


def test_energy_and_bandwidth_go_by_the_memorys_own_granule(sections):
    facts = hardware_facts.hardware_facts([ROWS[0]["codec"]])
    figures = {name: f["value"] for name, f in facts["hardware"][ROWS[0]["codec"]].items()}
    circuit_pj = (figures["compress_pj_per_byte"] + figures["decompress_pj_per_byte"]) / 2
    [energy], [speed] = sections["Energy on each memory"].rows, sections["Bandwidth of one channel"].rows
    for memory in facts["memories"]:
        effective = ROWS[0][f"effective_ratio_{memory['granule_bytes']}"]
        expected = 8 * memory["pj_per_bit"] / effective + circuit_pj
        assert energy[memory["name"]] == pytest.approx(expected)
        assert speed[memory["name"]] == pytest.approx(min(64, effective * memory["bandwidth_gb_s"]))


def test_results_without_areas_get_no_table():
    old = {"hardware": {"hw/bdi:line_bytes=64": {"compress_latency_cycles": {}}}}
    assert hardware.sections(ROWS, old) == []


def test_a_scheme_has_one_main_row():
    facts = hardware_facts.hardware_facts([row["codec"] for row in ROWS])["hardware_models"]
    assert [tables.is_main(facts, row["codec"]) for row in ROWS] == [True, False, False]
