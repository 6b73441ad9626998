import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("PIL")

from tracegen.capturing import capture  # noqa: E402 - only where torch is
from tracegen.models import RECIPES  # noqa: E402
from tracegen.models.lstm import LSTMLayer  # noqa: E402
from tracegen.precision import make_variant  # noqa: E402
from tracegen.training import batch_rng, reproducible  # noqa: E402

KIB = 1 << 10


@pytest.fixture(params=list(RECIPES))
def recipe(request):
    return RECIPES[request.param]


def test_a_recipe_is_complete(recipe):
    with reproducible():
        model = recipe.make_model().eval()
        parameters = dict(model.named_parameters())
        assert set(recipe.weights) | set(recipe.gradients) <= set(parameters)
        assert set(recipe.activations) <= set(recipe.sites) <= set(dict(model.named_modules()))
        inputs, targets = recipe.training_batch(batch_rng(0, 0), 2)
        assert torch.equal(inputs, recipe.training_batch(batch_rng(0, 0), 2)[0])
        assert not torch.equal(inputs, recipe.training_batch(batch_rng(0, 1), 2)[0])
        assert recipe.loss(model(inputs), targets).item() > 0
        assert np.isfinite(recipe.evaluate(model))


def test_every_trace_has_16_kib_to_1_mib_in_every_precision(recipe):
    with reproducible():
        model = recipe.make_model().eval()
        int8 = list(capture(recipe, make_variant(recipe, model, "int8"), {}))
        assert {trace.role for trace in int8} == {"weights", "activations", "gradients"}
        for trace in int8:
            assert 16 * KIB <= trace.array.nbytes <= 256 * KIB, (trace.role, trace.layer)


def test_our_lstm_layer_is_torchs():
    with reproducible():
        ours, theirs = LSTMLayer(5, 7), torch.nn.LSTM(5, 7, batch_first=True)
        with torch.no_grad():
            theirs.weight_ih_l0.copy_(ours.weight_ih)
            theirs.weight_hh_l0.copy_(ours.weight_hh)
            theirs.bias_ih_l0.copy_(ours.bias)
            theirs.bias_hh_l0.zero_()
            sequence = torch.randn(3, 11, 5)
            torch.testing.assert_close(ours(sequence), theirs(sequence)[0])
