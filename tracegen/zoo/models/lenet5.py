"""LeNet-5 on digits, in the form used since Caffe: two convolutions, two fully connected layers."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from tracegen.zoo.models.digits import DigitsRecipe
from tracegen.zoo.models.recipe import Schedule


class LeNet5(nn.Module):
    """Convolutions 1-20-50 of 5x5 (padded), each max-pooled 2x2, then 200-500-10.

    Input (N, 1, 8, 8), output (N, 10) logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Identity()
        self.conv1 = nn.Conv2d(1, 20, 5, padding=2)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(20, 50, 5, padding=2)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(200, 500)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(500, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        maps = self.pool1(self.relu1(self.conv1(self.image(images))))
        maps = self.pool2(self.relu2(self.conv2(maps)))
        logits: Tensor = self.fc2(self.relu3(self.fc1(maps.flatten(1))))
        return logits


class LeNet5Recipe(DigitsRecipe):
    """LeNet-5 on digits."""

    name: ClassVar = "lenet5"
    title: ClassVar = "LeNet-5 (LeCun et al. 1998, as in Caffe: 20-50-500-10) on 8x8 digits"
    dense: ClassVar = Schedule(steps=700, batch_size=64, learning_rate=1.5e-3)
    finetune: ClassVar = Schedule(steps=300, batch_size=64, learning_rate=5e-3)
    weights: ClassVar = ("conv2.weight",)
    gradients: ClassVar = ("conv2.weight",)
    activations: ClassVar = {"relu1": "relu", "image": "input"}
    errors: ClassVar = ("relu1",)
    profile: ClassVar = ("*",)
    sites: ClassVar = ("image", "relu1", "relu2", "relu3")

    def make_model(self) -> nn.Module:
        """A fresh LeNet-5."""
        return LeNet5()
