"""Many rates in one run are the runs that each rate would have been alone; only what is named is swept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import data
from course_utils.data import Split
from course_utils.optimizers import SGD
from course_utils.seeds import rate_ranges
from course_utils.seeds.rate_ranges import Sweep
from course_utils.training import minibatches
from tests.mutants import mutant

RATES, SEEDS, STEPS = (0.05, 0.4, 1.0), (3, 4), 12
SPLIT = {"train": 64, "validation": 50, "dtype": torch.float64}


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10)).double()


def alone(seed: int, rates: dict[str, float], split: Split) -> tuple[nn.Module, Tensor, Tensor]:
    """One seed trained by hand, each parameter at its own rate."""
    torch.manual_seed(seed)
    net, generator = make(), torch.Generator().manual_seed(seed)
    optimizer = SGD([{"params": [p], "lr": rates[name]} for name, p in net.named_parameters()], lr=0.0)
    done = 0
    while done < STEPS:
        for rows in minibatches(64, 16, generator):
            optimizer.zero_grad()
            F.cross_entropy(net(split.train.x[rows]), split.train.y[rows]).backward()
            optimizer.step()
            done += 1
            if done == STEPS:
                break
    with torch.no_grad():
        logits = net(split.validation.x)
    right = (logits.argmax(1) == split.validation.y).double().mean()
    return net, right, F.cross_entropy(logits, split.validation.y)


def check_sweep(sweep_rates: Any, only: tuple[str, ...] | None) -> None:
    splits = data.digits().splits(SEEDS, **SPLIT)
    found = sweep_rates(
        make, splits, rates=RATES, seeds=SEEDS, steps=STEPS, batch_size=16, only=only, otherwise=0.03
    )
    assert found.accuracy.shape == found.loss.shape == (2, 3)
    names = [name for name, _ in make().named_parameters()]
    for i, seed in enumerate(SEEDS):
        split = data.digits().split(seed, **SPLIT)
        for j, rate in enumerate(RATES):
            own = {name: rate if only is None or name in only else 0.03 for name in names}
            net, right, loss = alone(seed, own, split)
            assert torch.allclose(found.accuracy[i, j], right, rtol=0, atol=1e-7), (seed, rate)
            assert torch.allclose(found.loss[i, j], loss, rtol=1e-10, atol=0), (seed, rate)
            for name, p in net.named_parameters():
                assert torch.allclose(found.parameters[name][i, j], p, rtol=1e-9, atol=1e-12), name


ONLY = [pytest.param(None, id="all"), pytest.param(("0.weight",), id="one")]


@pytest.mark.parametrize("only", ONLY)
def test_every_rate_is_the_run_it_would_be_alone(only: tuple[str, ...] | None) -> None:
    check_sweep(rate_ranges.sweep_rates, only)


def test_a_rate_that_diverges_harms_no_other() -> None:
    splits = data.digits().splits(SEEDS, **SPLIT)
    common = {"seeds": SEEDS, "steps": STEPS, "batch_size": 16}
    alone_, beside = (
        rate_ranges.sweep_rates(make, splits, rates=r, **common) for r in ((0.4,), (0.4, 1e200))
    )
    assert torch.equal(alone_.accuracy[:, 0], beside.accuracy[:, 0])
    assert (beside.accuracy[:, 1] < 0.5).all()


def test_an_unknown_name_is_refused() -> None:
    splits = data.digits().splits(SEEDS, **SPLIT)
    with pytest.raises(ValueError, match=r"0\.weight.*only=\['7\.weight'\]"):
        rate_ranges.sweep_rates(make, splits, rates=(0.1,), seeds=SEEDS, steps=1, only=("7.weight",))


def check_largest(largest_rate: Any) -> None:
    rows = [[0.9, 0.5, 0.8, 0.1], [0.6, 0.7, 0.2, 0.1], [0.1, float("nan"), 0.1, 0.1]]
    accuracy = torch.tensor(rows, dtype=torch.float64)
    sweep = Sweep(accuracy, accuracy, {})
    assert largest_rate(sweep, (0.5, 1.0, 2.0, 4.0), at_least=0.7).tolist() == [2.0, 1.0, 0.0]
    assert largest_rate(sweep, (0.5, 1.0, 2.0, 4.0), at_least=0.95).tolist() == [0.0, 0.0, 0.0]


def test_largest_rate() -> None:
    check_largest(rate_ranges.largest_rate)


MUTANTS = [
    pytest.param(".repeat(len(seeds))", ".repeat_interleave(len(seeds))", id="rates-beside-the-wrong-seeds"),
    pytest.param("if not marked", "if marked", id="sweeps-the-rest"),
    pytest.param('group["lr"] * self.otherwise', 'group["lr"]', id="the-rest-at-one"),
    pytest.param("runs.validation_loss[:, -1]", "runs.train_loss[:, -1]", id="training-loss"),
]


@pytest.mark.parametrize(("old", "new"), MUTANTS)
def test_plausible_mistakes_are_caught(old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        check_sweep(mutant("course_utils.seeds.rate_ranges", old, new).sweep_rates, ("0.weight",))


def test_the_smallest_instead_of_the_largest_is_caught() -> None:
    with pytest.raises(AssertionError):
        check_largest(mutant("course_utils.seeds.rate_ranges", ".amax(1)", ".amin(1)").largest_rate)
