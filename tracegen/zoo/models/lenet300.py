"""LeNet-300-100 on digits (LeCun et al., Proc. IEEE 86(11), 1998), its input 8x8 instead of 28x28."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from tracegen.zoo.models.digits import DigitsRecipe
from tracegen.zoo.models.recipe import Schedule
from tracegen.zoo.variants import BLOCK_16, FINE_TUNED_PRECISIONS, GRADUAL, ONE_SHOT, TWO_OF_FOUR


class LeNet300(nn.Module):
    """64-300-100-10, fully connected, ReLU. Input (N, 1, 8, 8), output (N, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Flatten()
        self.fc1 = nn.Linear(64, 300)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(300, 100)
        self.relu2 = nn.ReLU()
        self.fc3 = nn.Linear(100, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        hidden = self.relu1(self.fc1(self.image(images)))
        logits: Tensor = self.fc3(self.relu2(self.fc2(hidden)))
        return logits


class LeNet300Recipe(DigitsRecipe):
    """LeNet-300-100 on digits."""

    name: ClassVar = "lenet300"
    title: ClassVar = "LeNet-300-100 (LeCun et al. 1998) on 8x8 digits"
    dense: ClassVar = Schedule(steps=700, batch_size=64, learning_rate=2e-3)
    finetune: ClassVar = Schedule(steps=500, batch_size=64, learning_rate=3e-3)
    weights: ClassVar = ("fc1.weight",)
    gradients: ClassVar = ("fc1.weight",)
    activations: ClassVar = {"relu1": "relu"}
    errors: ClassVar = ("relu1",)
    updates: ClassVar = ("fc1.weight",)
    profile: ClassVar = ("fc1.*",)  # the updates
    prunings: ClassVar = (ONE_SHOT, GRADUAL, TWO_OF_FOUR, BLOCK_16)
    quantised: ClassVar = FINE_TUNED_PRECISIONS
    has_all_precisions: ClassVar = True
    sites: ClassVar = ("image", "relu1", "relu2")

    def make_model(self) -> nn.Module:
        """A fresh LeNet-300-100."""
        return LeNet300()
