"""The mean loss of Schedule-Free SGD on a noisy quadratic: exact, no sampling, no seeds.

Along an eigen-direction with curvature λ, whose gradient carries independent noise of mean 0 and variance s²,
a step is linear in the two points that are kept:

    y = (1 - beta) z + beta x,    z <- z - lr (λ y + noise),    x <- x + c (z - x),    c = 1 / t

so the three second moments E[z²], E[zx], E[x²] obey a recursion of their own. The noise reaches x through the
new z, with weight c.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils._checks import require


def schedule_free_path(
    lr: Tensor | float, beta: float, steps: int, curvatures: Tensor, noise: Tensor, start: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean loss at the average x and at the iterate z, before each step and after the last.

        M <- A M A^T + lr² s² b b^T,    M the moments of (z, x),    b = (1, c)
        A = [[1 - lr λ (1 - beta), -lr λ beta], [c (1 - lr λ (1 - beta)), 1 - c - c lr λ beta]]
        loss = sum over the directions of λ E[.²] / 2

    Args:
        lr: step size, > 0, or (P,) of them. beta: in [0, 1], how far y leans towards x. steps: >= 1.
        curvatures, noise, start: (d,), for each direction λ > 0, s² >= 0 and E[p²] at the start, >= 0.
    Returns: two tensors (steps + 1, ...), float64: at x, at z.
    Raises: ValueError where a number is out of range.
    Source: Defazio et al. (2024), for the steps; the recursion of `expected_loss`, with two points.
    """
    require(steps >= 1 and 0 <= beta <= 1, "steps >= 1 and 0 <= beta <= 1", steps=steps, beta=beta)
    lr = torch.as_tensor(lr, dtype=torch.float64)
    lam, s2, v = (part.to(torch.float64) for part in (curvatures, noise, start))
    require(bool((lr > 0).all() and (lam > 0).all()), "lr > 0 and curvatures > 0", lr=lr.min().item())
    require(bool((s2 >= 0).all() and (v >= 0).all()), "noise >= 0 and start >= 0", noise=s2.min().item())
    rate = lr[..., None]
    zz = zx = xx = v.expand(torch.broadcast_shapes(v.shape, rate.shape))
    at_x, at_z = [(lam * xx).sum(-1) / 2], [(lam * zz).sum(-1) / 2]
    p, q = 1 - rate * lam * (1 - beta), -rate * lam * beta  # z <- p z + q x - lr noise
    for t in range(1, steps + 1):
        c = 1 / t
        new_zz = p**2 * zz + 2 * p * q * zx + q**2 * xx + rate**2 * s2
        with_old_x = p * zx + q * xx  # E[new z, old x]
        zx = (1 - c) * with_old_x + c * new_zz
        xx = (1 - c) ** 2 * xx + 2 * c * (1 - c) * with_old_x + c**2 * new_zz
        zz = new_zz
        at_x.append((lam * xx).sum(-1) / 2)
        at_z.append((lam * zz).sum(-1) / 2)
    return torch.stack(at_x), torch.stack(at_z)
