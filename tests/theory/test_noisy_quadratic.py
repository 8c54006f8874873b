"""The exact mean loss of SGD on noisy quadratics."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from course_utils import schedules
from course_utils.theory import noisy_quadratic, quadratics
from tests.mutants import mistakes


def drawn(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return tuple(0.1 + torch.rand(shape, generator=g, dtype=torch.float64) for _ in range(3))  # type: ignore[return-value]


def check_two_point_noise(module: Any) -> None:
    """Against all 2**T equally likely signs of noise of size s, enumerated: the mean is exact."""
    lam, noise, start, steps = 0.7, 0.3, 2.0, 6
    rates = torch.tensor([0.9, 0.5, 0.4, 0.3, 0.1, 0.6], dtype=torch.float64)
    p = torch.full((1,), start**0.5, dtype=torch.float64)
    expected = [lam * start / 2]
    for lr in rates:
        p = torch.cat([p - lr * (lam * p + sign * noise**0.5) for sign in (-1, 1)])
        expected.append(float(lam * (p**2).mean() / 2))
    assert len(p) == 2**steps
    path = module.loss_path(rates, torch.tensor([lam]), torch.tensor([noise]), torch.tensor([start]))
    # the curvatures came as float32: compare with what they became
    assert path.tolist() == pytest.approx(expected, rel=1e-6)
    exact = [torch.tensor([value], dtype=torch.float64) for value in (lam, noise, start)]
    assert module.loss_path(rates, *exact).tolist() == pytest.approx(expected, rel=1e-13)


def check_floor(module: Any) -> None:
    lam, noise, start = drawn(3, 4)
    path = module.loss_path(torch.full((3000,), 0.5), lam, noise, start)
    floors = [
        [
            quadratics.noise_level(0.5, 0.0, float(c), float(s) ** 0.5) * float(c) / 2
            for c, s in zip(*row, strict=True)
        ]
        for row in zip(lam, noise, strict=True)
    ]
    assert path.shape == (3001, 3)
    assert path[-1].tolist() == pytest.approx([sum(row) for row in floors], rel=1e-10)


def check_greedy_is_the_minimum(module: Any) -> None:
    """Each greedy rate ends lower after its step than any other near or far."""
    lam, noise, start = drawn(5, 3, seed=1)
    rates = module.greedy_rates(7, lam, noise, start)
    assert rates.shape == (7, 5)
    for t in range(7):
        best = module.loss_path(rates[: t + 1], lam, noise, start)[-1]
        for factor in (0.5, 0.999, 1.001, 2.0):
            other = rates[: t + 1].clone()
            other[t] *= factor
            assert (module.loss_path(other, lam, noise, start)[-1] > best).all()


def check_one_direction(module: Any) -> None:
    lam, noise, start = drawn(6, 1, seed=2)
    t = torch.arange(40, dtype=torch.float64)[:, None]
    wait = (noise / (lam**2 * start))[:, 0]
    rates = module.greedy_rates(40, lam, noise, start)
    torch.testing.assert_close(rates, 1 / (lam[:, 0] * (1 + t + wait)), rtol=1e-12, atol=0)
    after = (noise / lam / 2)[:, 0] / (torch.arange(41, dtype=torch.float64)[:, None] + wait)
    torch.testing.assert_close(module.loss_path(rates, lam, noise, start), after, rtol=1e-12, atol=0)


def check_best_peak(module: Any) -> None:
    lam, noise, start = drawn(4, 3, seed=3)
    peaks = torch.tensor([0.05, 0.2, 0.6, 1.2])
    schedule = schedules.cosine_decay(20)
    loss, peak = module.best_peak(schedule, 20, peaks, lam, noise, start)
    shape = torch.tensor([schedule(t) for t in range(20)], dtype=torch.float64)
    ends = torch.stack([module.loss_path(p * shape, lam, noise, start)[-1] for p in peaks.double()])
    torch.testing.assert_close(loss, ends.min(0).values, rtol=1e-13, atol=0)
    assert torch.equal(peak, peaks.double()[ends.argmin(0)])


def check_many_schedules(module: Any) -> None:
    lam, noise, start = (part[0] for part in drawn(1, 3, seed=4))
    rates = torch.linspace(0.1, 1.0, 12, dtype=torch.float64).view(6, 2)
    both = module.loss_path(rates, lam, noise, start)
    assert both.shape == (7, 2)
    for k in range(2):
        assert torch.equal(both[:, k], module.loss_path(rates[:, k], lam, noise, start))


def check_best_rates(module: Any) -> None:
    """The loss is the path's; in one direction it is that of 1 / t; nothing near it and no shape is lower."""
    one = torch.ones(1, dtype=torch.float64)
    rates, loss = module.best_rates(25, 2.0, one, one, 100 * one)
    greedy = module.greedy_rates(25, one, one, 100 * one)
    assert loss == pytest.approx(float(module.loss_path(greedy, one, one, 100 * one)[-1]), rel=1e-4)
    lam, noise, start = (part[0] for part in drawn(1, 4, seed=5))
    highest = 1.5 / float(lam.max())
    rates, loss = module.best_rates(30, highest, lam, noise, start)
    assert rates.shape == (30,)
    assert float(rates.max()) <= highest * (1 + 1e-12)
    assert loss == pytest.approx(float(module.loss_path(rates, lam, noise, start)[-1]), rel=1e-12)
    for t in range(30):
        for factor in (0.8, 1.25):
            other = rates.clone()
            other[t] = min(float(other[t]) * factor, highest)
            assert module.loss_path(other, lam, noise, start)[-1] > loss * (1 - 1e-6)
    peaks = torch.logspace(-3, 0, 60, dtype=torch.float64) * highest
    for shape in (
        schedules.polynomial_decay(30),
        schedules.exponential_decay(0.9),
        schedules.cosine_decay(30),
    ):
        assert module.best_peak(shape, 30, peaks, lam, noise, start)[0] > loss


