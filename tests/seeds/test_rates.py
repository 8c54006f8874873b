"""Rates and seeds in one run are the runs that each would have been alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import data
from course_utils.data import Stacked
from course_utils.optimizers import SGD
from course_utils.seeds import rates, train_seeds
from tests.mutants import mutant

RATES, SEEDS, MOST, EVERY = (0.05, 0.2, 0.5), (3, 4), 40, 4


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 10)).double()


def check_steps_to_loss(steps_to_loss) -> None:
    train = data.digits().splits(SEEDS, train=128, validation=1, dtype=torch.float64).train
    found = steps_to_loss(
        make, train, loss=F.cross_entropy, target=0.6, rates=RATES, seeds=SEEDS, batch_size=32, most=MOST,
        measure_every=EVERY,
    )  # fmt: skip
    for i, seed in enumerate(SEEDS):
        own = Stacked(train.x[i : i + 1], train.y[i : i + 1])
        for j, rate in enumerate(RATES):
            runs = train_seeds(
                make, own, own, optimizer=lambda p, rate=rate: SGD(p, lr=rate), loss=F.cross_entropy,
                steps=MOST, seeds=[seed], batch_size=32, measure_every=EVERY,
            )  # fmt: skip
            arrived = [s for s, v in zip(runs.steps, runs.validation_loss[0], strict=True) if v <= 0.6]
            assert found[i, j] == (arrived[0] if arrived else MOST), (seed, rate)
    assert found.shape == (2, 3)
    assert (found[:, 0] == MOST).all()  # a run that does not arrive
    assert (found[:, 2] < MOST).all()


def test_steps_are_those_of_separate_runs() -> None:
    check_steps_to_loss(rates.steps_to_loss)


MUTANTS = [
    pytest.param(".repeat(len(seeds))", ".repeat_interleave(len(seeds))", id="rates-beside-the-wrong-seeds"),
    pytest.param("arrived.long().argmax(1)", "arrived.long().argmin(1)", id="first-that-is-not"),
    pytest.param(
        "[seed for seed in seeds for _ in rates]", "list(range(count * len(seeds)))", id="other-seeds"
    ),
]


@pytest.mark.parametrize(("old", "new"), MUTANTS)
def test_plausible_mistakes_are_caught(old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        check_steps_to_loss(mutant("course_utils.seeds.rates", old, new).steps_to_loss)


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="rates >= 0"):
        rates.RatePerRun([torch.zeros(2, 1, requires_grad=True)], torch.tensor([0.1, -0.1]))
