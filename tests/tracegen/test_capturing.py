import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tracegen.zoo.models import RECIPES  # noqa: E402
from tracegen.zoo.precision import make_variant  # noqa: E402
from tracegen.zoo.pruning import is_prunable  # noqa: E402
from tracegen.zoo.tracing import MIN_VALUES, Scope, capture, cut, split_of, training_pass  # noqa: E402
from tracegen.zoo.training import (  # noqa: E402
    batch_rng,
    load_tensors,
    masks_of,
    prune,
    reproducible,
    tensors_of,
    train,
)
from tracegen.zoo.variants import CORE_PRECISIONS, IN_TRAINING  # noqa: E402

RECIPE = RECIPES["lenet5"]
ROLES = ("weights", "activations", "gradients", "errors")


@pytest.fixture(scope="module")
def pruned():
    """A LeNet-5 after ten steps, pruned to 80 % and fine-tuned for ten more; and its masks."""
    with reproducible():
        model = RECIPE.make_model()
        schedule = type(RECIPE.dense)(steps=10, batch_size=32, learning_rate=1e-3)
        train(RECIPE, model, schedule, masks={}, stream=0, on_step=lambda: None)
        masks = prune(model, 0.8)
        train(RECIPE, model, schedule, masks=masks, stream=1, on_step=lambda: None)
        assert all(torch.equal(mask, masks[name]) for name, mask in masks_of(model).items())
        return model, masks


def captured(pruned, precision, roles=ROLES, **scope):
    model, masks = pruned
    variant = make_variant(RECIPE, model, precision)
    traces = list(capture(RECIPE, variant, masks, Scope(roles, **scope)))
    by_name = {(trace.role, trace.layer): trace for trace in traces}
    assert len(by_name) == len(traces)
    return variant, by_name


def probe():
    return RECIPE.probe(RECIPE.probe_samples)


def test_pruning_is_exact_and_survives_fine_tuning(pruned):
    model, masks = pruned
    for name, parameter in model.named_parameters():
        weights = parameter.detach().numpy()
        if is_prunable(name, weights.shape):
            assert np.count_nonzero(weights == 0) == round(0.8 * weights.size)
            assert not np.signbit(weights[weights == 0]).any(), "a zero must be all zero bits"
        else:
            assert name not in masks


@pytest.mark.parametrize("precision", CORE_PRECISIONS)
def test_traces_have_the_dtype_and_pruned_weights_are_zero_in_it(pruned, precision):
    _, traces = captured(pruned, precision)
    assert {trace.array.dtype.name for trace in traces.values()} == {precision}
    mask = pruned[1]["conv2.weight"].numpy()
    for role in ("weights", "gradients"):
        array = traces[role, "conv2"].array
        gone = array.astype(np.float32)[~mask[: len(array)]]
        assert (gone == 0).all()
        assert not np.signbit(gone).any()
        assert array.astype(np.float32).any()


def test_float32_activations_are_torchs_own_outputs(pruned):
    _, traces = captured(pruned, "float32")
    with torch.no_grad():
        relu1 = torch.relu(pruned[0].conv1(probe()))
    for layer, expected, kind in (("relu1", relu1, "relu"), ("image", probe(), "input")):
        trace = traces["activations", layer]
        np.testing.assert_array_equal(trace.array, expected[: len(trace.array)].numpy())
        assert trace.kind == kind


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_activations_are_what_the_next_layer_reads(pruned, precision):
    variant, traces = captured(pruned, precision)
    half, model = getattr(torch, precision), pruned[0]
    weights = model.conv1.weight.detach().to(half).float()
    with torch.no_grad():
        sums = torch.conv2d(probe().to(half).float(), weights, model.conv1.bias, padding=2)
    array = traces["activations", "relu1"].array
    expected = torch.relu(sums).to(half).float()[: len(array)]
    np.testing.assert_array_equal(array.astype(np.float32), expected.numpy())
    assert variant.stored["conv1.weight"].words.dtype.name == precision


@pytest.mark.parametrize("precision", ["int8", "int8-affine", "float8_e4m3fn", "float8_e5m2"])
def test_scaled_activations_are_the_codes_of_what_the_next_layer_reads(pruned, precision):
    variant, traces = captured(pruned, precision, ["activations"])
    trace = traces["activations", "relu1"]
    read = []
    variant.model.pool1.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[0].clone()))
    with torch.no_grad():
        variant.model(probe())
    zero_point = trace.attributes.get("zero_point", 0)
    values = (trace.array.astype(np.float32) - zero_point) * np.float32(trace.attributes["scale"])
    np.testing.assert_array_equal(values, read[0][: len(values)].numpy())
    assert zero_point == (-128 if precision == "int8-affine" else 0), (
        "a ReLU's zero is the lowest affine code"
    )
    assert (trace.array.astype(np.float32) == zero_point).mean() > 0.2


def test_int8_weights_carry_their_scales(pruned):
    variant, traces = captured(pruned, "int8", ["weights"])
    trace = traces["weights", "conv2"]
    scale = trace.attributes["scale"].reshape(-1, 1, 1, 1)
    weights = pruned[0].conv2.weight.detach().numpy()
    assert (np.abs(trace.array * scale - weights) <= scale / 2 * (1 + 1e-5)).all()
    np.testing.assert_array_equal(trace.array * scale, variant.model.conv2.weight.detach().numpy())
    assert trace.kind == "conv"


