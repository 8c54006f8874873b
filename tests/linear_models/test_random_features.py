"""Classifiers on random features, against the same fits made one by one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils.linear_models import random_feature_answers, random_features
from tests.mutants import mistakes

OPTIONS: dict[str, Any] = {"nets": 4, "features": 6, "l2": 0.3}


def some(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, new = (torch.randn(2, n, 3, generator=generator, dtype=torch.float64) for n in (20, 15))
    # every class is there: one-hot targets have as many columns as classes
    y = torch.arange(40).view(2, 20) % 3
    return x, y, new


def check(module: Any) -> None:
    x, y, new = some()
    found = module.random_feature_answers(x, y, new, generator=torch.Generator().manual_seed(5), **OPTIONS)
    assert found.shape == (2, 4, 15)
    generator = torch.Generator().manual_seed(5)
    for seed in range(2):
        layers = torch.randn(4, 3, 6, generator=generator, dtype=torch.float64) / 3**0.5
        for net, layer in enumerate(layers):
            seen, hidden = (x[seed] @ layer).clamp(min=0), (new[seed] @ layer).clamp(min=0)
            rows = torch.cat([seen, 0.3**0.5 * torch.eye(6, dtype=torch.float64)])
            targets = torch.cat([torch.eye(3)[y[seed]].double(), torch.zeros(6, 3, dtype=torch.float64)])
            weights = torch.linalg.lstsq(rows, targets).solution
            assert torch.equal(found[seed, net], (hidden @ weights).argmax(-1))


def test_each_net_is_ridge_on_its_own_features() -> None:
    check(random_features)


@pytest.mark.parametrize("change", [{"nets": 0}, {"features": 0}, {"l2": 0.0}])
def test_numbers_out_of_range_are_named(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nets, features >= 1 and l2 > 0"):
        random_feature_answers(*some(), generator=torch.Generator(), **{**OPTIONS, **change})


def test_shapes_that_do_not_fit_are_named() -> None:
    x, y, new = some()
    for bad in ((x, y[:, :5], new), (x, y, new[..., :2]), (x[0], y[0], new[0]), (x, y, new[:1])):
        with pytest.raises(ValueError, match=r"x \(S, n, d\)"):
            random_feature_answers(*bad, generator=torch.Generator(), **OPTIONS)


MUTANTS = {
    "no-relu-on-new": ("torch.relu(other @ layer)", "other @ layer", check),
    "no-penalty": ("l2 * torch.eye", "0 * torch.eye", check),
    "one-layer-for-all": ("torch.randn(nets,", "torch.randn(1,", check),
    "layer-not-scaled": ("/ x.shape[2] ** 0.5", "", check),
}


test_mistakes_are_caught = mistakes("course_utils.linear_models.random_features", MUTANTS)
