"""Models of zero run-length formats and of streams: what differs from lines that decode alone."""

import numpy as np
import pytest

import hwmodels
from tensorcodecs import registry


def sparse(shape, dtype=np.float32):
    rng = np.random.default_rng(3)
    return np.where(rng.random(shape) < 0.1, rng.normal(0, 40, shape), 0).astype(dtype)


@pytest.mark.parametrize(
    ("name", "is_random"),
    [
        ("hw/rlc-eyeriss", False),
        ("hw/rlc-scnn", False),
        ("hw/csc", False),
        ("hw/rle-tenstorrent", True),
        ("hw/gist-csr-like", True),
        ("hw/gist-mask-like", True),
    ],
)
def test_streams_round_only_their_end_up_to_granules(name, is_random):
    model = hwmodels.get_model(name)
    sizes = model.sizes(sparse((64, 1024)))
    assert sizes.random_access is is_random
    loss_bits = sizes.effective_bits(64) - sizes.coded_bits
    assert (loss_bits < 512) is not is_random


def test_a_stream_is_as_long_as_its_frame():
    array = sparse((300, 40))
    sizes = hwmodels.get_model("hw/csc").sizes(array)
    frame_bits = 8 * len(registry.get_codec("csc").encode(array))
    assert sizes.coded_bits == frame_bits + 8
    assert sizes.payload_bits.size == array.nbytes // 64
    assert np.ptp(sizes.payload_bits) <= 1


def test_a_stream_knows_the_arrays_shape():
    column = np.zeros((128, 128), np.float32)
    column[:, 60] = 1
    arrays = (column, column.T.copy())
    along, across = (hwmodels.get_model("hw/csc").sizes(array).coded_bits for array in arrays)
    assert along < across, "a dense column has no gaps, a dense row one in each column"


def test_a_mask_and_the_words_are_zero_value_compression():
    array = sparse(5000, np.int8)
    mine, zvc = (
        hwmodels.get_model(f"{n}:line_bytes=256").sizes(array) for n in ("hw/gist-mask-like", "hw/zvc")
    )
    assert np.array_equal(mine.payload_bits, zvc.payload_bits)


@pytest.mark.parametrize("spec", ["hw/csc:line_bytes=100", "hw/rlc-scnn:line_bytes=32"])
def test_line_sizes_that_are_not_there_are_named(spec):
    with pytest.raises(ValueError, match=r"is not legal: one of .*; nearest is"):
        hwmodels.get_model(spec)


def test_figures_recalled_of_eie_are_estimates_beside_the_model():
    figures = hwmodels.get_model("hw/csc").figures
    assert figures["element_area_mm2"].origin == figures["element_power_mw"].origin == "estimate"
    assert figures["decompressor_area_ge"].origin == "modelled"
