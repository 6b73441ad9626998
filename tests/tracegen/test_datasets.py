import numpy as np
import pytest

from tracegen.zoo import datasets


def test_text_is_split_and_no_paragraph_comes_twice():
    train, test = datasets.text()
    assert len(train) > 300_000
    assert 0.09 < len(test) / (len(train) + len(test)) < 0.11
    paragraphs = [p.strip() for p in np.concatenate([train, test]).tobytes().split(b"\n\n")]
    assert len(paragraphs) == len(set(paragraphs))


def test_text_has_its_licence_beside_it():
    notice = (datasets.Path(datasets.__file__).parents[1] / "data" / "NOTICE.md").read_text()
    assert "Python Software" in notice
    assert "LICENSE-PSF.txt" in notice


def test_digits_and_photographs_are_split():
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    images, labels, test_images, test_labels = datasets.digits()
    assert images.shape == (1437, 1, 8, 8)
    assert test_images.shape == (360, 1, 8, 8)
    assert images.max() == 1.0
    assert set(labels) == set(test_labels) == set(range(10))
    train, test = datasets.photos()
    assert [photo.shape for photo in train] == [(3, 427, 480)] * 2
    assert [photo.shape for photo in test] == [(3, 427, 160)] * 2
