"""Gradient descent that stops early on least squares, beside ridge: closed forms, and both on random worlds.

    stopped_share(h, steps, lr=...)    how far a direction of curvature h has come
    ridge_share(h, l2)                 where ridge leaves it
    noisy_sine() and stopped_fit(...)  a curve through 20 points, after so many steps
    stop_beside_ridge(worlds)          which errors both reach on random regressions

The loss is the mean squared error ||X p - y||² / n, so that its Hessian is 2 H with H = X'X / n, and h is an
eigenvalue of H.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from course_utils._checks import require

_DOUBLE = torch.float64


def stopped_share(h: Tensor, steps: Tensor | float, *, lr: Tensor | float) -> Tensor:
    """1 - (1 - 2 lr h)**steps: the share of the way from zero to the minimum, entrywise.

    Raises: ValueError unless 0 <= 2 lr h <= 1, where no step overshoots (up to rounding).
    """
    factor = 1 - 2 * lr * h
    require(bool(((factor > -1e-9) & (factor <= 1)).all()), "0 <= 2 lr h <= 1", lowest=float(factor.min()))
    share: Tensor = 1 - factor.clamp(min=0) ** steps
    return share


def ridge_share(h: Tensor, l2: Tensor | float) -> Tensor:
    """h / (h + l2): the share of the way at which ridge stays, entrywise; l2 > 0."""
    share: Tensor = h / (h + l2)
    return share


def stopped_weights(x: Tensor, y: Tensor, steps: Tensor) -> Tensor:
    """The weights (..., T, d) of gradient descent from zero after each of `steps` (T,).

    The rate is 1 / (2 h_max), which takes the steepest direction home in one step. Directions without any
    curvature stay where they are, at zero.

    Args: x: (..., n, d), y: (..., n).
    Source: the eigenbasis of H; no step is simulated.
    """
    h, way, vectors = _eigenbasis(x, y)
    share = stopped_share(h.clamp(min=0)[..., None, :], steps[:, None], lr=1 / (2 * h[..., None, -1:]))
    return share * way[..., None, :] @ vectors.mT


def _eigenbasis(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Curvatures (..., d), rising, the minimum along each direction, and the directions (..., d, d)."""
    n = x.shape[-2]
    h, vectors = torch.linalg.eigh(x.mT @ x / n)
    # H p* in the eigenbasis
    pull = (vectors.mT @ (x.mT @ y[..., None] / n))[..., 0]
    flat = h <= 1e-12 * h[..., -1:]
    return h, torch.where(flat, 0.0, pull / torch.where(flat, 1.0, h)), vectors


def waves(x: Tensor, count: int = 25) -> Tensor:
    """cos(k pi (x + 1) / 2) / (1 + k) for k = 0 .. count - 1: (..., count), the quicker the smaller."""
    k = torch.arange(count, dtype=_DOUBLE)
    return torch.cos(k * math.pi * (x[..., None] + 1) / 2) / (1 + k)


def noisy_sine(points: int = 20, noise: float = 0.3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """x (points,) in [-1, 1] and sin(3 x) + noise."""
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(points, generator=generator, dtype=_DOUBLE) - 1
    return x, torch.sin(3 * x) + noise * torch.randn(points, generator=generator, dtype=_DOUBLE)


def stopped_fit(steps: int, grid: Tensor) -> tuple[Tensor, float, float]:
    """The curve through `noisy_sine` after `steps` steps, as a sum of `waves`.

    Returns: the curve on `grid`; its mean squared error on the 20 points, and against the sine itself.
    """
    x, y = noisy_sine()
    weights = stopped_weights(waves(x), y, torch.tensor([float(steps)], dtype=_DOUBLE))[0]
    curve = waves(grid) @ weights
    train = ((waves(x) @ weights - y) ** 2).mean()
    return curve, float(train), float(((curve - torch.sin(3 * grid)) ** 2).mean())


@dataclass(frozen=True)
class Beside:
    """What stopping and ridge reach in each of W worlds; errors are expected ones, beyond the noise's own.

    Args:
        end: (W,), of least squares to its end.
        stopped, ridge: (W,), at the step or strength that 60 validation examples choose.
        earlier: (W,), 1 / (2 lr l2) of the best l2 divided by the best number of steps, by the true error.
    """

    end: Tensor
    stopped: Tensor
    ridge: Tensor
    earlier: Tensor


def stop_beside_ridge(worlds: int, generator: torch.Generator, *, noise: float = 1.0) -> Beside:
    """Random regressions: 60 examples, 40 features of variances from 1 to 0.01, weights N(0, 1).

    Both methods have 81 tries, steps t from 1 to 10,000 and the l2 = 1 / (2 lr t).

    Args: worlds: >= 1. noise: standard deviation of the targets' noise, > 0.
    """
    require(worlds >= 1 and noise > 0, "a world and noise > 0", worlds=worlds, noise=noise)
    randn = partial(torch.randn, generator=generator, dtype=_DOUBLE)
    variances = torch.logspace(0, -2, 40, dtype=_DOUBLE)
    truth = randn(worlds, 40)

    def examples(n: int) -> tuple[Tensor, Tensor]:
        x = randn(worlds, n, 40) * variances.sqrt()
        return x, (x @ truth[..., None])[..., 0] + noise * randn(worlds, n)

    (x, y), (new_x, new_y) = examples(60), examples(60)
    t = torch.logspace(0, 4, 81, dtype=_DOUBLE).round().unique()
    stopped = stopped_weights(x, y, t)  # (W, T, 40)
    h, way, vectors = _eigenbasis(x, y)
    # 1 / (2 lr t), as lr is 1 / (2 h_max)
    l2 = h[:, None, -1:] / t[:, None]
    shrunk = ridge_share(h[:, None], l2) * way[:, None] @ vectors.mT
    end = torch.linalg.lstsq(x, y[..., None]).solution[..., 0]

    def error(p: Tensor) -> Tensor:
        return ((p - truth[:, None]) ** 2 * variances).sum(-1)

    def chosen(p: Tensor) -> Tensor:
        tried = ((new_x @ p.mT - new_y[..., None]) ** 2).mean(1)  # (W, T)
        return error(p).gather(1, tried.argmin(1)[:, None])[:, 0]

    earlier = t[error(shrunk).argmin(1)] / t[error(stopped).argmin(1)]
    return Beside(error(end[:, None])[:, 0], chosen(stopped), chosen(shrunk), earlier)
