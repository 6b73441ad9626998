"""Repeats until a median is known, inputs that are cold, conditions that are noted. Nothing here waits."""

import itertools

import numpy as np
import pytest

from suite import machine
from suite.measuring import clock, conditions
from suite.reporting import tables


class Ticks:
    """A clock that tells what it is given: each call of the timed function takes the next of `seconds`."""

    def __init__(self, seconds):
        self.now, self.seconds, self.calls = 0.0, itertools.chain(seconds), 0

    def perf_counter(self):
        return self.now

    def call(self, _):
        self.calls += 1
        self.now += next(self.seconds)


def repeats(monkeypatch, seconds):
    ticks = Ticks(seconds)
    monkeypatch.setattr(clock, "time", ticks)
    return clock.repeat(ticks.call, itertools.repeat(None)), ticks.calls


def test_warm_ups_go_on_until_they_get_no_faster_and_are_not_counted(monkeypatch):
    found, calls = repeats(monkeypatch, itertools.chain([9e-4, 3e-4, 1e-4], itertools.repeat(1e-4)))
    assert found == pytest.approx([1e-4] * clock.FIRST_REPEATS)
    assert calls == 4 + clock.FIRST_REPEATS


def test_a_call_that_spends_the_budget_is_made_once(monkeypatch):
    found, calls = repeats(monkeypatch, itertools.repeat(2.0))
    assert (found, calls) == ([2.0], 1)


def test_slow_calls_are_repeated_as_often_as_the_budget_allows(monkeypatch):
    found, calls = repeats(monkeypatch, itertools.repeat(0.012))
    assert len(found) == 2
    assert calls == 3


def test_a_noisy_median_gets_more_repeats_and_a_quiet_one_does_not(monkeypatch):
    noise = np.random.default_rng(1)
    noisy, _ = repeats(monkeypatch, (noise.uniform(2e-5, 8e-5) for _ in itertools.count()))
    quiet, _ = repeats(monkeypatch, itertools.repeat(5e-5))
    assert len(quiet) == clock.FIRST_REPEATS < len(noisy) <= clock.REPEATS_MAX
    dear, _ = repeats(monkeypatch, (noise.uniform(1e-3, 4e-3) for _ in itertools.count()))
    assert len(dear) == clock.FIRST_REPEATS, "their time is spent"


def test_the_interval_of_the_median_holds_it_as_often_as_it_says():
    noise = np.random.default_rng(2)
    for n in (5, 8, 11, 31):
        rank = clock._rank(n)
        held = 0
        for _ in range(2000):
            values = sorted(noise.normal() for _ in range(n))
            held += values[rank - 1] <= 0 <= values[-rank]
        assert held / 2000 > clock.CONFIDENCE - 0.03
    assert not clock._rank(4), "four repeats say too little"


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_cold_copy_comes_again_after_more_bytes_than_the_cache_holds(monkeypatch, dtype):
    monkeypatch.setattr(clock, "last_level_cache_bytes", lambda: 1 << 16)
    array = np.arange(1000).astype(dtype).reshape(10, 100)
    copies = clock.cold_copies(array)
    first = next(copies)
    assert first.dtype == array.dtype
    assert np.array_equal(first, array)
    between = 0
    for copy in copies:
        if np.shares_memory(copy, first):
            break
        between += copy.nbytes
    assert between > 1 << 16


def test_what_others_used_is_what_neither_we_nor_nobody_used():
    before = conditions.Usage(busy=100, stolen=1, total=1000, own=50)
    after = conditions.Usage(busy=150, stolen=4, total=1100, own=80)
    facts = conditions.shares(before, after)
    assert facts == {"steal_share": 0.03, "others_share": 0.2}
    assert machine.noise(facts | {"core": 1}) == [
        "the host took 3% of the cores' time away",
        "other programs used 20% of the cores' time",
    ]
    assert conditions.shares(None, after) == {}


def test_a_drifting_clock_is_noise_and_a_steady_one_is_not():
    assert machine.noise({"core": 1, "probe_s": [1.0, 1.01]}) == []
    assert "+20%" in machine.noise({"core": 1, "probe_s": [1.0, 1.2]})[0]
    assert machine.noise({}) == [], "nothing is known of older runs"


def document(phases):
    machine = {"cpu": "c", "usable_cores": 2, "system": "s", "python": "3"}
    run = {"machine": machine, "corpus": {"digest": "d"}, "phases": phases}
    return tables.times([], run).intro


def test_a_report_says_whether_its_times_are_noisy_where_that_was_noted():
    quiet, noisy = {"core": 1, "others_share": 0.01}, {"core": 1, "others_share": 0.5}
    assert len(document({"time": {}})) == 2
    assert "The machine was quiet while they were measured." in document({"time": {"conditions": [quiet]}})
    found = document({"time": {"conditions": [quiet, noisy]}})
    assert any(line.startswith("NOISY") and "50%" in line for line in found)
