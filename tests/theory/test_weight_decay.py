"""The theory of weight decay, against runs of torch's optimizers and against each other."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch

from course_utils.theory import weight_decay
from course_utils.trajectories import trajectory
from tests.mutants import mistakes

NAME = "course_utils.theory.weight_decay"


def check_decoupled_rest(module: ModuleType) -> None:
    """At the point that it names, the mean step is zero."""
    target = torch.tensor([-3.0, -0.5, 0.2, 1.0, 4.0], dtype=torch.float64)[:, None]
    noise = torch.tensor([0.1, 1.0, 3.0], dtype=torch.float64)
    for decay, h in ((0.5, 1.0), (2.0, 0.3)):
        p = module.decoupled_rest(target, decay, noise=noise, curvature=h)
        g = h * (p - target)
        assert p.shape == (5, 3)
        torch.testing.assert_close(
            g / (g**2 + noise**2).sqrt() + decay * p, torch.zeros_like(p), rtol=0, atol=1e-12
        )


def check_box(module: ModuleType) -> None:
    """Without noise: a box of half width 1 / weight_decay."""
    target = torch.tensor([-3.0, -0.5, 0.0, 1.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(
        module.decoupled_rest(target, 0.5), target.clamp(-2, 2), rtol=1e-12, atol=1e-12
    )


def check_penalty_rest(module: ModuleType) -> None:
    """torch's SGD with weight_decay ends there."""
    target, h = torch.tensor([2.0, -1.0], dtype=torch.float64), torch.tensor([0.5, 2.0], dtype=torch.float64)
    path = trajectory(
        lambda p: h * (p - target), 0 * target, lambda p: torch.optim.SGD(p, lr=0.3, weight_decay=0.4), 300
    )
    torch.testing.assert_close(
        path[-1], module.penalty_rest(target, 0.4, curvature=h), rtol=1e-12, atol=1e-12
    )


def check_penalty_decay(module: ModuleType) -> None:
    """Without noise torch's Adam takes its rate from p at each step; under strong noise lambda / noise."""
    for p in (0.5, -2.0):
        start = torch.tensor([p], dtype=torch.float64)
        path = trajectory(
            torch.zeros_like, start, lambda q: torch.optim.Adam(q, lr=1e-6, weight_decay=0.3, eps=0), 1
        )
        taken = ((path[0] - path[1]) / path[0] / 1e-6).item()
        assert float(module.penalty_decay(0.3, 0.0, p)) == pytest.approx(taken, rel=1e-6)
    assert float(module.penalty_decay(0.3, 100.0, 1.0)) == pytest.approx(0.003, rel=1e-5)
    assert float(module.penalty_decay(3.0, 4.0, 1.0)) == pytest.approx(0.6, rel=1e-12)


CHECKS = [check_decoupled_rest, check_box, check_penalty_rest, check_penalty_decay]


@pytest.mark.parametrize("check", CHECKS)
def test_theory(check: Any) -> None:
    check(weight_decay)


def test_strong_noise_makes_a_penalty() -> None:
    far = weight_decay.decoupled_rest(1.0, 0.01, noise=500.0)
    torch.testing.assert_close(far, weight_decay.penalty_rest(1.0, 0.01 * 500), rtol=1e-5, atol=0)


MUTANTS = [
    pytest.param(check_decoupled_rest, "(g**2 + noise**2).sqrt()", "(g.abs() + noise)", id="sizes-added"),
    pytest.param(check_decoupled_rest, "target.sign() * (low", "(low", id="sign-lost"),
    pytest.param(check_box, "weight_decay * middle *", "middle *", id="no-decay"),
    pytest.param(check_penalty_rest, "(h + weight_decay)", "(h + 2 * weight_decay)", id="without-a-half"),
    pytest.param(check_penalty_decay, "(weight_decay * p) ** 2", "p**2", id="decay-outside-v"),
    pytest.param(check_penalty_decay, "weight_decay / (noise", "weight_decay * p / (noise", id="not-a-share"),
]


test_mistakes_are_caught = mistakes(NAME, MUTANTS)


def test_bad_rests_are_refused() -> None:
    with pytest.raises(ValueError, match="need weight_decay and noise >= 0"):
        weight_decay.decoupled_rest(1.0, -1.0)
    with pytest.raises(ValueError, match="need curvature > 0"):
        weight_decay.decoupled_rest(1.0, 1.0, curvature=0.0)
