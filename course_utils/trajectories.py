"""Where an optimizer goes: its path over a surface, and how far two of them are apart at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from course_utils._checks import require

MakeOptimizer = Callable[[list[Tensor]], Optimizer]
Rule = Callable[[Tensor, dict[str, Any], int], Tensor]


def trajectory(
    grad: Callable[[Tensor], Tensor],
    start: Tensor,
    optimizer: MakeOptimizer,
    steps: int,
    *,
    schedule: Callable[[Optimizer, int], None] | None = None,
) -> Tensor:
    """The points that an optimizer visits, the start first.

    Args:
        grad: point -> gradient, of the same shape.
        start: the first point, any shape; it is not changed.
        optimizer: list of one parameter -> optimizer, as `lambda p: SGD(p, lr=0.1)`.
        steps: >= 1.
        schedule: (optimizer, step) -> None, called before each step to change a hyperparameter.
    Returns: (steps + 1, *start.shape).
    """
    require(steps >= 1, "steps >= 1", steps=steps)
    p = start.detach().clone().requires_grad_()
    rule, visited = optimizer([p]), [start.detach().clone()]
    for step in range(steps):
        if schedule is not None:
            schedule(rule, step)
        p.grad = grad(p.detach())
        rule.step()
        visited.append(p.detach().clone())
    return torch.stack(visited)


def follow(
    rule: Rule,
    grad: Callable[[Tensor], Tensor],
    start: Tensor,
    lr: Tensor | float,
    steps: int,
    *,
    schedule: Callable[[int], float] = lambda t: 1.0,
) -> Tensor:
    """The points that a step written as a function visits, the start first.

        p <- p - lr * schedule(t - 1) * rule(grad(p), state, t)        t = 1, ..., steps

    Args:
        rule: (g, state, t) -> what is subtracted, times the rate; `state` is a dictionary, empty at first.
        grad: point -> gradient, of the same shape.
        start: any shape; with (R, ...) and rates `lr` of shape (R, 1, ...) it is R runs at once.
        steps: >= 1.
        schedule: step from 0 on -> a factor, as those of `schedules`.
    Returns: (steps + 1, *start.shape).
    """
    require(steps >= 1, "steps >= 1", steps=steps)
    p, state = start.detach().clone(), dict[str, Any]()
    visited = [p]
    for t in range(1, steps + 1):
        p = p - lr * schedule(t - 1) * rule(grad(p), state, t)
        visited.append(p)
    return torch.stack(visited)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """How far apart two paths are at each step, relative to the size of the farther point.

        d_t = max|a_t - b_t| / max(1, max|a_t|, max|b_t|)

    Args: a, b: (T, ...), paths of equal shape.
    Returns: (T,).
    Raises: ValueError where the shapes differ.
    """
    require(a.shape == b.shape, "paths of the same shape", a=tuple(a.shape), b=tuple(b.shape))
    gap = (a - b).flatten(1).abs().amax(1)
    size = torch.maximum(a.flatten(1).abs().amax(1), b.flatten(1).abs().amax(1)).clamp(min=1.0)
    return gap / size
