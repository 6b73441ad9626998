"""The file formats that weights come in: a module for each, which opens a file as `base` says."""

from __future__ import annotations

from pathlib import Path

from tracegen.capturing.formats.base import Reader
from tracegen.capturing.formats.gguf_file import open_gguf
from tracegen.capturing.formats.keras import open_keras
from tracegen.capturing.formats.npz import open_npz
from tracegen.capturing.formats.pytorch import open_torch
from tracegen.capturing.formats.safetensors import open_safetensors

READERS: dict[str, Reader] = {
    ".safetensors": open_safetensors,
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt"), open_torch),
    ".npz": open_npz,
    ".gguf": open_gguf,
    **dict.fromkeys((".h5", ".keras"), open_keras),
}
"""By suffix, in lower case."""


def reader_of(path: Path) -> Reader | None:
    """The reader of a file, by its suffix in either case; None where there is none."""
    return READERS.get(path.suffix.lower())
