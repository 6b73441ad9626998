"""Arguments are refused when the `with` is entered: after the loop everything would be lost."""

from pathlib import Path

import numpy as np
import pytest
from support import traces_of

torch = pytest.importorskip("torch")

import tracegen  # noqa: E402 - only where torch is
from tracegen.corpus import CorpusError  # noqa: E402

nn = torch.nn


def entered(folder, model=None, **options):
    """Capture a loop; whether it was entered."""
    steps = 0
    model = nn.Sequential(nn.Linear(2, 2)) if model is None else model
    try:
        with tracegen.capture(model, folder, **options):
            while steps < 3:
                model(torch.ones(1, 2)).sum().backward()
                steps += 1
    finally:
        assert not isinstance(model, nn.Module) or not any(m._forward_hooks for m in model.modules())
    return steps


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"licence": None}, "licence None is no string"),
        ({"origin": Path("lab")}, r"origin PosixPath\('lab'\) is no string|origin WindowsPath"),
        ({"origin": b"lab"}, "origin b'lab' is no string"),
        ({"licence": "CC0\0"}, r"licence 'CC0\\x00' holds U\+0000"),
        ({"origin": "a\x1b[31m"}, r"origin .* holds U\+001B"),
        ({"origin": "the lab\udc80"}, r"origin .* holds U\+DC80"),
        ({"licence": "MIT\x85"}, r"licence .* holds U\+0085"),
        ({"name": None}, "name None is no string"),
        ({"name": ""}, "name ''.* letters, digits"),
        ({"name": "a/b"}, "name 'a/b'.* letters, digits"),
        ({"name": "n" * 200}, "name 'nnn.* 200 characters; legal are 199"),
        ({"model_name": 3}, "model_name 3 is no string"),
        ({"model_name": ""}, "model.* '' .*letters, digits"),
        ({"model_name": "a b"}, "model.* 'a b' .*letters, digits"),
        ({"model_name": "m" * 300}, "model_name 'mmm.* 300 characters; legal are 199"),
        ({"roles": []}, "roles is empty: legal are weights, activations"),
        ({"roles": ["weights", None]}, "no role None to capture; legal are weights"),
        ({"roles": "weights,errors"}, "no role 'weights,errors' to capture"),
        ({"roles": 3}, "roles 3 is neither a string nor a list of strings"),
        ({"layers": []}, r"layers is empty: '\*' means all"),
        ({"layers": ["0", 1]}, "layers: 1 is no string"),
        ({"layers": None}, "layers None is neither a string nor a list of strings"),
        ({"layers": b"0"}, "layers: 48 is no string"),
        ({"steps": 0}, "steps 0 is no whole number of at least 1"),
        ({"steps": 2.0}, "steps 2.0 is no whole number"),
        ({"steps": True}, "steps True is no whole number"),
        ({"every": "2"}, "every '2' is no whole number"),
        ({"every": None}, "every None is no whole number"),
        ({"every": -1}, "every -1 is no whole number"),
        ({"max_bytes": 1e6}, "max_bytes 1000000.0 is no whole number"),
        ({"max_bytes": 0}, "max_bytes 0 is no whole number of at least 1"),
        ({"max_bytes": None}, "max_bytes None is no whole number"),
        ({"inputs": "yes"}, "inputs 'yes' is neither True nor False"),
        ({"inputs": True, "roles": ["weights"]}, "inputs are activations"),
        ({"allow_nonfinite": 1}, "allow_nonfinite 1 is neither True nor False"),
        ({"sparsity": "0.5"}, r"sparsity '0.5' is no number in \[0, 1\]"),
        ({"sparsity": None}, "sparsity None is no number"),
        ({"sparsity": float("nan")}, "sparsity nan is no number"),
        ({"sparsity": 1.5}, "sparsity 1.5 is no number"),
        ({"sparsity": True}, "sparsity True is no number"),
        ({"optimiser": "adam"}, "role 'updates' needs optimiser=, a torch.optim.Optimizer"),
        ({"optimiser": "adam", "roles": ["weights"]}, "optimiser is of type str, no torch.optim.Optimizer"),
        ({"sparsity": torch.zeros(99)}, r"sparsity tensor\(\[0"),
        ({"roles": ["updates"]}, "role 'updates' needs optimiser="),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_wrong_arguments_are_refused_at_once(tmp_path, options, message):
    with pytest.raises(CorpusError, match=message) as caught:
        entered(tmp_path / "mine", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("folder", [None, 3, b"mine", "mi\0ne"])
def test_a_folder_that_is_no_path(folder):
    with pytest.raises(CorpusError, match=r"out .* is no path"):
        entered(folder)


@pytest.mark.parametrize("model", [3, nn.Linear, lambda values: values])
def test_a_model_that_is_none(tmp_path, model):
    with pytest.raises(CorpusError, match=r"model is of type .*, no torch\.nn\.Module"):
        entered(tmp_path / "mine", model)


def test_arguments_of_numpy_and_duplicates_are_taken(tmp_path):
    options = {
        "steps": np.int64(2),
        "every": np.int8(2),
        "max_bytes": np.int32(8),
        "sparsity": np.float32(0.5),
    }
    flags = {"inputs": np.bool_(True), "allow_nonfinite": np.bool_(False)}
    roles = ["activations", "weights", "activations"]
    assert entered(tmp_path / "mine", layers=("0", "*", "0"), roles=roles, **options, **flags) == 3
    traces = traces_of(tmp_path / "mine")
    assert set(traces) == {
        *(f"activations/0{what}.step{step}" for what in ("", ".input") for step in (1, 3)),
        *("weights/0", "weights/0.bias"),
    }
    assert traces["weights/0"].shape == (1, 2)
    assert entered(tmp_path / "one", roles="weights", origin="a\nb\tc", licence="") == 3
    assert set(traces_of(tmp_path / "one")) == {"weights/0", "weights/0.bias"}


def test_a_class_with_a_long_name(tmp_path):
    model = type("L" * 300, (nn.Sequential,), {})(nn.Linear(2, 2))
    assert entered(tmp_path / "mine", model) == 3
    assert [path.name for path in (tmp_path / "mine").glob("*.h5")] == [f"{'l' * 100}.h5"]
