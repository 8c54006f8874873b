"""Schedule-Free's mean loss on a noisy quadratic, against the package's optimizer: one run, and a crowd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from course_utils.optimizers import ScheduleFreeSGD
from course_utils.theory import noisy_quadratic
from course_utils.theory.noisy_quadratic import loss_path
from tests.mutants import mistakes

LAM = torch.tensor([0.1, 1.0], dtype=torch.float64)
NOISE = torch.tensor([0.5, 2.0], dtype=torch.float64)
START = torch.tensor([9.0, 4.0], dtype=torch.float64)


def check_deterministic(module: Any, beta: float = 0.9) -> None:
    """Without noise the mean loss is the loss of one run of the package's optimizer."""
    p = START.sqrt().requires_grad_()
    rule = ScheduleFreeSGD([p], lr=0.7, momentum=beta)
    at_x, at_z = module.schedule_free_path(0.7, beta, 15, LAM, 0 * NOISE, START)
    for t in range(1, 16):
        p.grad = LAM * p.detach()
        rule.step()
        for found, name in ((at_x, "x"), (at_z, "z")):
            expected = (LAM * rule.state[p][name] ** 2).sum() / 2
            torch.testing.assert_close(found[t], expected, rtol=1e-12, atol=1e-14)


def check_crowd(module: Any, beta: float = 0.6) -> None:
    """With noise it is the mean over many runs."""
    generator, crowd = torch.Generator().manual_seed(0), 40_000
    signs = torch.randint(2, (crowd, 2), generator=generator) * 2.0 - 1
    p = (START.sqrt() * signs).requires_grad_()
    rule = ScheduleFreeSGD([p], lr=0.5, momentum=beta)
    at_x, at_z = module.schedule_free_path(0.5, beta, 20, LAM, NOISE, START)
    for t in range(1, 21):
        noise = torch.randn(crowd, 2, generator=generator, dtype=torch.float64)
        p.grad = LAM * p.detach() + NOISE.sqrt() * noise
        rule.step()
        for found, name in ((at_x, "x"), (at_z, "z")):
            measured = (LAM * rule.state[p][name] ** 2).sum(1).mean() / 2
            assert abs(measured / found[t] - 1) < 0.03


def check_iterate_is_sgd(module: Any) -> None:
    """With beta = 0 the gradient is taken at z, and z is plain SGD."""
    _, at_z = module.schedule_free_path(0.5, 0.0, 30, LAM, NOISE, START)
    rates = torch.full((30,), 0.5, dtype=torch.float64)
    torch.testing.assert_close(at_z, loss_path(rates, LAM, NOISE, START), rtol=1e-12, atol=0)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 1.0])
def test_without_noise_it_is_one_run(beta: float) -> None:
    check_deterministic(noisy_quadratic, beta)


@pytest.mark.parametrize("beta", [0.0, 0.6, 0.95])
def test_with_noise_it_is_the_mean_of_a_crowd(beta: float) -> None:
    check_crowd(noisy_quadratic, beta)


def test_the_iterate_of_plain_averaging_is_sgd() -> None:
    check_iterate_is_sgd(noisy_quadratic)


def test_several_rates_at_once() -> None:
    rates = torch.tensor([0.1, 0.7], dtype=torch.float64)
    both = noisy_quadratic.schedule_free_path(rates, 0.9, 12, LAM, NOISE, START)
    for i, lr in enumerate(rates):
        one = noisy_quadratic.schedule_free_path(float(lr), 0.9, 12, LAM, NOISE, START)
        for a, b in zip(both, one, strict=True):
            assert torch.equal(a[:, i], b)


@pytest.mark.parametrize("change", [{"steps": 0}, {"beta": 1.1}, {"lr": 0.0}, {"noise": -NOISE}])
def test_the_recursion_checks_its_numbers(change: dict[str, Any]) -> None:
    kwargs = {"lr": 0.1, "beta": 0.9, "steps": 3, "curvatures": LAM, "noise": NOISE, "start": START} | change
    with pytest.raises(ValueError, match="need "):
        noisy_quadratic.schedule_free_path(**kwargs)


MUTANTS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "average-one-step-late": ("        c = 1 / t", "        c = 1 / (t + 1)", check_deterministic),
    "points-swapped-in-y": ("p, q = 1 -", "beta = 1 - beta; p, q = 1 -", check_deterministic),
    "noise-reaches-z-alone": ("c**2 * new_zz", "c**2 * (new_zz - lr**2 * s2)", check_crowd),
    "noise-without-the-rate": ("lr**2 * s2", "lr * s2", check_iterate_is_sgd),
}


test_mistakes_are_caught = mistakes("course_utils.theory.noisy_quadratic", MUTANTS)
