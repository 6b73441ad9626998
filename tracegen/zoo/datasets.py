"""The data sets, each split once and for all into a training and a held-out part. Never needs torch.

Digits and photographs come with scikit-learn; the text is committed in `tracegen/data`.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

DIGITS_ORIGIN = (
    "scikit-learn load_digits: 1,797 handwritten digits of 8x8 pixels, the test set of "
    "UCI 'Optical Recognition of Handwritten Digits' (Alpaydin & Kaynak, 1998, doi:10.24432/C50P49)"
)
DIGITS_LICENCE = "CC BY 4.0 (UCI Machine Learning Repository); scikit-learn: BSD-3-Clause"
PHOTOS_ORIGIN = (
    "scikit-learn load_sample_images: china.jpg by danielbuechele "
    "(flickr.com/photos/danielbuechele/6061409035) and flower.jpg by vultilion "
    "(flickr.com/photos/vultilion/6056698931), 427x640 pixels, RGB"
)
PHOTOS_LICENCE = "CC BY 2.0, attribution: danielbuechele, vultilion"
TEXT_ORIGIN = (
    "pydoc_data.topics of CPython 3.11.7 (tracegen/data/pydoc_topics.txt), repeated paragraphs dropped"
)
TEXT_LICENCE = "PSF-2.0, Copyright (c) 2001-2023 Python Software Foundation"

_TRAIN_DIGITS = 1437
_TRAIN_COLUMNS = 480
_TRAIN_TEXT_SHARE = 0.9


@functools.cache
def digits() -> tuple[Floats, Labels, Floats, Labels]:
    """Training images and labels, then held-out ones.

    Images are float32 of shape (1437 or 360, 1, 8, 8) with values in [0, 1]; they are shuffled with a fixed
    seed before the split, because the file is ordered by writer.
    """
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    images = (data.images / 16.0).astype(np.float32)[:, None]
    labels = data.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:_TRAIN_DIGITS], order[_TRAIN_DIGITS:]
    return images[train], labels[train], images[test], labels[test]


@functools.cache
def photos() -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """The photographs' left 480 columns for training, their right 160 columns held out.

    Each is float32 of shape (3, 427, 480 or 160), values in [0, 1].
    """
    from sklearn.datasets import load_sample_images

    data: Any = load_sample_images()
    images = [(image / 255.0).astype(np.float32).transpose(2, 0, 1) for image in data.images]
    train = tuple(np.ascontiguousarray(image[:, :, :_TRAIN_COLUMNS]) for image in images)
    test = tuple(np.ascontiguousarray(image[:, :, _TRAIN_COLUMNS:]) for image in images)
    return train, test


@functools.cache
def text() -> tuple[Bytes, Bytes]:
    """The text as bytes: its first 90 % for training, the rest held out.

    Topics quote each other, so that a paragraph may come twice; only its first occurrence stays, or the
    held-out part would hold what was trained on.
    """
    path = Path(__file__).parents[1] / "data" / "pydoc_topics.txt"
    paragraphs = path.read_text(encoding="utf-8").split("\n\n")
    unique = list({paragraph.strip(): paragraph for paragraph in reversed(paragraphs)}.values())[::-1]
    words = np.frombuffer("\n\n".join(unique).encode(), np.uint8)
    cut = int(len(words) * _TRAIN_TEXT_SHARE)
    return words[:cut], words[cut:]
