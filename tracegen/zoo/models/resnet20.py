"""ResNet-20 on digits (He et al., CVPR 2016, section 4.2), its input 8x8 instead of 32x32."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from tracegen.zoo.models.digits import DigitsRecipe
from tracegen.zoo.models.recipe import Schedule

CHANNELS = (16, 32, 64)
BLOCKS = 3


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if (inputs, stride) != (outputs, 1):
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        inner = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(maps)))))
        outputs: Tensor = self.relu2(inner + self.shortcut(maps))
        return outputs


class ResNet20(nn.Module):
    """A 3x3 convolution, three stages of three blocks with 16, 32, 64 channels, average pooling, 64-10.

    Input (N, 1, 8, 8), output (N, 10) logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Identity()
        self.conv1 = nn.Conv2d(1, CHANNELS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(CHANNELS[0])
        self.relu1 = nn.ReLU()
        self.layer1 = self._stage(CHANNELS[0], CHANNELS[0], stride=1)
        self.layer2 = self._stage(CHANNELS[0], CHANNELS[1], stride=2)
        self.layer3 = self._stage(CHANNELS[1], CHANNELS[2], stride=2)
        self.pooled = nn.Identity()
        self.fc = nn.Linear(CHANNELS[2], 10)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        first = Block(inputs, outputs, stride)
        return nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(BLOCKS - 1)))

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        maps = self.relu1(self.bn1(self.conv1(self.image(images))))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        logits: Tensor = self.fc(self.pooled(maps.mean((2, 3))))
        return logits


class ResNet20Recipe(DigitsRecipe):
    """ResNet-20 on digits."""

    name: ClassVar = "resnet20"
    title: ClassVar = "ResNet-20 (He et al. 2016) on 8x8 digits"
    dense: ClassVar = Schedule(steps=700, batch_size=64, learning_rate=0.1, momentum=0.9)
    finetune: ClassVar = Schedule(steps=300, batch_size=64, learning_rate=1.5e-3)
    weights: ClassVar = ("layer3.0.conv1.weight",)
    gradients: ClassVar = ("layer3.0.conv1.weight",)
    activations: ClassVar = {"layer1.2.relu2": "relu"}
    errors: ClassVar = ("layer1.2.relu2",)
    updates: ClassVar[tuple[str, ...]] = ("layer3.0.conv1.weight",)
    sites: ClassVar = (
        "image",
        "relu1",
        *(f"layer{stage}.{block}.relu{n}" for stage in (1, 2, 3) for block in range(BLOCKS) for n in (1, 2)),
        "pooled",
    )

    def make_model(self) -> nn.Module:
        """A fresh ResNet-20."""
        return ResNet20()
