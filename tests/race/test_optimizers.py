"""A step written as a function is the optimizer that it writes out, at each run's own rate."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import data
from course_utils.optimizers import SGD, Adam
from course_utils.race import optimizers
from course_utils.seeds import train_seeds
from course_utils.seeds.rates import for_each, sweep_lrs
from tests.mutants import mistakes

SEEDS, LRS = (3, 4), [0.02, 0.1]


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10)).double()


def heavy(p: Tensor, m: Tensor, g: Tensor, lr: Tensor) -> tuple[Tensor, Tensor]:
    """Momentum as the package has it."""
    m = 0.9 * m + g
    return p - lr * m, m


def run(per_run: Any, **options: Any) -> dict[str, Tensor]:
    train, validation, _ = data.digits().splits(SEEDS, train=48, validation=20, dtype=torch.float64)
    sweep = sweep_lrs(
        make,
        train,
        validation,
        lrs=LRS,
        seeds=SEEDS,
        per_run=per_run,
        loss=F.cross_entropy,
        steps=7,
        **options,
    )
    return sweep.parameters()


def check_hidden(module: Any) -> None:
    """The hidden matrix is momentum's, all else Adam's, with and without a schedule."""
    schedule = lambda step: 1 / (1 + step)  # noqa: E731
    found = run(partial(module.hidden_by, heavy), schedule=schedule)
    train = data.digits().splits(SEEDS, train=48, validation=20, dtype=torch.float64).train
    for k, lr in enumerate(LRS):

        def mixed(params: list[Tensor], lr: float = lr) -> Any:
            rest = [params[1], params[2], params[3]]
            return optimizers.Together(SGD([params[0]], lr=lr, momentum=0.9), Adam(rest, lr=lr))

        alone = train_seeds(make, for_each(1, train), optimizer=mixed, loss=F.cross_entropy, steps=7,
                            seeds=SEEDS, schedule=schedule)  # fmt: skip
        for (name, p), values in zip(alone.nets.named_parameters(), found.values(), strict=True):
            torch.testing.assert_close(values[:, k], p.detach(), rtol=1e-10, atol=1e-12, msg=name)


def test_the_hidden_matrix_by_hand_and_the_rest_by_adam() -> None:
    check_hidden(optimizers)


def test_without_a_rule_all_is_adam() -> None:
    found, adam = run(partial(optimizers.hidden_by, None)), None
    train, validation, _ = data.digits().splits(SEEDS, train=48, validation=20, dtype=torch.float64)
    adam = sweep_lrs(make, train, validation, lrs=LRS, seeds=SEEDS, kind=Adam, loss=F.cross_entropy, steps=7)
    for name, p in adam.parameters().items():
        assert torch.equal(found[name], p)


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="a hidden matrix"):
        optimizers.hidden_by(heavy, torch.ones(2))([torch.zeros(2, 3, 4, requires_grad=True)])
    with pytest.raises(ValueError, match="lrs >= 0"):
        optimizers.ByHand([torch.zeros(2, 3, 4, requires_grad=True)], heavy, torch.tensor([0.1, -0.1]))
    with pytest.raises(ValueError, match="per_run without"):
        run(partial(optimizers.hidden_by, heavy), kind=Adam)


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "last-matrix-too": ("if p.ndim == 3][:-1]", "if p.ndim == 3]", check_hidden),
    "one-rate-for-all": ("over(self.lrs.to(p), p))", "over(self.lrs.to(p), p).mean())", check_hidden),
    "schedule-lost": ('group["lr"] * over', "1.0 * over", check_hidden),
    "m-forgotten": ('moved, state["m"] = self.rule', "moved, _ = self.rule", check_hidden),
}

test_mistakes_are_caught = mistakes("course_utils.race.optimizers", MUTANTS)
