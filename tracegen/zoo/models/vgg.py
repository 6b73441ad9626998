"""A VGG of six 3x3 convolutions on digits (Simonyan & Zisserman, ICLR 2015, section 2.1).

After the paper's configuration B, cut at three stages because 8x8 pixels can be halved three times; with
batch norm (Ioffe & Szegedy, ICML 2015) and one fully connected layer, as small-image VGGs have had since.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

from torch import nn

from tracegen.zoo.models.digits import DigitsRecipe
from tracegen.zoo.models.recipe import Schedule
from tracegen.zoo.variants import BLOCK_4, FILTER, FINE_TUNED_PRECISIONS, ROWS, TWO_OF_FOUR

CHANNELS = (24, 24, 48, 48, 96, 96)


class VGG(nn.Sequential):
    """Three stages of two convolutions + batch norm + ReLU, each max-pooled 2x2, then 96-10.

    Input (N, 1, 8, 8), output (N, 10) logits.
    """

    def __init__(self) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(image=nn.Identity())
        inputs = 1
        for n, outputs in enumerate(CHANNELS, 1):
            layers[f"conv{n}"] = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers[f"bn{n}"] = nn.BatchNorm2d(outputs)
            layers[f"relu{n}"] = nn.ReLU()
            if n % 2 == 0:
                layers[f"pool{n // 2}"] = nn.MaxPool2d(2)
            inputs = outputs
        super().__init__(OrderedDict(layers, flatten=nn.Flatten(), fc=nn.Linear(inputs, 10)))


class VGGRecipe(DigitsRecipe):
    """VGG on digits."""

    name: ClassVar = "vgg"
    title: ClassVar = "VGG (Simonyan & Zisserman 2015, batch norm, 24-24-48-48-96-96-10) on 8x8 digits"
    dense: ClassVar = Schedule(steps=700, batch_size=64, learning_rate=2e-3)
    finetune: ClassVar = Schedule(steps=300, batch_size=64, learning_rate=1e-3)
    weights: ClassVar = ("conv4.weight",)
    gradients: ClassVar = ("conv4.weight",)
    activations: ClassVar = {"relu2": "relu"}
    errors: ClassVar = ("relu2",)
    prunings: ClassVar = (TWO_OF_FOUR, ROWS, BLOCK_4, FILTER)
    quantised: ClassVar = FINE_TUNED_PRECISIONS
    has_all_precisions: ClassVar = True
    sites: ClassVar = ("image", *(f"relu{n}" for n in range(1, len(CHANNELS) + 1)))

    def make_model(self) -> nn.Module:
        """A fresh VGG."""
        return VGG()
