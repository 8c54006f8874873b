"""What a search leaves to luck: the pool is SGD with each learning rate, the weights those of all."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from course_utils import data
from course_utils.optimizers import SGD
from course_utils.race import Recipe, Task, expected_best, measure, search
from tests.mutants import mistakes

TASK = Task("d", data.digits, lambda: nn.Linear(64, 10), train=64, validation=40, epochs=2, label_noise=0.1)
LRS = torch.tensor([0.01, 0.3, 0.1])


def check_pool(module: Any) -> None:
    pool = module.lr_pool(TASK, LRS, [5, 7])
    for i, lr in enumerate(LRS.tolist()):
        recipe = Recipe("sgd", {}, lambda s, n: {"optimizer": lambda p: SGD(p, lr=s["lr"])})
        for part in ("validation", "test"):
            alone = measure(TASK, recipe, {"lr": lr}, [5, 7], part)
            assert getattr(pool, part)[i].tolist() == pytest.approx(alone.tolist(), abs=1e-9)


def check_weights(module: Any) -> None:
    scores = torch.tensor([0.3, 0.9, 0.1, 0.5, 0.7, 0.2], dtype=torch.float64)
    for k in range(1, 7):
        weights = module.chosen_by(scores, k)
        counts = torch.zeros(6, dtype=torch.float64)
        subsets = list(itertools.combinations(range(6), k))
        for subset in subsets:
            counts[max(subset, key=lambda i: float(scores[i]))] += 1
        assert weights.tolist() == pytest.approx((counts / len(subsets)).tolist(), abs=1e-12)
        assert float(weights @ scores) == pytest.approx(expected_best(scores.tolist(), k), abs=1e-12)
        outcomes = torch.tensor([max(float(scores[i]) for i in subset) for subset in subsets])
        assert float(module.spread(weights, scores)) == pytest.approx(
            float(outcomes.std(correction=0)), abs=1e-7
        )


def test_the_pool_is_sgd_with_each_learning_rate() -> None:
    check_pool(search)


def test_the_weights_are_those_of_all_searches() -> None:
    check_weights(search)


def test_equals_share_a_sum_of_one() -> None:
    weights = search.chosen_by(torch.tensor([0.5, 0.5, 0.1, 0.5]), 2)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
    assert weights[2] == 0  # the lowest of four never is the best of two


def test_augmentation_reaches_the_training() -> None:
    plain = search.lr_pool(TASK, LRS, [5])
    blind = search.lr_pool(TASK, LRS, [5], augment=lambda x: x * 0)
    assert (blind.test < plain.test).all()


@pytest.mark.parametrize("k", [0, 4])
def test_a_search_is_part_of_the_pool(k: int) -> None:
    with pytest.raises(ValueError, match="1 <= k <= 3"):
        search.chosen_by(torch.zeros(3), k)


MUTANTS = {
    "seeds for learning rates": (
        "right.view(prediction.shape[:2]).double().mT",
        "right.double().view(prediction.shape[1], -1)",
        check_pool,
    ),
    "one learning rate for all": ("lrs=lrs", "lrs=lrs[:1].repeat(3)", check_pool),
    "validation for test": ("splits.validation, splits.test", "splits.test, splits.validation", check_pool),
    "the worst is chosen": ("scores.argsort(stable", "(-scores).argsort(stable", check_weights),
    "off by one": ("math.comb(i, k - 1)", "math.comb(i, k)", check_weights),
    "variance for spread": ("(scores - mean) ** 2).sqrt()", "(scores - mean) ** 2)", check_weights),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.race.search", MUTANTS)
