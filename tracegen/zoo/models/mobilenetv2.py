"""MobileNetV2 on digits (Sandler et al., CVPR 2018, sections 3 and 4), its input 8x8 instead of 224x224."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from tracegen.zoo.models.digits import DigitsRecipe
from tracegen.zoo.models.recipe import Schedule

STEM = 16
EXPANSION = 6
HEAD = 256
# Outputs and stride of each block, after the paper's table 2; every second one has a shortcut.
BLOCKS = ((24, 1), (24, 1), (40, 2), (40, 1), (64, 2), (64, 1))


class InvertedResidual(nn.Module):
    """Expansion by 6 (1x1), depthwise 3x3, linear projection (1x1); a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = EXPANSION * inputs
        self.expand = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.relu1 = nn.ReLU6()
        self.depthwise = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.relu2 = nn.ReLU6()
        self.project = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.has_shortcut = (inputs, stride) == (outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        inner = self.relu1(self.bn1(self.expand(maps)))
        outputs: Tensor = self.bn3(self.project(self.relu2(self.bn2(self.depthwise(inner)))))
        return outputs + maps if self.has_shortcut else outputs


class MobileNetV2(nn.Module):
    """A 3x3 convolution, six inverted residuals, a 1x1 convolution, average pooling, 256-10.

    Input (N, 1, 8, 8), output (N, 10) logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Identity()
        self.conv1 = nn.Conv2d(1, STEM, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.relu1 = nn.ReLU6()
        inputs = (STEM, *(outputs for outputs, _ in BLOCKS))
        self.blocks = nn.Sequential(
            *(InvertedResidual(inputs[n], outputs, stride) for n, (outputs, stride) in enumerate(BLOCKS))
        )
        self.conv2 = nn.Conv2d(inputs[-1], HEAD, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(HEAD)
        self.relu2 = nn.ReLU6()
        self.pooled = nn.Identity()
        self.fc = nn.Linear(HEAD, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        maps = self.blocks(self.relu1(self.bn1(self.conv1(self.image(images)))))
        maps = self.relu2(self.bn2(self.conv2(maps)))
        logits: Tensor = self.fc(self.pooled(maps.mean((2, 3))))
        return logits


class MobileNetV2Recipe(DigitsRecipe):
    """MobileNetV2 on digits; its depthwise weights (at most 3,456 in a layer) are too few for a trace."""

    name: ClassVar = "mobilenetv2"
    title: ClassVar = "MobileNetV2 (Sandler et al. 2018), six inverted residuals, on 8x8 digits"
    dense: ClassVar = Schedule(steps=700, batch_size=64, learning_rate=3e-3)
    finetune: ClassVar = Schedule(steps=300, batch_size=64, learning_rate=5e-3)
    weights: ClassVar = ("blocks.5.expand.weight",)
    gradients: ClassVar = ("blocks.5.expand.weight",)
    activations: ClassVar = {"blocks.2.relu1": "relu6", "blocks.1": "bottleneck"}
    errors: ClassVar = ("blocks.2.relu1",)
    sites: ClassVar = (
        "image",
        "relu1",
        *(f"blocks.{block}{part}" for block in range(len(BLOCKS)) for part in (".relu1", ".relu2", "")),
        "relu2",
        "pooled",
    )

    def make_model(self) -> nn.Module:
        """A fresh MobileNetV2."""
        return MobileNetV2()
