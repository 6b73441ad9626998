"""Caches of models with an encoder and a decoder, and caches that hold no keys and values."""

import types

import pytest
from support import traces_of

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is

nn = torch.nn


def pair(number):
    return torch.full((1, 2, 3), float(number)), torch.full((1, 2, 3), number + 0.5)


def cache(numbers):
    layers = [types.SimpleNamespace(keys=keys, values=values) for keys, values in map(pair, numbers)]
    return types.SimpleNamespace(layers=layers)


class Model(nn.Module):
    """Returns what it is made with."""

    def __init__(self, output):
        super().__init__()
        self.layer = nn.Identity()
        self.output = output

    def forward(self, values):
        self.layer(values)
        return self.output


ENCODER_DECODER = {
    "classes": types.SimpleNamespace(
        past_key_values=types.SimpleNamespace(
            self_attention_cache=cache([0, 1]), cross_attention_cache=cache([2, 3])
        )
    ),
    "tuples": {"past_key_values": ((*pair(0), *pair(2)), (*pair(1), *pair(3)))},
}


@pytest.mark.parametrize("form", ENCODER_DECODER)
def test_a_decoders_own_cache_and_that_of_the_encoders_output(tmp_path, form):
    model = Model(ENCODER_DECODER[form])
    with tracegen.capture(model, tmp_path / "mine", roles=["kv"]):
        model(torch.ones(2, 2))
    traces = traces_of(tmp_path / "mine")
    names = {"0": 0, "1": 1, "cross.0": 2, "cross.1": 3}
    assert set(traces) == {f"kv/{name}.{kind}" for name in names for kind in ("keys", "values")}
    for name, number in names.items():
        assert (traces[f"kv/{name}.keys"] == number).all()
        assert (traces[f"kv/{name}.values"] == number + 0.5).all()


@pytest.mark.parametrize("key", ["past_key_values", "cache_params"])
def test_states_of_recurrent_layers_are_no_keys_and_values(tmp_path, key):
    recurrent = types.SimpleNamespace(conv_states={0: torch.ones(2)}, recurrent_states={0: torch.ones(2)})
    empty = types.SimpleNamespace(keys=None, values=None)
    (attention,) = cache([5]).layers
    model = Model({key: types.SimpleNamespace(layers=[recurrent, attention, empty])})
    with tracegen.capture(model, tmp_path / "mine", roles=["kv"]) as recorder:
        model(torch.ones(2, 2))
    assert set(traces_of(tmp_path / "mine")) == {"kv/1.keys", "kv/1.values"}
    assert recorder.notes == ["kv/0 skipped: it holds conv_states, recurrent_states, no keys and values"]
