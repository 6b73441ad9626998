"""The model zoo: one file per family, each with one recipe. Needs torch."""

from __future__ import annotations

from tracegen.zoo.models.dncnn import DnCNNRecipe
from tracegen.zoo.models.gpt import GPTRecipe
from tracegen.zoo.models.gru import GRURecipe
from tracegen.zoo.models.lenet5 import LeNet5Recipe
from tracegen.zoo.models.lenet300 import LeNet300Recipe
from tracegen.zoo.models.lstm import LSTMRecipe
from tracegen.zoo.models.minilm import MiniLMRecipe
from tracegen.zoo.models.mobilenetv2 import MobileNetV2Recipe
from tracegen.zoo.models.recipe import Recipe
from tracegen.zoo.models.resnet20 import ResNet20Recipe
from tracegen.zoo.models.untrained import UntrainedRecipe
from tracegen.zoo.models.vgg import VGGRecipe

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
