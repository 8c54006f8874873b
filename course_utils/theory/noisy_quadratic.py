"""The mean loss of SGD on a noisy quadratic, under any schedule or Schedule-Free: exact, no sampling.

Along an eigen-direction with curvature λ, a step of size lr along λ p + noise (mean 0, variance s²,
independent of p) takes the mean square V = E[p²] to

    V <- (1 - lr λ)² V + lr² s²,        loss = sum over the directions of λ V / 2

Source: Schaul, Zhang & LeCun (2013), section 4; Zhang et al. (2019), section 3 (the noisy quadratic model).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from course_utils._checks import require


def loss_path(lrs: Tensor, curvatures: Tensor, noise: Tensor, start: Tensor) -> Tensor:
    """Mean loss before each step and after the last.

    Args:
        lrs: (T,), the step sizes, or (T, ...), with a schedule for each quadratic (both sides broadcast).
        curvatures, noise, start: (..., d), for each direction λ > 0, s² >= 0 and V at the start, >= 0.
    Returns: (T + 1, ...), float64.
    Raises: ValueError where a number is out of range.
    """
    curvatures, noise, v = _checked(curvatures, noise, start)
    lrs = torch.as_tensor(lrs, dtype=torch.float64)[..., None]
    v = v.expand(torch.broadcast_shapes(v.shape, lrs.shape[1:]))
    losses = [_loss(curvatures, v)]
    for lr in lrs:
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
    lrs = []
    for _ in range(steps):
        signal = curvatures**2 * v
        lr = signal.sum(-1) / (curvatures * (signal + noise)).sum(-1)
        v = _after(lr[..., None], curvatures, noise, v)
        lrs.append(lr)
    return torch.stack(lrs)


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


def best_rates(
    steps: int, highest: float, curvatures: Tensor, noise: Tensor, start: Tensor
) -> tuple[Tensor, float]:
    """The schedule with the lowest mean loss after the last step that a descent on the rates finds.

    The loss after the last step is a smooth function of the logarithms of the rates. Its gradient is carried
    back through the recursion, with a = d loss / d V:

        d loss / d lr_t = sum over the directions of a (-2 λ (1 - lr λ) V_t + 2 lr s²),    a <- (1 - lr λ)² a

    The problem is not convex: no lower loss is promised, but in one direction it is the 1 / t of
    `greedy_rates`, which no rates go below.

    Args:
        steps: >= 1.
        highest: no rate is above it, > 0; 2 / (largest curvature) keeps every step stable.
        curvatures, noise, start: (d,), as `loss_path`.
    Returns: the rates (steps,) and the mean loss that they end with.
    Source: the chain rule, from the last step back to the first.
    """
    from scipy.optimize import minimize

    require(steps >= 1 and highest > 0, "steps >= 1 and highest > 0", steps=steps, highest=highest)
    lam, s2, first = (part.numpy() for part in _checked(curvatures, noise, start))
    require(lam.ndim == 1, "one quadratic", shape=tuple(lam.shape))

    def log_loss(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        lr = np.exp(logs)
        shrink = 1 - lr[:, None] * lam
        v = np.empty((steps + 1, len(lam)))
        v[0] = first
        for t in range(steps):
            v[t + 1] = shrink[t] ** 2 * v[t] + lr[t] ** 2 * s2
        loss, a, slope = float(v[-1] @ lam) / 2, lam / 2, np.empty(steps)
        for t in reversed(range(steps)):
            slope[t] = a @ (2 * lr[t] * s2 - 2 * lam * shrink[t] * v[t])
            a = shrink[t] ** 2 * a
        return float(np.log(loss)), slope * lr / loss

    begin = np.log(highest * np.linspace(0.5, 0.02, steps))
    ends = [(None, float(np.log(highest)))] * steps
    found = minimize(log_loss, begin, jac=True, method="L-BFGS-B", bounds=ends, options={"maxiter": 500})
    return torch.from_numpy(np.exp(found.x)), float(np.exp(found.fun))


def schedule_free_path(
    lr: Tensor | float, beta: float, steps: int, curvatures: Tensor, noise: Tensor, start: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean loss of Schedule-Free SGD at the average x and the iterate z, before each step and after the last.

    A step is linear in the two points that are kept, so that their three second moments E[z²], E[zx], E[x²]
    obey a recursion of their own. The noise reaches x through the new z, with weight c.

        y = (1 - beta) z + beta x,    z <- z - lr (λ y + noise),    x <- x + c (z - x),    c = 1 / t
        M <- A M A^T + lr² s² b b^T,    M the moments of (z, x),    b = (1, c)
        A = [[1 - lr λ (1 - beta), -lr λ beta], [c (1 - lr λ (1 - beta)), 1 - c - c lr λ beta]]
        loss = sum over the directions of λ E[.²] / 2

    Args:
        lr: step size, > 0, or (P,) of them. beta: in [0, 1], how far y leans towards x. steps: >= 1.
        curvatures, noise, start: (d,), for each direction λ > 0, s² >= 0 and E[p²] at the start, >= 0.
    Returns: two tensors (steps + 1, ...), float64: at x, at z.
    Raises: ValueError where a number is out of range.
    Source: Defazio et al. (2024), for the steps; the recursion of `loss_path`, with two points.
    """
    require(steps >= 1 and 0 <= beta <= 1, "steps >= 1 and 0 <= beta <= 1", steps=steps, beta=beta)
    lr = torch.as_tensor(lr, dtype=torch.float64)
    lam, s2, v = (part.to(torch.float64) for part in (curvatures, noise, start))
    require(bool((lr > 0).all() and (lam > 0).all()), "lr > 0 and curvatures > 0", lr=lr.min().item())
    require(bool((s2 >= 0).all() and (v >= 0).all()), "noise >= 0 and start >= 0", noise=s2.min().item())
    lr = lr[..., None]
    zz = zx = xx = v.expand(torch.broadcast_shapes(v.shape, lr.shape))
    at_x, at_z = [(lam * xx).sum(-1) / 2], [(lam * zz).sum(-1) / 2]
    p, q = 1 - lr * lam * (1 - beta), -lr * lam * beta  # z <- p z + q x - lr noise
    for t in range(1, steps + 1):
        c = 1 / t
        new_zz = p**2 * zz + 2 * p * q * zx + q**2 * xx + lr**2 * s2
        with_old_x = p * zx + q * xx  # E[new z, old x]
        zx = (1 - c) * with_old_x + c * new_zz
        xx = (1 - c) ** 2 * xx + 2 * c * (1 - c) * with_old_x + c**2 * new_zz
        zz = new_zz
        at_x.append((lam * xx).sum(-1) / 2)
        at_z.append((lam * zz).sum(-1) / 2)
    return torch.stack(at_x), torch.stack(at_z)


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
