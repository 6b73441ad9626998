"""Weights by a name on a hub, fetched by the hub's own library: huggingface_hub or torchvision.

Neither is needed for anything else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from tracegen.capturing.weightfiles import INDEX_SUFFIX, WEIGHT_FILES
from tracegen.corpus import CorpusError
from tracegen.corpus.recording import legal_name, nearest

_ELSEWHERE = "or download it elsewhere and give its file or folder"
_EXTRA = f"pip install 'squeezemark[hub]', {_ELSEWHERE}"


def locate(weights: str) -> tuple[Path, str | None]:
    """Where the weights lie that `--weights` names, and the model's default name where the path has none.

    `hf:OWNER/NAME` and `torchvision:NAME` are downloaded to the library's own cache, anything else is a path.
    Raises CorpusError where the library or the name is missing, or the hub cannot be reached.
    """
    hub, colon, name = weights.partition(":")
    if not colon or hub not in _HUBS:
        return Path(weights), None
    return _HUBS[hub](name), legal_name(name.rpartition("/")[2])


def _from_hugging_face(name: str) -> Path:
    what = f"hf:{name}"
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
        )
    except ImportError as error:
        raise CorpusError(f"{what} needs huggingface_hub: {_EXTRA}") from error
    folder = Path()
    try:
        for file in WEIGHT_FILES:  # one after the other: many repositories hold the same weights as both
            stem, dot, suffix = file.rpartition(".")
            patterns = ["config.json", file, f"{stem}-*-of-*{dot}{suffix}", f"{file}{INDEX_SUFFIX}"]
            folder = Path(snapshot_download(name, allow_patterns=patterns))
            if any((folder / found).is_file() for found in (file, f"{file}{INDEX_SUFFIX}")):
                break
    except GatedRepoError as error:
        page = f"https://huggingface.co/{name}"
        raise CorpusError(
            f"{what} is gated: accept its terms at {page} and run 'hf auth login', {_ELSEWHERE}"
        ) from error
    except RepositoryNotFoundError as error:
        raise CorpusError(
            f"{what}: there is no such repository, or it is private: check OWNER/NAME, or run 'hf auth login'"
        ) from error
    except LocalEntryNotFoundError as error:
        raise CorpusError(
            f"{what} is not in the local cache, and the hub cannot be reached{_cause(error)}: "
            f"try again online, {_ELSEWHERE}"
        ) from error
    except HFValidationError as error:
        raise CorpusError(f"{what} is no OWNER/NAME: {_first_line(error)}") from error
    except Exception as error:  # whatever its HTTP library raises on the way
        raise CorpusError(_failed(what, error)) from error
    return folder


def _from_torchvision(name: str) -> Path:
    what = f"torchvision:{name}"
    try:
        import torch
        from torchvision import models
    except ModuleNotFoundError as error:
        raise CorpusError(f"{what} needs torchvision: {_EXTRA}") from error
    except Exception as error:  # a build for another torch fails at its first operator
        raise CorpusError(
            f"torchvision does not load ({_first_line(error)}): install its build for your torch, "
            f"{_ELSEWHERE}"
        ) from error
    names = models.list_models()
    if name not in names:
        raise CorpusError(f"torchvision has no model {name!r}{nearest(name, names)}")
    weights = getattr(models.get_model_weights(name), "DEFAULT", None)
    if weights is None:
        raise CorpusError(f"torchvision has no weights for {name!r}")
    # Its `get_state_dict` does the same, but then loads them all into memory.
    file = PurePosixPath(urlsplit(weights.url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if not path.is_file():
        digest = re.search(r"-([a-f0-9]+)\.", file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                weights.url, str(path), digest and digest[1], progress=sys.stderr.isatty()
            )
        except Exception as error:  # no network, no disk, a digest that differs
            raise CorpusError(_failed(what, error)) from error
    return path


_HUBS = {"hf": _from_hugging_face, "torchvision": _from_torchvision}


def _failed(what: str, error: BaseException) -> str:
    return f"{what} cannot be downloaded: {_first_line(error)}; try again online, {_ELSEWHERE}"


def _cause(error: BaseException) -> str:
    return f" ({_first_line(error.__cause__)})" if error.__cause__ is not None else ""


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
