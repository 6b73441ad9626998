"""Anyone's model in other number formats, with layers for codecs to learn from."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tensorcodecs.quantisers import store_tensor, store_weights  # noqa: E402
from tracegen.corpus import Corpus, CorpusError  # noqa: E402

nn = torch.nn


def net(blocks=4):
    torch.manual_seed(3)
    return nn.Sequential(*(layer for _ in range(blocks) for layer in (nn.Linear(16, 16), nn.ReLU())))


def batches(n, scale=1.0):
    return [scale * torch.randn(8, 16, generator=torch.Generator().manual_seed(i)) for i in range(n)]


@pytest.fixture
def captured(tmp_path):
    """`captured(batches, **options)`: (array, trace, attributes) by (variant, role, layer), and notes."""

    def captured(inputs, model=None, **options):
        model = net() if model is None else model
        with tracegen.capture(model, tmp_path / "mine", model_name="net", **options) as recorder:
            for batch in inputs:
                model(batch).sum().backward()
        with Corpus.open(tmp_path / "mine") as corpus:
            assert [wrong for _, wrong in corpus.verify() if wrong] == []
            found = {
                (t.variant, t.role, t.layer): (corpus.read(t), t, corpus.attributes(t)) for t in corpus.traces
            }
        return found, recorder.notes

    return captured


def test_tensors_are_stored_as_the_standard_corpus_stores_them(captured):
    model, (batch,) = net(), batches(1)
    found, _ = captured([batch], model, precisions=["int8", "bf16", "fp8_e4m3", "int4"])
    weights = found["float32-s0", "weights", "0"][0]
    for precision in ("int8", "bfloat16", "float8_e4m3fn", "int4"):
        array, trace, attributes = found[f"{precision}-s0", "weights", "0"]
        expected = store_weights(weights, precision)
        assert array.tobytes() == expected.words.tobytes(), precision
        assert trace.precision == precision
        for key, value in expected.attributes.items():
            np.testing.assert_array_equal(attributes[key], value)
    relu = found["float32-s0", "activations", "1"][0]
    own = store_tensor(relu, "int8", float(relu.min()), float(relu.max()))
    assert found["int8-s0", "activations", "1"][0].tobytes() == own.words.tobytes()
    assert ("int8-s0", "weights", "0.bias") not in found, "biases stay as they are"
    assert ("int4-s0", "activations", "1") not in found, "few bits are for weights"
    assert ("int8-s0", "errors", "1") in found
    assert ("int8-s0", "gradients", "0") in found


def test_ranges_come_from_other_batches_that_are_not_captured(captured):
    wide, narrow = batches(2, scale=50.0), batches(3)[2:]
    found, _ = captured([*wide, *narrow], precisions="int8", calibrate=2)
    model = net()
    with torch.no_grad():
        ranges = [model[:2](batch) for batch in wide]
        expected = model[:2](narrow[0]).numpy()
    low, high = (float(getattr(torch.cat(ranges), end)()) for end in ("min", "max"))
    np.testing.assert_array_equal(found["float32-s0", "activations", "1"][0], expected)
    stored = store_tensor(expected, "int8", low, high)
    array, _, attributes = found["int8-s0", "activations", "1"]
    assert array.tobytes() == stored.words.tobytes()
    assert attributes["scale"] == pytest.approx(high / 127)


def test_a_cut_tensor_has_the_range_of_the_whole_one(captured):
    batch = torch.zeros(8, 16)
    batch[-1] = 1000.0
    found, _ = captured([batch], precisions="int8", max_bytes=64)
    array, trace, attributes = found["int8-s0", "activations", "0"]
    assert trace.shape == (1, 16)
    with torch.no_grad():
        whole = net()[0](batch).numpy()
    assert attributes["scale"] == pytest.approx(np.abs(whole).max() / 127)
    assert np.abs(array).max() < 10, "what is kept is small beside the rest"


def test_steps_count_behind_the_calibration(captured):
    found, notes = captured(batches(5), steps=2, every=2, calibrate=2, roles=["activations"])
    assert {layer for _, _, layer in found} == {f"{n}.step{s}" for n in range(8) for s in (1, 3)}
    assert notes == []


def test_every_fourth_layer_is_to_learn_from(captured):
    found, _ = captured(batches(1))
    profiled = {layer for (_, _, layer), (_, trace, _) in found.items() if trace.split == "profile"}
    assert profiled == {"3", "7"}, "of eight layers, all roles"
    assert {trace.split for _, trace, _ in found.values()} == {"profile", "test"}


def test_few_layers_are_all_judged_and_patterns_choose_others(captured, tmp_path):
    found, _ = captured(batches(1), net(2))
    assert {trace.split for _, trace, _ in found.values()} == {"test"}
    (tmp_path / "mine").rename(tmp_path / "first")
    found, _ = captured(batches(1), net(2), profile="2")
    profiled = {(role, layer) for (_, role, layer), (_, t, _) in found.items() if t.split == "profile"}
    assert {layer for _, layer in profiled} == {"2", "2.bias"}
    assert {"weights", "gradients", "activations", "errors"} == {role for role, _ in profiled}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precisions": ["int9"]}, "no precision 'int9'; did you mean 'int"),
        ({"precisions": 8}, "precisions 8 is neither a string nor a list of strings"),
        ({"calibrate": -1}, "calibrate -1 is no whole number"),
        ({"calibrate": "2"}, "calibrate '2' is no whole number"),
        ({"profile": "conv*"}, r"no layer matches 'conv\*'"),
    ],
)
def test_wrong_options_are_refused_at_once(tmp_path, options, message):
    with (
        pytest.raises(CorpusError, match=message),
        tracegen.capture(net(), tmp_path / "mine", **options),
    ):
        pytest.fail("the loop was entered")
    assert not list((tmp_path / "mine").glob("*"))


def test_values_without_a_scale_are_noted_and_the_rest_goes_on(captured):
    batch = torch.full((8, 16), torch.inf)
    found, notes = captured(
        [batch], precisions="int8", allow_nonfinite=True, roles=["activations", "weights"]
    )
    assert ("int8-s0", "weights", "0") in found
    assert any("activations/0 not stored in int8" in note for note in notes)


def test_the_command_stores_calibrates_and_splits(call, tmp_path):
    (tmp_path / "own.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "def model(): return nn.Sequential(*(nn.Linear(64, 64) for _ in range(8)))\n"
        "def data(): return (torch.randn(64, 64) for _ in range(3))\n"
    )
    options = ("--model", "own:model", "--data", "own:data", "--out", "mine")
    done = call("tracegen", "capture", *options, "--precision", "int8,bf16", "--calibrate", "2")
    assert done.returncode == 0, done.stderr
    with Corpus.open(tmp_path / "mine") as corpus:
        assert {t.precision for t in corpus.traces} == {"float32", "int8", "bfloat16"}
        assert {t.split for t in corpus.traces} == {"test", "profile"}
    codecs = "hw/sc2:line_bytes=64:table=profiled,hw/bytehuff:line_bytes=64:table=profiled"
    done = call("suite", "run", "--corpus", "mine", "--no-timing", "--no-page", "--codecs", codecs)
    assert done.returncode == 0, done.stderr
    assert "learned nothing" not in done.stdout
    done = call("tracegen", "capture", *options, "--precision", "int9")
    assert done.returncode == 1
    assert "no precision 'int9'" in done.stderr
