"""The closed forms of Adam's step lengths, against the optimizers that they are about."""

from __future__ import annotations

from math import inf
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from course_utils.averaging import ewma
from course_utils.optimizers import Adam
from course_utils.theory import adam_steps
from tests.mutants import mistakes

NAME = "course_utils.theory.adam_steps"
BETAS = [(0.9, 0.999), (0.5, 0.9), (0.0, 0.99), (0.9, 0.9), (0.9, 0.8)]


def steps_of(gradients: Tensor, betas: tuple[float, float]) -> Tensor:
    """torch's own steps (T,), at lr = 1 and eps = 0."""
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([p], lr=1.0, betas=betas, eps=0.0)
    steps = []
    for g in gradients:
        before = p.detach().clone()
        p.grad = g.reshape(1)
        optimizer.step()
        steps.append(before - p.detach())
    return torch.cat(steps)


def check_longest(module: ModuleType) -> None:
    """The gradients that reach the bound at step t reach it, and random ones do not exceed it."""
    for betas in BETAS:
        for t in (1, 2, 30):
            ages = torch.arange(t - 1, -1, -1, dtype=torch.float64)
            reaching = ((betas[0] / betas[1]) ** ages).clamp(min=1e-150)  # 0 before the first would be 0 / 0
            bound = module.longest_step(betas, t)
            assert steps_of(reaching, betas)[-1].item() == pytest.approx(bound, rel=1e-10)
            wild = torch.randn(t, generator=torch.Generator().manual_seed(t), dtype=torch.float64) ** 5
            assert steps_of(wild, betas)[-1].abs() <= bound * (1 + 1e-12)


def check_limit(module: ModuleType) -> None:
    for beta1, beta2 in BETAS[:4]:
        limit = (1 - beta1) / ((1 - beta2) * (1 - beta1**2 / beta2)) ** 0.5
        assert module.longest_step((beta1, beta2)) == pytest.approx(limit, rel=1e-12)
        assert module.longest_step((beta1, beta2), 100_000) == pytest.approx(limit, rel=1e-9)
    assert module.longest_step((0.9, 0.8)) == inf


def check_uncorrected(module: ModuleType) -> None:
    """The same gradients through torch's Adam and through averages without correction."""
    g = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for betas in BETAS:
        adam = steps_of(g, betas)
        for of_m in (False, True):
            for of_v in (False, True):
                m = ewma(g, betas[0], bias_correction=of_m)
                v = ewma(g**2, betas[1], bias_correction=of_v)
                want = (m / v.sqrt() / adam).tolist()
                got = [module.uncorrected(t, betas, of_m=of_m, of_v=of_v) for t in range(1, 41)]
                assert got == pytest.approx(want, rel=1e-9)


def check_drift(module: ModuleType) -> None:
    """The way of torch's Adam over one round, after enough of them."""
    for C, period, betas in ((3.0, 3, (0.0, 0.1)), (4.5, 4, (0.9, 0.95)), (20.0, 10, (0.5, 0.99))):
        rounds = 4000 // period
        stream = torch.full((rounds, period), -1.0, dtype=torch.float64)
        stream[:, 0] = C
        way = steps_of(stream.flatten(), betas)[-period:].sum()
        assert module.cycle_drift(C, period, *betas).item() == pytest.approx(way.item(), rel=1e-9)


def check_noise(module: ModuleType) -> None:
    """v held at its mean: the mean square of m is its mean squared plus its variance at rest."""
    for s, beta1 in ((0.0, 0.9), (0.5, 0.9), (2.0, 0.5), (1.0, 0.0)):
        weights = (1 - beta1) * beta1 ** torch.arange(2000, dtype=torch.float64)
        square = (s * weights.sum()) ** 2 + (weights**2).sum()
        want = (square / (s**2 + 1)).sqrt()
        torch.testing.assert_close(module.noisy_step(s, beta1), want, rtol=1e-12, atol=0)


def check_sum(module: ModuleType) -> None:
    assert module.sum_of_powers(1.0, 7) == 7
    assert module.sum_of_powers(0.5, 3) == 1.75
    assert module.sum_of_powers(0.5, inf) == 2


