import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tracegen import quantising  # noqa: E402 - only where torch is
from tracegen.capturing import capture, weight_gradients  # noqa: E402
from tracegen.models import RECIPES  # noqa: E402
from tracegen.precision import VARIANT_DTYPES, make_variant  # noqa: E402
from tracegen.pruning import is_prunable  # noqa: E402
from tracegen.training import (  # noqa: E402
    batch_rng,
    load_tensors,
    prune,
    reproducible,
    tensors_of,
    train,
)

RECIPE = RECIPES["lenet5"]


@pytest.fixture(scope="module")
def pruned():
    """A LeNet-5 after ten steps, pruned to 80 % and fine-tuned for ten more; and its masks."""
    with reproducible():
        model = RECIPE.make_model()
        schedule = type(RECIPE.dense)(steps=10, batch_size=32, learning_rate=1e-3)
        train(RECIPE, model, schedule, masks={}, level=0, on_step=lambda: None)
        masks = prune(model, 0.8)
        train(RECIPE, model, schedule, masks=masks, level=1, on_step=lambda: None)
        return model, masks


def captured(pruned, dtype):
    model, masks = pruned
    variant = make_variant(RECIPE, model, dtype)
    return variant, {(trace.role, trace.layer): trace for trace in capture(RECIPE, variant, masks)}


def test_pruning_is_exact_and_survives_fine_tuning(pruned):
    model, masks = pruned
    for name, parameter in model.named_parameters():
        weights = parameter.detach().numpy()
        if is_prunable(name, weights.shape):
            assert np.count_nonzero(weights == 0) == round(0.8 * weights.size)
            assert not np.signbit(weights[weights == 0]).any(), "a zero must be all zero bits"
        else:
            assert name not in masks


@pytest.mark.parametrize("dtype", VARIANT_DTYPES)
def test_traces_have_the_dtype_and_pruned_weights_are_zero_in_it(pruned, dtype):
    _, traces = captured(pruned, dtype)
    assert {trace.array.dtype for trace in traces.values()} == {np.dtype(dtype)}
    masks = pruned[1]
    for role in ("weights", "gradients"):
        for layer in ("conv2", "fc1"):
            array = traces[role, layer].array
            gone = ~masks[f"{layer}.weight"].numpy()[: len(array)]
            assert (array[gone] == 0).all()
            assert not np.signbit(array[gone]).any()
            assert array.any()


def test_float32_activation_is_torchs_own_output(pruned):
    _, traces = captured(pruned, "float32")
    model = copy.deepcopy(pruned[0]).eval()
    images = RECIPE.probe(max(RECIPE.activations.values()))
    with torch.no_grad():
        first = torch.relu(model.conv1(images))
        second = torch.relu(model.conv2(torch.max_pool2d(first, 2)))
    for layer, expected in (("relu1", first), ("relu2", second)):
        array = traces["activations", layer].array
        np.testing.assert_array_equal(array, expected[: len(array)].numpy())


def test_float16_activation_is_what_the_next_layer_reads(pruned):
    variant, traces = captured(pruned, "float16")
    images = RECIPE.probe(max(RECIPE.activations.values()))
    model = pruned[0]
    weights = model.conv1.weight.detach().half().float()
    with torch.no_grad():
        expected = torch.relu(
            torch.conv2d(images.half().float(), weights, model.conv1.bias, padding=2)
        ).half()
    array = traces["activations", "relu1"].array
    np.testing.assert_array_equal(array, expected[: len(array)].numpy())
    assert variant.stored["conv1.weight"].dtype == np.float16


def test_int8_activation_is_the_code_of_what_the_next_layer_reads(pruned):
    variant, traces = captured(pruned, "int8")
    trace = traces["activations", "relu1"]
    read = []
    variant.model.pool1.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[0].clone()))
    with torch.no_grad():
        variant.model(RECIPE.probe(max(RECIPE.activations.values())))
    values = quantising.dequantise(trace.array, trace.attributes["scale"])
    np.testing.assert_array_equal(values, read[0][: len(values)].numpy())
    assert trace.attributes["zero_point"] == 0
    assert (trace.array == 0).mean() > 0.2, "zeros of a ReLU are zero bytes"


def test_int8_weights_carry_their_scales(pruned):
    variant, traces = captured(pruned, "int8")
    trace = traces["weights", "fc1"]
    scale = trace.attributes["scale"]
    assert trace.attributes["full_rows"] == 500
    assert scale.shape == (len(trace.array),)
    weights = pruned[0].fc1.weight.detach().numpy()[: len(trace.array)]
    assert (np.abs(trace.array * scale[:, None] - weights) <= scale[:, None] / 2 * (1 + 1e-5)).all()
    running = variant.model.fc1.weight.detach().numpy()[: len(trace.array)]
    np.testing.assert_array_equal(quantising.dequantise_rows(trace.array, scale), running)


def test_gradients_are_autograds(pruned):
    model, masks = pruned
    _, traces = captured(pruned, "float32")
    reference = copy.deepcopy(model).train()
    inputs, targets = RECIPE.training_batch(batch_rng(1000, 0), RECIPE.dense.batch_size)
    RECIPE.loss(reference(inputs), targets).backward()
    trace = traces["gradients", "conv2"]
    expected = (reference.conv2.weight.grad * masks["conv2.weight"]).numpy()[: len(trace.array)]
    np.testing.assert_array_equal(trace.array, expected)
    assert trace.phase == "training"


def test_float16_gradients_are_scaled_against_underflow(pruned):
    variant, traces = captured(pruned, "float16")
    plain = weight_gradients(RECIPE, make_variant(RECIPE, pruned[0], "float32"))["conv2.weight"].numpy()
    scaled = weight_gradients(RECIPE, variant)["conv2.weight"].numpy()
    assert traces["gradients", "conv2"].attributes["loss_scale"] == RECIPE.loss_scale
    assert np.abs(scaled).max() == pytest.approx(RECIPE.loss_scale * np.abs(plain).max(), rel=0.05)


def test_training_is_reproducible_and_restores_torchs_settings():
    schedule = type(RECIPE.dense)(steps=3, batch_size=8, learning_rate=1e-3)

    def trained():
        with reproducible():
            model = RECIPE.make_model()
            train(RECIPE, model, schedule, masks={}, level=0, on_step=lambda: None)
            return tensors_of(model)

    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    first, second = trained(), trained()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_checkpoint_of_another_model_is_refused():
    model = RECIPE.make_model()
    tensors = tensors_of(model)
    load_tensors(model, tensors)
    with pytest.raises(ValueError, match=r"fc2.weight is \(7, 500\), not \(10, 500\)"):
        load_tensors(model, {**tensors, "fc2.weight": tensors["fc2.weight"][:7]})
    del tensors["conv1.bias"]
    with pytest.raises(ValueError, match=r"conv1\.bias is None"):
        load_tensors(model, tensors)
