"""A small DnCNN denoiser on photographs (Zhang et al., IEEE Trans. Image Processing 26(7), 2017)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from tracegen.zoo import datasets
from tracegen.zoo.models.recipe import Batch, Recipe, Schedule, predict

CHANNELS = 48
LAYERS = 6
CROP_PIXELS = 32
TEST_PIXELS = 128
PROBE_PIXELS = 19
NOISE_STD = 25 / 255
_TEST_SEED = 25


class DnCNN(nn.Module):
    """Six 3x3 convolutions that predict the noise; norm and ReLU in between. (N, 3, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Identity()
        self.conv1 = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.relu1 = nn.ReLU()
        for n in range(2, LAYERS):
            self.add_module(f"conv{n}", nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False))
            self.add_module(f"bn{n}", nn.BatchNorm2d(CHANNELS))
            self.add_module(f"relu{n}", nn.ReLU())
        self.add_module(f"conv{LAYERS}", nn.Conv2d(CHANNELS, 3, 3, padding=1))

    def forward(self, noisy: Tensor) -> Tensor:
        """The denoised image."""
        image = self.image(noisy)
        maps = self.relu1(self.conv1(image))
        for n in range(2, LAYERS):
            for part in ("conv", "bn", "relu"):
                maps = self.get_submodule(f"{part}{n}")(maps)
        denoised: Tensor = image - self.get_submodule(f"conv{LAYERS}")(maps)
        return denoised


def _held_out() -> tuple[Tensor, Tensor]:
    """Six noisy crops of the held-out columns, and the clean ones: (6, 3, 128, 128)."""
    clean = np.stack(
        [
            image[:, top : top + TEST_PIXELS, :TEST_PIXELS]
            for image in datasets.photos()[1]
            for top in range(0, 3 * TEST_PIXELS, TEST_PIXELS)
        ]
    )
    noise = np.random.default_rng(_TEST_SEED).normal(0.0, NOISE_STD, clean.shape).astype(np.float32)
    return torch.from_numpy(clean + noise), torch.from_numpy(clean)


def psnr_db(image: Tensor, clean: Tensor) -> float:
    """Mean over the crops of the peak signal-to-noise ratio in dB, for a peak of 1."""
    error = (image - clean).double().square().mean((1, 2, 3))
    return float((-10.0 * error.log10()).mean())


class DnCNNRecipe(Recipe):
    """DnCNN with 6 layers of 48 channels, noise of standard deviation 25/255."""

    name: ClassVar = "dncnn"
    title: ClassVar = "DnCNN (Zhang et al. 2017), 6 layers of 48 channels, denoising photographs (sigma 25)"
    metric: ClassVar = "psnr_db"
    higher_is_better: ClassVar = True
    held_out: ClassVar = "six crops of 128x128 from the right 160 columns, trained on the left 480; mean PSNR"
    origin: ClassVar = datasets.PHOTOS_ORIGIN
    licence: ClassVar = datasets.PHOTOS_LICENCE
    dense: ClassVar = Schedule(steps=1000, batch_size=16, learning_rate=2e-3)
    finetune: ClassVar = Schedule(steps=240, batch_size=16, learning_rate=1e-3)
    is_classifier: ClassVar = False
    weights: ClassVar = ("conv3.weight",)
    gradients: ClassVar = ("conv3.weight",)
    loss_scale: ClassVar = 8.0  # the loss is a sum over pixels already
    activations: ClassVar = {"relu2": "relu"}
    errors: ClassVar = ("relu2",)
    probe_samples: ClassVar = 1
    sites: ClassVar = ("image", *(f"relu{n}" for n in range(1, LAYERS)))

    def make_model(self) -> nn.Module:
        """A fresh DnCNN."""
        return DnCNN()

    def training_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Noisy and clean crops (size, 3, 32, 32), mirrored at random."""
        crops = np.empty((size, 3, CROP_PIXELS, CROP_PIXELS), np.float32)
        photos = datasets.photos()[0]
        for crop in crops:
            photo = photos[rng.integers(len(photos))]
            top, left = (rng.integers(edge - CROP_PIXELS + 1) for edge in photo.shape[1:])
            part = photo[:, top : top + CROP_PIXELS, left : left + CROP_PIXELS]
            crop[:] = part[:, :, ::-1] if rng.integers(2) else part
        noise = rng.normal(0.0, NOISE_STD, crops.shape).astype(np.float32)
        return torch.from_numpy(crops + noise), torch.from_numpy(crops)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Half the squared error summed over a crop, mean over the crops (the paper's equation 1)."""
        return (outputs - targets).square().sum((1, 2, 3)).mean() / 2

    def outputs(self, model: nn.Module) -> Tensor:
        """Six held-out crops, denoised (their noise is fixed): (6, 3, 128, 128)."""
        return predict(model, _held_out()[0])

    def score(self, outputs: Tensor) -> float:
        """PSNR of the denoised crops in dB."""
        return psnr_db(outputs, _held_out()[1])

    def probe(self, size: int) -> Tensor:
        """The middle 19x19 pixels of the first `size` held-out noisy crops."""
        start = (TEST_PIXELS - PROBE_PIXELS) // 2
        span = slice(start, start + PROBE_PIXELS)
        return _held_out()[0][:size, :, span, span]
