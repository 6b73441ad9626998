"""Contract of every hardware model, parametrised over the registry: a new model brings no test code."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwmodels
from hwmodels.figures import FIGURES
from hwmodels.layouts import LAYOUTS, STORED
from hwmodels.streams import StreamModel

ORACLES = Path(__file__).parents[1] / "golden" / "oracles"

MODELS = list(hwmodels.default_specs())

words = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]),
    st.integers(0, 200),
    elements=st.sampled_from([0, 0, 0, 1, 2, 127, 128, 255]),
)


@pytest.fixture(params=MODELS)
def model(request):
    return hwmodels.get_model(request.param)


def test_the_spec_round_trips(model):
    assert hwmodels.get_model(model.spec).spec == model.spec


def test_it_says_what_it_is_and_where_every_figure_is_from(model):
    assert model.title
    assert model.source
    assert model.revision
    assert set(FIGURES) <= set(model.figures)
    for figure in model.figures.values():
        assert figure.value > 0
        assert figure.unit
        assert figure.source
        assert figure.origin in ("published", "synthesised", "modelled", "estimate")
        if "recalled" in figure.source:
            assert figure.origin == "estimate"


@given(array=words)
@pytest.mark.parametrize("spec", MODELS)
def test_sizes_follow_from_the_codecs_bits(spec, array):
    model = hwmodels.get_model(spec)
    sizes = model.sizes(array)
    bits = sizes.payload_bits if isinstance(model, StreamModel) else model.codec.block_bits(array)
    line_bits = 8 * model.line_bytes
    assert len(sizes.payload_bits) == len(bits) == -(-array.nbytes // model.line_bytes)
    assert sizes.payload_bits.min(initial=0) >= 0
    assert sizes.payload_bits.max(initial=0) <= line_bits, "the bypass rule: never above the raw line"
    beside = len(bits) * model.metadata_bits + sizes.shared_bits
    assert sizes.coded_bits == sizes.payload_bits.sum() + beside
    # A line shorter than raw holds all that the codec packs, but for what the metadata says.
    shorter = (sizes.payload_bits < line_bits) & (sizes.payload_bits > 0)
    assert (sizes.payload_bits[shorter] >= bits[shorter] - model.metadata_bits).all()
    for granule_bytes in (32, 64):
        effective = sizes.effective_bits(granule_bytes)
        assert effective >= sizes.coded_bits
        assert (effective - len(bits) * model.metadata_bits - sizes.shared_bits) % (8 * granule_bytes) == 0
    assert np.array_equal(np.asarray(model.decode(model.encode(array))).view(array.dtype), array)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (7, 9), (), (2, 0, 3, 1)])
def test_it_gives_back_every_bit_in_the_arrays_own_order(model, shape):
    array = np.random.default_rng(1).integers(0, 4, shape).astype(np.float32)
    assert np.asarray(model.decode(model.encode(array))).tobytes() == array.tobytes()


@pytest.mark.parametrize("shape", [(7, 9), (2, 30, 4), (2, 3, 4, 5)])
def test_an_array_in_fortran_order_lies_in_memory_as_its_transpose_does(model, shape):
    if model.layout != STORED and len(shape) == 4:
        pytest.skip("it goes by the dimensions: the next test")
    array = np.asfortranarray(np.random.default_rng(1).integers(0, 4, shape).astype(np.float32))
    assert model.sizes(array).payload_bits.tolist() == model.sizes(array.T).payload_bits.tolist()
    assert np.asarray(model.decode(model.encode(array))).tobytes() == array.tobytes("A")
    out = np.empty_like(array)
    assert np.asarray(model.decode(model.encode(array), out)).tobytes() == array.tobytes("A")
    assert np.array_equal(out, array)


@pytest.mark.parametrize("shape", [(7, 9), (2, 3, 4, 5)])
def test_channels_last_goes_by_the_dimensions_whatever_the_order_was(shape):
    model = hwmodels.get_model("hw/zvc:layout=nhwc")
    array = np.random.default_rng(1).integers(0, 4, shape).astype(np.float32)
    turned = np.asfortranarray(array)
    if len(shape) == 4:
        assert model.encode(turned) == model.encode(array)
    expected = array if len(shape) == 4 else turned
    out = np.empty_like(expected)
    decoded = np.asarray(model.decode(model.encode(turned), out)).tobytes()
    assert decoded == expected.tobytes("A")
    assert np.array_equal(out, array)


def test_channels_last_puts_a_pixels_channels_into_one_line():
    image = np.zeros((1, 16, 4, 4), np.float32)
    image[0, :, 2, 1] = 1  # all channels of one pixel
    lines = {layout: hwmodels.get_model(f"hw/zvc:layout={layout}").sizes(image) for layout in LAYOUTS}
    assert np.count_nonzero(lines["nchw"].payload_bits) == 16
    assert np.count_nonzero(lines["nhwc"].payload_bits) == 1


def test_zeros_shrink_and_noise_is_stored_raw(model):
    n_bytes = max(256, model.line_bytes)
    zeros, noise = np.zeros(n_bytes, np.uint8), np.random.default_rng(0).integers(1, 256, n_bytes, np.uint8)
    lines, sizes = n_bytes // model.line_bytes, model.sizes(noise)
    assert model.sizes(zeros).coded_bits < 8 * n_bytes / 4
    assert sizes.coded_bits == 8 * n_bytes + lines * model.metadata_bits + sizes.shared_bits


@pytest.mark.parametrize("name", ["hw/bdi", "hw/zvc"])
def test_where_the_metadata_tells_a_line_of_zeros_nothing_is_moved(name):
    sizes = hwmodels.get_model(name).sizes(np.zeros(256, np.uint8))
    assert sizes.effective_bits(64) == 4 * sizes.metadata_bits


def test_cycles_begin_with_the_latency_and_grow_with_the_data(model):
    def cycles(n_bytes):
        return model.decompress_cycles(np.zeros(n_bytes, np.uint8))

    first, second = cycles(1), cycles(model.line_bytes + 1)
    assert cycles(0) == 0
    assert first == model.figures["decompress_latency_cycles"].value
    if type(model).decompress_cycles is hwmodels.HardwareModel.decompress_cycles:
        assert second - first == model.line_bytes / model.figures["decompress_bytes_per_cycle"].value
    else:
        assert second > first


def test_zvc_counts_its_mask():
    line = np.zeros(16, np.float32)
    line[3] = 1.5
    sizes = hwmodels.get_model("hw/zvc:line_bytes=64").sizes(line)
    assert sizes.payload_bits.tolist() == [16 + 32]
    assert sizes.metadata_bits == 2
    assert sizes.effective_bits(32) == 256 + 2


BDI_COLUMNS = ("zero", "rep8", "b8d1", "b8d2", "b8d4", "b4d1", "b4d2", "b2d1")


@pytest.mark.parametrize("path", sorted(ORACLES.glob("*.lines64.csv")), ids=lambda path: path.name)
def test_bdi_lines_are_as_small_as_gem5s(path):
    with path.open() as file:
        gem5 = [min(int(row[column]) for column in BDI_COLUMNS) for row in csv.DictReader(file)]
    array = np.load(ORACLES / f"{path.name.partition('.')[0]}.npy")
    ours = hwmodels.get_model("hw/bdi:line_bytes=64").sizes(array).payload_bits.tolist()
    # gem5 refuses the delta -2^(k-1), which two's complement has: where we differ, we are smaller.
    assert all(mine <= theirs for mine, theirs in zip(ours, gem5, strict=True))
    assert np.mean(np.array(ours) == np.array(gem5)) > 0.98