CHECKS = [
    check_best_rates,
    check_many_schedules,
    check_two_point_noise,
    check_floor,
    check_greedy_is_the_minimum,
    check_one_direction,
    check_best_peak,
]


@pytest.mark.parametrize("check", CHECKS)
def test_exact(check: Any) -> None:
    check(noisy_quadratic)


MUTANTS = [
    pytest.param("+ lr**2 * noise", "+ lr * noise", check_two_point_noise, id="noise-times-rate"),
    pytest.param(
        "(1 - lr * curvatures) ** 2 * v", "(1 - lr * curvatures) * v", check_floor, id="not-squared"
    ),
    pytest.param("(curvatures * v).sum(-1) / 2", "v.sum(-1) / 2", check_floor, id="no-curvature"),
    pytest.param(
        "(curvatures * (signal + noise))", "(signal + noise)", check_greedy_is_the_minimum, id="greedy"
    ),
    pytest.param(".min(-1)", ".max(-1)", check_best_peak, id="worst-peak"),
    pytest.param("(2 * lr[t] * s2 -", "(lr[t] * s2 -", check_best_rates, id="half-the-noise"),
    pytest.param("a = shrink[t] ** 2 * a", "a = shrink[t] * a", check_best_rates, id="carried-back-wrongly"),
]


test_mutant_is_caught = mistakes("course_utils.theory.noisy_quadratic", MUTANTS)


def test_bad_input() -> None:
    one = torch.ones(1, dtype=torch.float64)
    for steps, highest in ((0, 1.0), (3, 0.0)):
        with pytest.raises(ValueError, match="need steps >= 1"):
            noisy_quadratic.best_rates(steps, highest, one, one, one)
    with pytest.raises(ValueError, match="need one quadratic"):
        noisy_quadratic.best_rates(3, 1.0, one[None], one[None], one[None])
    with pytest.raises(ValueError, match="need curvatures > 0"):
        noisy_quadratic.loss_path(one, 0 * one, one, one)
    with pytest.raises(ValueError, match="need noise >= 0"):
        noisy_quadratic.loss_path(one, one, -one, one)
    with pytest.raises(ValueError, match="need steps >= 1"):
        noisy_quadratic.greedy_rates(0, one, one, one)
    with pytest.raises(ValueError, match="a list of peaks"):
        noisy_quadratic.best_peak(schedules.constant(), 3, torch.tensor(0.1), one, one, one)
