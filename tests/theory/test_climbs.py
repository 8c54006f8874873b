"""How high the peak of a schedule may be on a line, against what is proved of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils import schedules
from course_utils.theory import climbs
from tests.mutants import mistakes

PEAKS = torch.logspace(0, 3, 400, dtype=torch.float64)
FINE = 1.02  # two neighbours of PEAKS are closer


def check_gradients(module: Any) -> None:
    for line in (module.QUARTIC, module.BOWL):
        p = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
        (want,) = torch.autograd.grad(line.height(p).sum(), p)
        torch.testing.assert_close(line.grad(p), want)
        assert line.height(torch.zeros(1)) == 0


def check_edges(module: Any) -> None:
    """A constant rate: 2 / start**2 on the quartic; 2 / (largest curvature) on the bowl, from anywhere."""
    for start in (1.0, -0.5):
        found = module.largest_peak(module.QUARTIC, schedules.constant(), PEAKS, start=start)
        assert 2 / start**2 / FINE < found < 2 / start**2 * FINE
    found = module.largest_peak(module.BOWL, schedules.constant(), PEAKS, start=3.0)
    assert 2 / FINE < found < 2.1


def check_climbs(module: Any) -> None:
    """The quartic's peak grows with the climb, to more than is proved; the bowl's does not."""
    for n in (10, 50):
        climb = schedules.linear_warmup(n, schedules.constant())
        assert n < module.largest_peak(module.QUARTIC, climb, PEAKS, start=1.0) < 2 * n
        assert module.largest_peak(module.BOWL, climb, PEAKS, start=3.0) < 2.1


def check_gaps(module: Any) -> None:
    """The first that fails counts, not the last that settles; and there may be none."""
    peaks = torch.tensor([0.01, 1.0, 1.9, 2.5], dtype=torch.float64)
    constant = schedules.constant()
    assert module.largest_peak(module.QUARTIC, constant, peaks, start=1.0, steps=10) == 0, (
        "the lowest is late"
    )
    assert module.largest_peak(module.QUARTIC, constant, peaks, start=1.0) == 1.9


CHECKS = [check_gradients, check_edges, check_climbs, check_gaps]


@pytest.mark.parametrize("check", CHECKS)
def test_climbs(check: Any) -> None:
    check(climbs)


@pytest.mark.parametrize(
    "wrong",
    [
        {"peaks": torch.tensor([2.0, 1.0])},
        {"peaks": torch.tensor([0.0, 1.0])},
        {"start": 0.0},
        {"steps": 0},
        {"share": 1.0},
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    good: dict[str, Any] = {"peaks": PEAKS, "start": 1.0, "steps": 10, "share": 0.1}
    with pytest.raises(ValueError, match="need"):
        climbs.largest_peak(climbs.QUARTIC, schedules.constant(), **(good | wrong))


MUTANTS = {
    "square-for-cube": ("return p**3", "return p**2 * 3", check_gradients),
    "no-root": ("return p / (1 + p**2).sqrt()", "return p / (1 + p**2)", check_gradients),
    "uphill": ("(p - peaks * schedule(t)", "(p + peaks * schedule(t)", check_edges),
    "always-at-the-peak": ("peaks * schedule(t)", "peaks * schedule(steps)", check_climbs),
    "last-that-settles": (".long().cumprod(0).sum()", ".long().sum()", check_gaps),
    "none-is-the-last": ("if settled else 0.0", "", check_gaps),
}

test_mistakes_are_caught = mistakes("course_utils.theory.climbs", MUTANTS)
