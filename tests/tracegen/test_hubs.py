import sys
import types
from pathlib import Path

import pytest

from tracegen.capturing.hubs import locate
from tracegen.corpus import CorpusError


class HubLibrary:
    """A stand-in for huggingface_hub: `files` are what the repository holds, `error` what it raises."""

    def __init__(self, folder):
        self.folder = folder
        self.files = []
        self.error = None
        self.asked = []
        names = ("RepositoryNotFoundError", "LocalEntryNotFoundError", "HFValidationError")
        self.errors = {name: type(name, (Exception,), {}) for name in names}
        self.errors["GatedRepoError"] = type("GatedRepoError", (self.errors[names[0]],), {})

    def snapshot_download(self, name, allow_patterns):
        self.asked.append((name, allow_patterns))
        if self.error is not None:
            raise self.error
        for file in self.files:
            if any(Path(file).match(pattern) for pattern in allow_patterns):
                (self.folder / file).write_bytes(b"")
        return str(self.folder)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    library = HubLibrary(tmp_path)
    module = types.ModuleType("huggingface_hub")
    module.snapshot_download = library.snapshot_download
    errors = types.ModuleType("huggingface_hub.errors")
    vars(errors).update(library.errors)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    return library


def test_a_path_stays_a_path():
    assert locate("folder/net.pt") == (Path("folder/net.pt"), None)
    assert locate("odd:name") == (Path("odd:name"), None)


@pytest.mark.parametrize(
    ("held", "fetched", "downloads"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin"], ["config.json", "model.safetensors"], 1),
        (["model.safetensors.index.json", "model-1-of-1.safetensors", "x.safetensors"], None, 1),
        (["config.json", "pytorch_model.bin", "flax_model.msgpack"], ["config.json", "pytorch_model.bin"], 2),
    ],
)
def test_only_the_weights_of_a_repository_are_fetched(hub, tmp_path, held, fetched, downloads):
    hub.files = held
    assert locate("hf:some/net-v1") == (tmp_path, "net-v1")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(fetched or held[:2])
    assert [name for name, _ in hub.asked] == ["some/net-v1"] * downloads


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (
            "GatedRepoError",
            ("is gated", "https://huggingface.co/some/net", "hf auth login", "its file or folder"),
        ),
        ("RepositoryNotFoundError", ("no such repository", "OWNER/NAME")),
        ("HFValidationError", ("is no OWNER/NAME", "HFValidationError: first")),
        ("LocalEntryNotFoundError", ("cannot be reached (OSError: no route)", "its file or folder")),
        ("", ("cannot be downloaded: RuntimeError: first; try again online",)),
    ],
)
def test_what_the_hub_refuses_is_one_line(hub, error, parts):
    hub.error = hub.errors.get(error, RuntimeError)("first.\nsecond")
    hub.error.__cause__ = OSError("no route")
    with pytest.raises(CorpusError, match=r"^hf:some/net") as caught:
        locate("hf:some/net")
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "library"),
    [("hf:some/net", "huggingface_hub"), ("torchvision:resnet18", "torchvision")],
)
def test_a_library_that_is_not_installed(monkeypatch, weights, library):
    if library == "torchvision":
        pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, library, None)
    message = rf"^{weights} needs {library}: pip install 'squeezemark\[hub\]', or download it elsewhere"
    with pytest.raises(CorpusError, match=message):
        locate(weights)


URL = "https://download.example/models/net18-0123abcd.pth"


@pytest.fixture
def vision(tmp_path, monkeypatch):
    """A stand-in for torchvision, with one model; torch's download writes a file or raises `error`."""
    torch = pytest.importorskip("torch")
    models = types.ModuleType("torchvision.models")
    models.list_models = lambda: ["net18", "bare"]
    default = types.SimpleNamespace(url=URL)
    models.get_model_weights = lambda name: (
        types.SimpleNamespace(DEFAULT=default) if name == "net18" else types.SimpleNamespace()
    )
    models.downloads = []
    models.error = None

    def download(url, path, hash_prefix, *, progress):
        models.downloads.append((url, hash_prefix))
        if models.error is not None:
            raise models.error
        Path(path).write_bytes(b"")

    module = types.ModuleType("torchvision")
    module.models = models
    monkeypatch.setitem(sys.modules, "torchvision", module)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return models


def test_torchvision_fetches_once_and_checks_the_digest(vision, tmp_path):
    for _ in range(2):
        path, name = locate("torchvision:net18")
    assert (path, name) == (tmp_path / "cache" / "checkpoints" / "net18-0123abcd.pth", "net18")
    assert vision.downloads == [(URL, "0123abcd")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net81", "torchvision has no model 'net81'; did you mean 'net18'"),
        ("zzz", "torchvision has no model 'zzz'; legal are net18, bare"),
        ("bare", "torchvision has no weights for 'bare'"),
    ],
)
def test_names_that_torchvision_does_not_have(vision, name, message):
    with pytest.raises(CorpusError, match=message):
        locate(f"torchvision:{name}")


def test_torchvision_offline(vision):
    vision.error = OSError("<urlopen error no route>\nmore")
    message = (
        "^torchvision:net18 cannot be downloaded: OSError: <urlopen error no route>; try again online, or"
    )
    with pytest.raises(CorpusError, match=message):
        locate("torchvision:net18")


def test_torchvision_built_for_another_torch(monkeypatch, tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(CorpusError, match=r"does not load \(RuntimeError: operator torchvision::nms"):
        locate("torchvision:net18")
