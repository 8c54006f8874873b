"""What theory says of gradient descent and momentum on a quadratic, one eigen-direction at a time.

On f(p) = ½ Σ λ_i p_i² every coordinate goes its own way. With momentum in PyTorch's convention

    v <- beta * v + λ p,    p <- p - lr * v    gives    p_{t+1} = (1 + beta - lr λ) p_t - beta p_{t-1}

so the error shrinks, in the long run, by the larger root of z² - (1 + beta - lr λ) z + beta per step.
All functions are entrywise and broadcast.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils._checks import require


def heavy_ball_rate(lr: Tensor | float, beta: Tensor | float, curvature: Tensor | float) -> Tensor:
    """Factor per step of the error along an eigen-direction, in the long run; from 1 on it does not shrink.

        b = 1 + beta - lr λ,    |z| = sqrt(beta)                    if b² < 4 beta   (it swings)
                                |z| = (|b| + sqrt(b² - 4 beta)) / 2   otherwise

    Otherwise the error creeps (b > 0, it keeps its sign) or flips (b < 0, it changes sign at each step). With
    beta = 0 this is |1 - lr λ|, the factor of gradient descent.

    Args:
        lr: step size, > 0, PyTorch's convention. beta: in [0, 1). curvature: λ > 0.
    Source: Polyak (1964); Goh (2017), Why Momentum Really Works.
    """
    lr, beta, curvature = (torch.as_tensor(a, dtype=torch.float64) for a in (lr, beta, curvature))
    b = 1 + beta - lr * curvature
    apart = (b.abs() + (b**2 - 4 * beta).clamp(min=0).sqrt()) / 2
    return torch.where(b**2 < 4 * beta, beta.sqrt(), apart)


def best_gd(mu: float, L: float) -> tuple[float, float]:
    """The step size for curvatures from mu to L, and its factor per step: 2 / (L + mu), (κ - 1) / (κ + 1).

    Raises: ValueError unless 0 < mu <= L.
    Source: Nesterov (2004), Introductory Lectures on Convex Optimization, theorem 2.1.15.
    """
    require(0 < mu <= L, "0 < mu <= L", mu=mu, L=L)
    return 2 / (L + mu), (L - mu) / (L + mu)


def best_heavy_ball(mu: float, L: float) -> tuple[float, float, float]:
    """Step size and momentum for curvatures from mu to L, and their factor per step.

        lr = (2 / (sqrt(L) + sqrt(mu)))²,    beta = ((sqrt(κ) - 1) / (sqrt(κ) + 1))²,    factor = sqrt(beta)

    At both ends of the spectrum the two roots coincide. From rest the error there is factor**t times
    1 + (1 - factor) t at mu, which the steps taken keep bounded, and 1 + (1 + factor) t at L.

    Raises: ValueError unless 0 < mu <= L.
    Source: Polyak (1964), theorem 9.
    """
    require(0 < mu <= L, "0 < mu <= L", mu=mu, L=L)
    a, b = L**0.5, mu**0.5
    factor = (a - b) / (a + b)
    return (2 / (a + b)) ** 2, factor**2, factor


def spectra(kappa: float, count: int, generator: torch.Generator, *, d: int = 10) -> Tensor:
    """Random curvatures (count, d), float64, even in the logarithm from 1 / kappa to 1, both ends included.

    Args:
        kappa: the condition number of each, >= 1. d: directions, >= 2.
    Raises: ValueError for a smaller kappa or d.
    """
    require(kappa >= 1 and d >= 2, "kappa >= 1 and two directions or more", kappa=kappa, d=d)
    curvatures = kappa ** (torch.rand(count, d, generator=generator, dtype=torch.float64) - 1)
    curvatures[:, 0], curvatures[:, 1] = 1 / kappa, 1
    return curvatures


def measured_pace(curvatures: Tensor, rates: Tensor, *, steps: int = 2000) -> Tensor:
    """Factor per step of gradient descent, measured over the second half of `steps` steps.

    The start has a part of 1 along each direction, and is scaled back to length 1 after each step, so that
    it neither under- nor overflows.

    Args:
        curvatures: (S, d), > 0. rates: (R,). steps: even, >= 2.
    Returns: (S, R), float64; 0 where a step lands on the minimum.
    Agrees with: max |1 - lr λ| over the curvatures, once the other directions have died away.
    """
    require(steps >= 2 and steps % 2 == 0, "an even number of steps >= 2", steps=steps)
    factors = 1 - rates.double()[:, None] * curvatures.double()[:, None]
    p = torch.ones_like(factors)
    total = torch.zeros(factors.shape[:2], dtype=torch.float64)
    for step in range(steps):
        p = p * factors
        length = p.norm(dim=2)
        p = p / length.clamp(min=torch.finfo(torch.float64).tiny)[..., None]
        if step >= steps // 2:
            total += length.log()
    return (total / (steps // 2)).exp()


def best_nesterov(mu: float, L: float) -> tuple[float, float]:
    """Step size and momentum of Nesterov's method for curvatures from mu to L.

        lr = 1 / L,    beta = (sqrt(κ) - 1) / (sqrt(κ) + 1)

    They hold for every smooth and strongly convex function.

    Raises: ValueError unless 0 < mu <= L.
    Source: Nesterov (2004), scheme 2.2.11.
    """
    require(0 < mu <= L, "0 < mu <= L", mu=mu, L=L)
    root = (L / mu) ** 0.5
    return 1 / L, (root - 1) / (root + 1)


def noise_level(lr: float, beta: float, curvature: float, sigma: float) -> float:
    """Variance of p at rest, where each gradient λp carries independent noise of standard deviation sigma.

        var = lr sigma² (1 + beta) / (λ (1 - beta) (2 (1 + beta) - lr λ))

    Raises: ValueError where the iteration is unstable, lr λ >= 2 (1 + beta).
    Source: the fixed point of the 2×2 covariance recursion; beta = 0 gives lr sigma² / (λ (2 - lr λ)).
    """
    require(
        0 < lr * curvature < 2 * (1 + beta) and 0 <= beta < 1,
        "0 < lr * curvature < 2 * (1 + beta) and 0 <= beta < 1",
        lr=lr,
        beta=beta,
        curvature=curvature,
    )
    return lr * sigma**2 * (1 + beta) / (curvature * (1 - beta) * (2 * (1 + beta) - lr * curvature))


def steps_to(
    tolerance: float,
    lr: float,
    beta: float,
    curvatures: Tensor,
    start: Tensor,
    *,
    most: int,
    nesterov: bool = False,
) -> Tensor:
    """Steps until |p| <= tolerance * |start|, for many quadratics at once; `most` where it takes longer.

    Args:
        curvatures: (..., d) eigenvalues. start: (..., d) first points, in the eigenbasis.
        nesterov: whether to look ahead, in PyTorch's form: p <- p - lr * (λ p + beta * v).
    Returns: (...), int64.
    """
    v = torch.zeros_like(start, dtype=torch.float64)

    def move(p: Tensor) -> None:
        gradient = curvatures * p
        v.mul_(beta).add_(gradient)
        p.sub_(gradient.add_(v, alpha=beta) if nesterov else v, alpha=lr)

    return _steps_home(tolerance, start, move, most)


def steps_with_restarts(
    tolerance: float, lr: float, curvatures: Tensor, start: Tensor, *, most: int
) -> Tensor:
    """Steps as of `steps_to`, of momentum that grows by itself and is forgotten where the step goes uphill.

        age <- 0 if g · v < 0, else age + 1,    beta = age / (age + 3)

    g is the gradient and v the velocity before the step, age the number of steps since the last restart.

    Args: lr: step size, 1 / L for curvatures up to L. curvatures: (..., d). start: (..., d).
    Returns: (...), int64.
    Source: as in O'Donoghue & Candès (2015), who restart Nesterov's method; here it is the heavy ball.
    """
    v = torch.zeros_like(start, dtype=torch.float64)
    age = torch.zeros_like(v[..., :1])

    def move(p: Tensor) -> None:
        gradient = curvatures * p
        uphill = (gradient * v).sum(-1, keepdim=True) < 0
        age.copy_(torch.where(uphill, 0.0, age + 1))
        v.mul_(age / (age + 3)).add_(gradient)
        p.sub_(v, alpha=lr)

    return _steps_home(tolerance, start, move, most)


def _steps_home(tolerance: float, start: Tensor, move: Callable[[Tensor], None], most: int) -> Tensor:
    """How often `move` changes p in place until |p| <= tolerance * |start|; `most` where it takes longer."""
    p = start.double().clone()
    goal = tolerance * p.norm(dim=-1)
    steps = torch.full(p.shape[:-1], most)
    for step in range(1, most + 1):
        move(p)
        steps[(p.norm(dim=-1) <= goal) & (steps == most)] = step
        if bool((steps < most).all()):
            break
    return steps
