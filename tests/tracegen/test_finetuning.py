import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tracegen.zoo.divergence import divergence  # noqa: E402 - only where torch is
from tracegen.zoo.finetuning import finetune_pruned, finetune_quantised  # noqa: E402
from tracegen.zoo.models import RECIPES  # noqa: E402
from tracegen.zoo.pruning import is_prunable  # noqa: E402
from tracegen.zoo.training import reproducible, tensors_of  # noqa: E402
from tracegen.zoo.variants import FINE_TUNED_PRECISIONS, GRADUAL, ITERATIVE, OTHER_METHODS  # noqa: E402

RECIPE = RECIPES["lenet5"]
SCHEDULE = dataclasses.replace(RECIPE.finetune, steps=24, batch_size=16)


@pytest.mark.parametrize("pruning", [ITERATIVE[2], *OTHER_METHODS], ids=lambda pruning: pruning.name)
def test_every_method_ends_at_its_sparsity_and_leaves_the_start_as_it_was(pruning):
    with reproducible():
        start = RECIPE.make_model()
        before = tensors_of(start)
        tuned = finetune_pruned(RECIPE, start, pruning, SCHEDULE, stream=1, on_step=lambda: None)
    assert all(np.array_equal(before[name], tensor) for name, tensor in tensors_of(start).items())
    for name, tensor in tensors_of(tuned).items():
        if is_prunable(name, tensor.shape):
            share = np.mean(tensor == 0)
            assert share == pytest.approx(pruning.sparsity, abs=0.06), name  # edge blocks are small
            assert not np.signbit(tensor[tensor == 0]).any()
        assert not np.array_equal(tensor, before[name]), "everything was trained further"


def test_gradual_pruning_keeps_what_went_although_adam_has_momentum():
    zeros = []
    with reproducible():
        start = RECIPE.make_model()
        for steps in (20, 24):  # the second goes on where the first has its last mask
            schedule = dataclasses.replace(SCHEDULE, steps=steps)
            tuned = finetune_pruned(RECIPE, start, GRADUAL, schedule, stream=1, on_step=lambda: None)
            zeros.append(int((tuned.fc1.weight == 0).sum()))
    assert zeros == [round(0.9 * start.fc1.weight.numel())] * 2


@pytest.mark.parametrize("precision", FINE_TUNED_PRECISIONS)
def test_fine_tuned_precisions_hold_their_few_values(precision):
    with reproducible():
        start = RECIPE.make_model()
        tuned = finetune_quantised(RECIPE, start, precision, SCHEDULE, stream=1, on_step=lambda: None)
    assert tensors_of(tuned).keys() == tensors_of(start).keys()
    weights = tuned.fc1.weight.detach().numpy()
    assert max(len(np.unique(row)) for row in weights) <= (3 if precision == "ternary" else 2)
    assert len(np.unique(tuned.conv1.weight.detach().numpy())) > 100, "small matrices stay float32"


def test_divergence_of_known_logits():
    dense = torch.log(torch.tensor([[0.5, 0.5], [0.75, 0.25]]))
    same = divergence(dense, dense + 3.0)
    assert same["flips_percent"] == 0
    assert same["logit_kl_bits"] == pytest.approx(0, abs=1e-6)
    other = divergence(dense, torch.log(torch.tensor([[0.5, 0.5], [0.25, 0.75]])))
    assert other["flips_percent"] == 50
    # D((3/4, 1/4) || (1/4, 3/4)) = (3/4 - 1/4) log2 3, over two samples
    assert other["logit_kl_bits"] == pytest.approx(np.log2(3) / 4, rel=1e-5)
