"""A control: ResNet-20 as it was initialised, to show what random weights would have claimed."""

from __future__ import annotations

from typing import ClassVar

from tracegen.zoo.models.resnet20 import ResNet20Recipe


class UntrainedRecipe(ResNet20Recipe):
    """ResNet-20 on digits, never trained (He et al. initialisation as torch has it)."""

    name: ClassVar = "untrained"
    title: ClassVar = "Control: ResNet-20 on 8x8 digits with random weights, never trained"
    how_made: ClassVar = "None: seeded random initialisation, there only to be compared with."
    is_trained: ClassVar = False
    is_control: ClassVar = True
    updates: ClassVar = ()
