"""Many strengths of weight decay in one run are the runs that each would have been alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import data
from course_utils.optimizers import SGD
from course_utils.seeds import l2, train_seeds
from course_utils.training import accuracy
from tests.mutants import mistakes

L2S, SEEDS = (0.0, 0.02, 0.3), (3, 4)
RUN: dict[str, Any] = {
    "loss": F.cross_entropy, "metric": accuracy, "steps": 12, "batch_size": 16, "measure_every": 5,
}  # fmt: skip


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10)).double()


def sgd(decay: float = 0.0) -> Any:
    return lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=decay)


def check(module: Any) -> None:
    """Each strength is SGD with that weight decay."""
    train, validation, test = data.digits().splits(SEEDS, train=64, validation=50, dtype=torch.float64)
    sweep = module.sweep_l2(make, train, validation, l2s=L2S, seeds=SEEDS, optimizer=sgd(), **RUN)
    assert sweep.steps == [5, 10, 12]
    assert sweep.validation_loss.shape == sweep.validation_metric.shape == (2, 3, 3)
    outputs = sweep.predict(test)
    assert outputs.shape == (2, 3, 360, 10)
    for k, strength in enumerate(L2S):
        alone = train_seeds(make, train, validation, optimizer=sgd(strength), seeds=SEEDS, **RUN)
        torch.testing.assert_close(sweep.validation_loss[:, k], alone.validation_loss, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(sweep.validation_metric[:, k], alone.validation_metric)
        torch.testing.assert_close(outputs[:, k], alone.predict(test), rtol=1e-9, atol=1e-9)


def test_each_strength_is_weight_decay() -> None:
    check(l2)


@pytest.mark.parametrize("l2s", [(0.1, -0.1), ((0.1,),)])
def test_strengths_out_of_range_are_named(l2s: Any) -> None:
    train, validation, _ = data.digits().splits(SEEDS, train=64, validation=50)
    with pytest.raises(ValueError, match="l2s >= 0 in a row"):
        l2.sweep_l2(make, train, validation, l2s=l2s, seeds=SEEDS, optimizer=sgd(), **RUN)


MUTANTS = {
    "no-half": ("repeat_interleave(len(seeds)) / 2", "repeat_interleave(len(seeds))", check),
    "strengths-in-turn": ("strengths.repeat_interleave(len(seeds))", "strengths.repeat(len(seeds))", check),
    "one-for-all": ("half.to(p) @", "half.mean().to(p) * torch.ones(len(p)).to(p) @", check),
    "first-tensor-only": ("for _, p in named]", "for _, p in named[:1]]", check),
}


test_mistakes_are_caught = mistakes("course_utils.seeds.l2", MUTANTS)
