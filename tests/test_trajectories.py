"""Paths of optimizers, and their distance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from course_utils import optimizers, trajectories
from course_utils.trajectories import distances, trajectory
from tests.mutants import mistakes

START = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)


def slope(p: Tensor) -> Tensor:
    return torch.tensor([2.0, 0.3], dtype=torch.float64) * p


def check_path(module: Any) -> None:
    """Plain gradient descent multiplies by 1 - lr * curvature at every step."""
    start = START.clone()
    path = module.trajectory(slope, start, lambda p: optimizers.SGD(p, lr=0.25), 5)
    factor = 1 - 0.25 * torch.tensor([2.0, 0.3], dtype=torch.float64)
    expected = torch.stack([START * factor**t for t in range(6)])
    torch.testing.assert_close(path, expected, rtol=1e-14, atol=1e-15)
    assert torch.equal(start, START)
    assert not path.requires_grad


def check_schedule(module: Any) -> None:
    seen: list[int] = []

    def halve(rule: torch.optim.Optimizer, step: int) -> None:
        seen.append(step)
        rule.param_groups[0]["lr"] = 0.5**step / 10

    path = module.trajectory(slope, START, lambda p: torch.optim.SGD(p, lr=9.0), 3, schedule=halve)
    assert seen == [0, 1, 2]
    assert torch.equal(path[1], START - 0.1 * slope(START))


def check_distance(module: Any) -> None:
    a = torch.tensor([[0.0, 0.5], [10.0, -40.0], [1.0, 1.0]])
    b = torch.tensor([[0.25, 0.5], [10.0, -20.0], [1.0, 1.0]])
    torch.testing.assert_close(module.distances(a, b), torch.tensor([0.25, 0.5, 0.0]), rtol=0, atol=0)
    assert torch.equal(module.distances(b, a), module.distances(a, b))


def test_the_path_is_that_of_the_formula() -> None:
    check_path(trajectories)
    check_schedule(trajectories)


def test_ours_and_torchs_take_the_same_path() -> None:
    ours = trajectory(slope, START, lambda p: optimizers.SGD(p, 0.1, momentum=0.9, nesterov=True), 40)
    theirs = trajectory(slope, START, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True), 40)
    assert float(distances(ours, theirs).max()) < 1e-14
    other = trajectory(slope, START, lambda p: optimizers.SGD(p, 0.1, momentum=0.9), 40)
    assert float(distances(ours, other).max()) > 0.1


def test_distance_is_relative_to_the_farther_point() -> None:
    check_distance(trajectories)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="need steps >= 1, got steps=0"):
        trajectory(slope, START, lambda p: optimizers.SGD(p, 0.1), 0)
    with pytest.raises(ValueError, match="need paths of the same shape"):
        distances(torch.zeros(3, 2), torch.zeros(4, 2))


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "forgets-the-start": ("[start.detach().clone()]", "[]", check_path),
    "moves-the-callers-start": ("detach().clone().requires_grad_()", "requires_grad_()", check_path),
    "every-point-the-last": ("visited.append(p.detach().clone())", "visited.append(p.detach())", check_path),
    "schedule-after-the-step": (
        "            schedule(rule, step)\n        p.grad = grad(p.detach())\n        rule.step()\n",
        "            pass\n        p.grad = grad(p.detach())\n        rule.step()\n"
        "        if schedule is not None:\n            schedule(rule, step)\n",
        check_schedule,
    ),
    "absolute-distance": ("return gap / size", "return gap", check_distance),
    "relative-to-the-second": ("torch.maximum(a.flat", "(lambda a, b: b)(a.flat", check_distance),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.trajectories", MUTANTS)


def test_a_step_written_as_a_function_goes_where_the_optimizer_does() -> None:
    def momentum(g: Tensor, state: dict[str, Any], t: int) -> Tensor:
        state["m"] = 0.9 * state.get("m", 0) + g
        return torch.as_tensor(state["m"])

    start = torch.tensor([[1.0, -2.0], [1.0, -2.0]], dtype=torch.float64)
    rates = torch.tensor([[0.1], [0.3]], dtype=torch.float64)
    halves = trajectories.follow(momentum, lambda p: p**3, start, rates, 6, schedule=lambda t: 0.5**t)
    for run, lr in enumerate((0.1, 0.3)):

        def fade(optimizer: torch.optim.Optimizer, step: int, lr: float = lr) -> None:
            optimizer.param_groups[0]["lr"] = lr * 0.5**step

        path = trajectories.trajectory(
            lambda p: p**3, start[0], lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), 6, schedule=fade
        )
        torch.testing.assert_close(halves[:, run], path, rtol=1e-12, atol=1e-12)
    counted: list[int] = []

    def counting(g: Tensor, state: dict[str, Tensor], t: int) -> Tensor:
        counted.append(t)
        return g

    trajectories.follow(counting, lambda p: p, start, 0.1, 3)
    assert counted == [1, 2, 3]
    with pytest.raises(ValueError, match="need steps >= 1"):
        trajectories.follow(momentum, lambda p: p, start, 0.1, 0)