def test_few_bits_are_for_weights_and_activations_are_float16_then(pruned):
    variant = make_variant(RECIPE, pruned[0], "int4")
    assert variant.tensor_precision == "float16"
    assert variant.stored["fc1.weight"].words.dtype == np.uint8
    assert variant.stored["conv1.weight"].words.dtype == np.float16, "too small to be packed"


def test_gradients_and_errors_are_autograds(pruned):
    model, masks = pruned
    _, traces = captured(pruned, "float32", phase="training-middle")
    reference = copy.deepcopy(model).train()
    inputs, targets = RECIPE.training_batch(batch_rng(1000, 0), RECIPE.dense.batch_size)
    outputs = []
    reference.relu1.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    with torch.enable_grad():
        loss = RECIPE.loss(reference(inputs), targets)
    (error,) = torch.autograd.grad(loss, outputs, retain_graph=True)
    loss.backward()
    gradient = reference.conv2.weight.grad * masks["conv2.weight"]
    for role, layer, expected in (("gradients", "conv2", gradient), ("errors", "relu1", error)):
        trace = traces[role, layer]
        np.testing.assert_array_equal(trace.array, expected[: len(trace.array)].numpy())
        assert trace.phase == "training-middle"
        assert trace.attributes["full_shape"] == list(expected.shape)


def test_activations_in_training_are_of_the_batch_that_gives_the_errors(pruned):
    _, traces = captured(pruned, "float32", [IN_TRAINING])
    (trace,) = traces.values()
    inputs, _ = RECIPE.training_batch(batch_rng(1000, 0), RECIPE.dense.batch_size)
    with torch.no_grad():
        expected = torch.relu(pruned[0].conv1(inputs))
    assert (trace.role, trace.layer, trace.phase) == ("activations", "relu1", "training-end")
    np.testing.assert_array_equal(trace.array, expected[: len(trace.array)].numpy())


def test_float16_gradients_are_scaled_against_underflow(pruned):
    variant, traces = captured(pruned, "float16")
    plain = training_pass(RECIPE, make_variant(RECIPE, pruned[0], "float32"), {})["conv2.weight"].numpy()
    scaled = training_pass(RECIPE, variant, {})["conv2.weight"].numpy()
    for role, layer in (("gradients", "conv2"), ("errors", "relu1")):
        assert traces[role, layer].attributes["loss_scale"] == RECIPE.loss_scale
    assert np.abs(scaled).max() == pytest.approx(RECIPE.loss_scale * np.abs(plain).max(), rel=0.05)


def test_stochastic_gradients_are_neighbours_of_the_exact_ones_and_reproducible(pruned):
    name = ("gradients", "conv2")
    exact = captured(pruned, "bfloat16", ["gradients"])[1][name].array.astype(np.float32)
    first, second = (captured(pruned, "bfloat16-stochastic", ["gradients"])[1][name].array for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert (first.astype(np.float32) != exact).any()
    assert ((first == 0) == (exact == 0)).mean() > 0.99


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((64, 20, 8, 8), (13, 20, 8, 8)),
        ((10, 16), (10, 16)),
        ((1, 4, 128, 128), (1, 1, 128, 128)),
        ((16, 48, 32, 32), (1, 16, 32, 32)),
        ((70_000,), (MIN_VALUES,)),
    ],
)
def test_a_cut_keeps_the_fewest_whole_rows_that_are_enough(shape, kept):
    array = np.arange(np.prod(shape)).reshape(shape)
    assert cut(array).shape == kept
    np.testing.assert_array_equal(cut(array).ravel(), np.arange(np.prod(kept)))


def test_the_whole_scope_leaves_nothing_out(pruned):
    _, traces = captured(pruned, "float32", (*ROLES, "kv"), whole=True)
    parameters = {n.removesuffix(".weight"): p for n, p in pruned[0].named_parameters() if p.dim() > 1}
    assert {layer for role, layer in traces if role == "weights"} == set(parameters)
    assert {layer for role, layer in traces if role == "gradients"} == set(parameters)
    assert {layer for role, layer in traces if role == "activations"} == set(RECIPE.sites)
    assert {layer for role, layer in traces if role == "errors"} == set(RECIPE.sites) - {"image"}
    assert not any("full_shape" in trace.attributes for trace in traces.values())
    assert traces["activations", "relu1"].array.shape == (256, 20, 8, 8)


def test_the_split_is_by_layer_or_model():
    assert split_of(RECIPES["lenet5"], "conv2") == "profile"
    assert split_of(RECIPES["lenet300"], "fc1") == "test"
    assert split_of(RECIPES["lenet300"], "fc1.momentum") == "profile"
    assert split_of(RECIPES["gpt"], "blocks.0.attention.keys") == "profile"
    assert split_of(RECIPES["gpt"], "blocks.1") == "test"
    assert split_of(RECIPES["untrained"], "layer1.2.relu2") == "control"


def test_training_is_reproducible_and_restores_torchs_settings():
    schedule = type(RECIPE.dense)(steps=3, batch_size=8, learning_rate=1e-3)

    def trained():
        with reproducible():
            model = RECIPE.make_model()
            train(RECIPE, model, schedule, masks={}, stream=0, on_step=lambda: None)
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
