"""A grid of rates and decays is the runs that torch's Adam and AdamW would have been alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import data
from course_utils.seeds import decay, train_seeds
from course_utils.training import accuracy
from tests.mutants import mistakes

LRS, L2, DECOUPLED, SEEDS = (0.003, 0.02), (0.01, 0.3), (0.5, 2.0, 8.0), (3, 4)
RUN: dict[str, Any] = {"loss": F.cross_entropy, "metric": accuracy, "steps": 9, "batch_size": 16,
                       "schedule": lambda step: 1 - step / 12}  # fmt: skip


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 6), nn.Tanh(), nn.Linear(6, 10)).double()


def check_grid(module: Any) -> None:
    train, validation, _ = data.digits().splits(SEEDS, train=64, validation=50, dtype=torch.float64)
    grid = module.sweep_decay(
        make, train, validation, lrs=LRS, l2=L2, decoupled=DECOUPLED, seeds=SEEDS, **RUN
    )
    for half, strengths, kind in (
        (grid.l2, L2, torch.optim.Adam),
        (grid.decoupled, DECOUPLED, torch.optim.AdamW),
    ):
        assert half.strengths.tolist() == list(strengths)
        assert half.loss.shape == half.metric.shape == (2, 2, len(strengths))
        for i, lr in enumerate(LRS):
            for j, strength in enumerate(strengths):
                alone = train_seeds(
                    make,
                    train,
                    validation,
                    optimizer=partial(kind, lr=lr, weight_decay=strength),
                    seeds=SEEDS,
                    **RUN,
                )
                torch.testing.assert_close(
                    half.loss[:, i, j], alone.validation_loss[:, -1].double(), rtol=1e-9, atol=0
                )
                torch.testing.assert_close(half.metric[:, i, j], alone.validation_metric[:, -1].double())


def test_every_cell_is_the_run_it_would_be_alone() -> None:
    check_grid(decay)


def test_one_kind_alone_and_a_run_that_diverges() -> None:
    train, validation, _ = data.digits().splits(SEEDS, train=64, validation=50, dtype=torch.float64)
    grid = decay.sweep_decay(make, train, validation, lrs=(0.02,), decoupled=(0.5, 1e300), seeds=SEEDS, **RUN)
    assert grid.l2.loss.shape == (2, 1, 0)
    assert torch.isinf(grid.decoupled.loss[..., 1]).all()
    assert torch.isfinite(grid.decoupled.loss[..., 0]).all()


def test_what_does_not_fit_is_refused() -> None:
    train, validation, _ = data.digits().splits(SEEDS, train=64, validation=50, dtype=torch.float64)
    with pytest.raises(ValueError, match="a strength in l2 or decoupled"):
        decay.sweep_decay(make, train, validation, lrs=LRS, seeds=SEEDS, **RUN)
    p, one = [torch.zeros(2, 3, requires_grad=True)], torch.ones(2)
    with pytest.raises(ValueError, match=r"lrs, l2 and decoupled >= 0.*-1"):
        decay.AdamPerRun(p, one, l2=-one, decoupled=one)
    with pytest.raises(ValueError, match="as many lrs as l2 and decoupled"):
        decay.AdamPerRun(p, one, l2=one, decoupled=torch.ones(3))


PENALISED, DECAYED = "l2=strength * penalised, decoupled=strength * ~penalised", "strength * ~penalised"
MUTANTS = {
    "decay without the rate": ("1 - lr * over(self.decoupled", "1 - over(self.decoupled"),
    "l2 after the averages": ("g = g + over(self.l2.to(p), p) * p",
                              "p.sub_(lr * over(self.l2.to(p), p) * p)"),
    "kinds swapped": (PENALISED, f"l2={DECAYED}, decoupled=strength * penalised"),
    "rates and strengths mixed up": ("(len(columns), len(rates), S).permute(2, 1, 0)",
                                     "(len(rates), len(columns), S).permute(2, 0, 1)"),
    "no correction of m": ("(lr / (1 - beta1**t))", "lr"),
    "schedule forgotten": (' * group["lr"]', ""),
}  # fmt: skip

test_mistakes_are_caught = mistakes("course_utils.seeds.decay", MUTANTS, check=check_grid)