def check_turning(module: ModuleType) -> None:
    """Just below it is the wrong way, from there on the right one, also where short memories are right."""
    for C, period, beta1 in ((2.1, 3, 0.0), (100.0, 3, 0.0), (130.0, 100, 0.9), (1050.0, 1000, 0.5)):
        memory = module.turning_memory(C, period, beta1)
        assert adam_steps.cycle_drift(C, period, beta1, 1 - 1 / (1 + (memory - 1) * 0.999)) < 0
        longer = 1 + (memory - 1) * torch.logspace(1e-9, 3, 50, dtype=torch.float64)
        assert (adam_steps.cycle_drift(C, period, beta1, 1 - 1 / longer) >= 0).all()
    assert module.turning_memory(3.0, 3, 0.9) == 1
    assert adam_steps.cycle_drift(130.0, 100, 0.9, 1 - 1 / 1.005) > 0  # right again


CHECKS = [check_sum, check_longest, check_limit, check_uncorrected, check_drift, check_noise, check_turning]


@pytest.mark.parametrize("check", CHECKS)
def test_closed_forms(check: Any) -> None:
    check(adam_steps)


MUTANTS = [
    pytest.param(check_longest, "beta1**2 / beta2, t)", "beta1 / beta2, t)", id="weights not squared"),
    pytest.param(check_limit, "beta1**2 / beta2, t)", "beta1**2, t)", id="beta2 left out"),
    pytest.param(check_sum, "t if q == 1", "1.0 if q == 1", id="one power"),
    pytest.param(check_uncorrected, "/ missing_v**0.5", "/ missing_v", id="root forgotten"),
    pytest.param(check_uncorrected, "else 1 - beta1**t)", "else 1 - beta1**(t - 1))", id="one step late"),
    pytest.param(check_drift, "m = -1 + (C + 1) *", "m = -1 + C *", id="height of the pulse"),
    pytest.param(
        check_drift,
        "m = -1 + (C + 1) * (1 - beta1) * beta1**k / (1 - beta1**period)",
        "m = -1 + (C + 1) * (1 - beta1) * beta1**k",
        id="m of the first round",
    ),
    pytest.param(check_drift, "m / v.sqrt()", "m / v", id="drift without root"),
    pytest.param(check_turning, "1 - 1 / middle) > 0:", "1 - 1 / middle) < 0:", id="the other side"),
    pytest.param(check_turning, "int(wrong[-1]) + k", "int(wrong[0]) + k", id="the first root"),
    pytest.param(
        check_noise,
        "return ((s2 + (1 - beta1) / (1 + beta1))",
        "return ((s2 + (1 - beta1))",
        id="another variance",
    ),
]


test_a_mistake_is_caught = mistakes(NAME, MUTANTS)


def test_the_package_agrees_with_the_bound() -> None:
    """`Adam` of the package reaches the bound as torch's does."""
    p = torch.zeros(1, dtype=torch.float64)
    optimizer = Adam([p], lr=1.0, eps=0.0)
    for age in range(29, -1, -1):
        before = p.clone()
        p.grad = torch.full_like(p, (0.9 / 0.999) ** age)
        optimizer.step()
    assert (before - p).item() == pytest.approx(adam_steps.longest_step((0.9, 0.999), 30), rel=1e-10)


def test_drift_of_many_memories() -> None:
    betas = torch.tensor([[0.1, 0.5], [0.9, 0.99]], dtype=torch.float64)
    together = adam_steps.cycle_drift(3.0, 3, 0.5, betas)
    apart = [[adam_steps.cycle_drift(3.0, 3, 0.5, b.item()) for b in row] for row in betas]
    assert together.tolist() == [[one.item() for one in row] for row in apart]


BAD = [
    (lambda: adam_steps.sum_of_powers(0.5, 0), "need q >= 0 and t >= 1, got q=0.5, t=0"),
    (lambda: adam_steps.longest_step((0.9, 1.0)), r"need 0 <= beta1 < 1 and 0 < beta2 < 1"),
    (lambda: adam_steps.uncorrected(0, (0.9, 0.999)), "need t >= 1, got t=0"),
    (lambda: adam_steps.noisy_step(1.0, 1.0), "need 0 <= beta1 < 1, got beta1=1.0"),
    (lambda: adam_steps.cycle_drift(3.0, 1, 0.0, 0.1), "need C > 0 and period >= 2"),
    (lambda: adam_steps.cycle_drift(3.0, 3, 0.0, 0.0), "need 0 < beta2 < 1"),
    (lambda: adam_steps.turning_memory(2.0, 3), r"need C > period - 1, got C=2.0, period=3"),
    (lambda: adam_steps.turning_memory(2.000001, 3), r"need C farther from period - 1"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
