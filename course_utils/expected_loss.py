"""The mean loss of SGD on a noisy quadratic under any schedule: exact, no sampling, no seeds.

Along an eigen-direction with curvature λ, a step of size lr along λ p + noise (mean 0, variance s²,
independent of p) takes the mean square V = E[p²] to

    V <- (1 - lr λ)² V + lr² s²,        loss = sum over the directions of λ V / 2

Source: Schaul, Zhang & LeCun (2013), section 4; Zhang et al. (2019), section 3 (the noisy quadratic model).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils._checks import require


def loss_path(rates: Tensor, curvatures: Tensor, noise: Tensor, start: Tensor) -> Tensor:
    """Mean loss before each step and after the last.

    Args:
        rates: (T,), the step sizes, or (T, ...), with a schedule for each quadratic (both sides broadcast).
        curvatures, noise, start: (..., d), for each direction λ > 0, s² >= 0 and V at the start, >= 0.
    Returns: (T + 1, ...), float64.
    Raises: ValueError where a number is out of range.
    """
    curvatures, noise, v = _checked(curvatures, noise, start)
    rates = torch.as_tensor(rates, dtype=torch.float64)[..., None]
    v = v.expand(torch.broadcast_shapes(v.shape, rates.shape[1:]))
    losses = [_loss(curvatures, v)]
    for lr in rates:
        v = _after(lr, curvatures, noise, v)
        losses.append(_loss(curvatures, v))
    return torch.stack(losses)


def greedy_rates(steps: int, curvatures: Tensor, noise: Tensor, start: Tensor) -> Tensor:
    """The rates that make the mean loss after each next step as small as it can be.

        lr = sum(λ² V) / sum(λ (λ² V + s²))

    In one direction this is 1 / (λ (1 + t + s² / (λ² V_0))), and no rates end lower after any number of
    steps. In several it looks one step ahead and no farther.

    Args: as `loss_path`; every quadratic has a direction with V > 0.
    Returns: (steps, ...).
    Source: Robbins & Monro (1951) for 1 / t; Wu et al. (2018) for what is wrong with looking one step ahead.
    """
    require(steps >= 1, "steps >= 1", steps=steps)
    curvatures, noise, v = _checked(curvatures, noise, start)
    rates = []
    for _ in range(steps):
        signal = curvatures**2 * v
        lr = signal.sum(-1) / (curvatures * (signal + noise)).sum(-1)
        v = _after(lr[..., None], curvatures, noise, v)
        rates.append(lr)
    return torch.stack(rates)


def best_peak(
    schedule: Callable[[int], float],
    steps: int,
    peaks: Tensor,
    curvatures: Tensor,
    noise: Tensor,
    start: Tensor,
) -> tuple[Tensor, Tensor]:
    """The lowest mean loss after the last step over a list of peak rates, and the peak it takes.

    Args:
        schedule: step -> multiplier of the peak.
        peaks: (P,), tried for each quadratic.
        others: as `loss_path`.
    Returns: losses (...), peaks (...).
    """
    require(steps >= 1 and peaks.ndim == 1, "steps >= 1 and a list of peaks", steps=steps, peaks=peaks.shape)
    curvatures, noise, v = (part.unsqueeze(-2) for part in _checked(curvatures, noise, start))
    column = peaks.to(torch.float64)[:, None]
    for t in range(steps):
        v = _after(schedule(t) * column, curvatures, noise, v)  # (..., P, d)
    loss, index = _loss(curvatures, v).min(-1)
    return loss, column[index, 0]


def _after(lr: Tensor, curvatures: Tensor, noise: Tensor, v: Tensor) -> Tensor:
    return (1 - lr * curvatures) ** 2 * v + lr**2 * noise


def _loss(curvatures: Tensor, v: Tensor) -> Tensor:
    return (curvatures * v).sum(-1) / 2


def _checked(curvatures: Tensor, noise: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    parts = torch.broadcast_tensors(curvatures.double(), noise.double(), start.double())
    for name, part, low in zip(("curvatures", "noise", "start"), parts, (True, False, False), strict=True):
        inside = bool((part > 0 if low else part >= 0).all())
        require(inside, f"{name} {'> 0' if low else '>= 0'}", lowest=float(part.min()))
    return parts[0], parts[1], parts[2]
