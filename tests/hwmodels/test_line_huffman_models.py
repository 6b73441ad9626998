"""Engines with tables of values or bytes: what they learn is their codec's, and own tables are counted."""

import numpy as np
import pytest

import hwmodels

NAMES = ["hw/sc2", "hw/bytehuff", "hw/fvc"]


def few_values():
    frequent = np.array([3, 70_000, 1 << 30, 0xFFFFFFF0], np.uint32)
    return frequent[np.random.default_rng(2).integers(0, 4, 2048)]


@pytest.mark.parametrize("name", NAMES)
def test_an_own_table_is_counted_with_the_lines(name):
    model, array = hwmodels.get_model(f"{name}:table=own"), few_values()
    sizes = model.sizes(array)
    assert sizes.shared_bits == model.codec.block_and_table_bits(array)[1] > 0
    assert sizes.coded_bits == sizes.payload_bits.sum() + 2 * len(sizes.payload_bits) + sizes.shared_bits
    assert sizes.coded_bits < 8 * array.nbytes / 2
    assert not model.learns


@pytest.mark.parametrize("name", NAMES)
def test_a_profiled_table_is_the_codecs_state(name):
    model, array = hwmodels.get_model(name), few_values()
    assert model.learns
    state = model.fit([array])
    fitted = model.with_state(state)
    assert state == model.codec.fit([array])
    assert fitted.sizes(array).shared_bits == 0
    assert fitted.sizes(array).coded_bits < 8 * array.nbytes / 2
    assert np.array_equal(np.asarray(fitted.decode(fitted.encode(array))).view(array.dtype), array)
    unfitted = model.sizes(array)
    assert unfitted.payload_bits.tolist() == [512] * len(unfitted.payload_bits), (
        "nothing learned: lines are raw"
    )
