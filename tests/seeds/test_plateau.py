"""PlateauPerRun against PyTorch's rule, run by run."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch

from course_utils.seeds import plateau
from tests.mutants import mistakes


def torch_rates(losses: torch.Tensor, lr: float, **options: Any) -> list[float]:
    """The rate after each loss, by PyTorch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    rule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0.0, **options)
    rates = []
    for loss in losses:
        rule.step(float(loss))
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def check_against_torch(module: ModuleType) -> None:
    """Three runs with rates and patiences of their own; uneven losses, ties and NaN among them."""
    generator = torch.Generator().manual_seed(3)
    losses = (1 + torch.arange(120.0)[:, None]) ** -0.2 + 0.1 * torch.rand(120, 3, generator=generator)
    losses[40:44] = losses[39]
    losses[70, 1] = torch.nan
    losses = losses.double()
    rates, patience = torch.tensor([1.0, 0.1, 2.0], dtype=torch.float64), torch.tensor([0, 2, 5])
    for options in ({}, {"factor": 0.5, "threshold": 0.05}):
        rule = module.PlateauPerRun(rates, patience, **options)
        ours = []
        for row in losses:
            rule.step(row)
            ours.append(rule.lr)
        for k in range(3):
            want = torch_rates(losses[:, k], float(rates[k]), patience=int(patience[k]), **options)
            assert torch.stack(ours)[:, k].tolist() == pytest.approx(want, rel=1e-12)
            assert want[-1] < want[0]


def test_rates() -> None:
    check_against_torch(plateau)


def test_each_run_has_a_factor_of_its_own() -> None:
    rule = plateau.PlateauPerRun(torch.ones(2), 0, factor=torch.tensor([0.5, 0.1]))
    for _ in range(3):
        rule.step(torch.ones(2))
    assert rule.lr.tolist() == pytest.approx([0.25, 0.01])


def check_looks(module: ModuleType) -> None:
    """A run that looks at every third loss has the rates of one that is given no others."""
    losses = 1 + torch.rand(60, generator=torch.Generator().manual_seed(5)).double()
    every, rates = torch.tensor([1, 3]), torch.ones(2, dtype=torch.float64)
    both, ours = module.PlateauPerRun(rates, 2), []
    for t, loss in enumerate(losses):
        both.step(loss.expand(2), t % every == 0)
        ours.append(both.lr)
    every_loss, every_third = torch.stack(ours).T
    for seen, kept in ((every_loss, losses), (every_third[::3], losses[::3])):
        assert seen.tolist() == pytest.approx(torch_rates(kept, 1.0, patience=2), rel=1e-12)
        assert seen[-1] < 0.1
    assert torch.equal(every_third.view(20, 3), every_third[::3, None].expand(20, 3))


def test_each_run_looks_when_told() -> None:
    check_looks(plateau)


def test_the_given_rates_stay() -> None:
    rates = torch.ones(2)
    rule = plateau.PlateauPerRun(rates, 0)
    for _ in range(3):
        rule.step(torch.ones(2))
    assert rates.tolist() == [1.0, 1.0]
    assert (rule.lr < 0.02).all()


def test_bad_arguments() -> None:
    for lr, patience, options in (
        (torch.tensor([0.0, 1.0]), 1, {}),
        (torch.ones(2), -1, {}),
        (torch.ones(2), torch.tensor([1, -1]), {}),
        (torch.ones(2), 1, {"factor": 1.0}),
        (torch.ones(2), 1, {"factor": torch.tensor([0.5, 0.0])}),
        (torch.ones(2), 1, {"threshold": 1.0}),
    ):
        with pytest.raises(ValueError, match="need"):
            plateau.PlateauPerRun(lr, patience, **options)


test_mutant_is_caught = mistakes(
    "course_utils.seeds.plateau",
    [
        pytest.param(
            "self._bad > self.patience", "self._bad >= self.patience", check_against_torch, id="early"
        ),
        pytest.param("better, loss, self._best", "better, loss, loss", check_against_torch, id="last-loss"),
        pytest.param(
            "late, 0.0, self._bad", "late, self._bad, self._bad", check_against_torch, id="no-reset"
        ),
        pytest.param("(1 - self.threshold)", "1", check_against_torch, id="no-threshold"),
        pytest.param("better = looks & (", "better = (", check_looks, id="sees-every-loss"),
        pytest.param("self._bad + looks", "self._bad + 1", check_looks, id="counts-every-loss"),
    ],
)
