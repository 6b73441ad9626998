"""The model zoo: one file per family, each with one recipe. Needs torch."""

from __future__ import annotations

from tracegen.models.dncnn import DnCNNRecipe
from tracegen.models.gpt import GPTRecipe
from tracegen.models.gru import GRURecipe
from tracegen.models.lenet5 import LeNet5Recipe
from tracegen.models.lenet300 import LeNet300Recipe
from tracegen.models.lstm import LSTMRecipe
from tracegen.models.minilm import MiniLMRecipe
from tracegen.models.mobilenetv2 import MobileNetV2Recipe
from tracegen.models.recipe import Recipe
from tracegen.models.resnet20 import ResNet20Recipe
from tracegen.models.untrained import UntrainedRecipe
from tracegen.models.vgg import VGGRecipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        LeNet300Recipe(),
        LeNet5Recipe(),
        ResNet20Recipe(),
        VGGRecipe(),
        MobileNetV2Recipe(),
        DnCNNRecipe(),
        LSTMRecipe(),
        GRURecipe(),
        GPTRecipe(),
        MiniLMRecipe(),
        UntrainedRecipe(),
    )
}
"""Every recipe by its model's name, in the order in which a corpus is built."""

__all__ = ["RECIPES", "Recipe"]
