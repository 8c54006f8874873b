"""The figures of lesson 05."""

from __future__ import annotations

import functools

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.optimizers import SGD
from course_utils.problems import quadratic
from course_utils.theory import quadratics
from course_utils.trajectories import trajectory

MU, L, ANGLE = 1.0, 40.0, -0.35
START = torch.tensor([-3.26, 1.56], dtype=torch.float64)  # in the valley, a little up its side
RATES = np.round(np.linspace(0.001, 0.1, 100), 3)
BETAS = np.round(np.linspace(0.0, 0.99, 100), 2)


@functools.cache
def ravine_path(lr: float, beta: float, steps: int = 60) -> Tensor:
    """Points (steps + 1, 2) of momentum in a ravine with curvatures 1 and 40."""
    ravine = quadratic((MU, L), angle=ANGLE)
    return trajectory(ravine.grad, START, lambda p: SGD(p, lr=lr, momentum=beta), steps)


@functools.cache
def rate_map() -> Tensor:
    """Factor per step in the slower of the two directions, (betas, rates)."""
    lr, beta = torch.from_numpy(RATES)[None, :], torch.from_numpy(BETAS)[:, None]
    slow, fast = (quadratics.heavy_ball_rate(lr, beta, curvature) for curvature in (MU, L))
    return torch.maximum(slow, fast)


def two_paths(steps: int = 48, upto: int | None = None) -> Figure:
    """Gradient descent and momentum, each at its best, in one ravine; `upto` cuts the paths for a film."""
    figure, axes = plotting.subplots(size=(6.4, 3.4))
    gd, (lr, beta, _) = quadratics.best_gd(MU, L)[0], quadratics.best_heavy_ball(MU, L)
    end = steps if upto is None else upto
    plotting.contours(axes, quadratic((MU, L), angle=ANGLE), ((-3.9, 1.4), (-1.1, 2.1)))
    for name, key, rate, momentum in [
        ("gradient descent", "gd", gd, 0.0),
        ("momentum", "momentum", lr, beta),
    ]:
        points = ravine_path(rate, momentum, steps)[: end + 1]
        plotting.path(axes, points, label=f"_{name}", color=plotting.colour(key))
        height = 1.85 if key == "gd" else 1.55
        left = points[-1].norm() / points[0].norm()
        axes.text(-1.6, height, f"{name}: {left:.1g} of the way left", color=plotting.colour(key))
    axes.plot(0, 0, marker="*", color=plotting.INK, markersize=10, label="_minimum")
    title = f"{end} steps: momentum has arrived, gradient descent has not"
    if upto is not None and upto < steps:
        title = f"Step {end}"
    plotting.finish(axes, title=title, x="θ₁", y="θ₂", names=False)
    return figure


def rate_map_and_path(lr: float, beta: float) -> Figure:
    """The (lr, beta) map of the contraction per step, and beside it where that choice goes in the ravine."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.9), width_ratios=(1.15, 1))
    z = rate_map().numpy()
    plotting.heat(left, RATES, BETAS, np.where(z < 1, z, np.nan), label="factor per step", low=0.7, high=1.0)
    left.plot(RATES, RATES * L / 2 - 1, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    best_lr, best_beta, _ = quadratics.best_heavy_ball(MU, L)
    left.plot(best_lr, best_beta, marker="*", markersize=11, color="white", markeredgecolor=plotting.INK)
    left.plot(lr, beta, marker="o", markersize=8, color=plotting.VERMILION, markeredgecolor="white")
    left.annotate("diverges", (0.078, 0.12), color=plotting.GREY)
    left.set(ylim=(BETAS[0], BETAS[-1]))
    left.set_title("White is unstable, the star is the optimum", loc="left", fontsize=11, fontweight="bold")
    left.set(xlabel="step size η", ylabel="momentum β")
    points = ravine_path(lr, beta)
    plotting.contours(right, quadratic((MU, L), angle=ANGLE), ((-3.9, 2.2), (-2, 2.2)))
    plotting.path(right, points.clamp(-50, 50), label="_path", color=plotting.VERMILION)
    factor = max(float(quadratics.heavy_ball_rate(lr, beta, c)) for c in (MU, L))
    verdict = f"{factor:.3f} per step" if factor < 1 else "diverges"
    plotting.finish(right, title=f"η = {lr:g}, β = {beta:g}: {verdict}", x="θ₁", y="θ₂", names=False)
    return figure


def steps_against_condition(kappas: ArrayLike, gd: ArrayLike, heavy_ball: ArrayLike) -> Figure:
    """Steps to a tolerance against κ, with bands over quadratics and the slopes of theory.

    Args: kappas: (K,). gd, heavy_ball: (S, K) steps.
    """
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    k, gd, heavy_ball = np.asarray(kappas, float), np.asarray(gd, float), np.asarray(heavy_ball, float)
    plotting.log_ticks(axes)
    plotting.band(axes, k, gd, label="gradient descent", color=plotting.colour("gd"))
    plotting.band(axes, k, heavy_ball, label="momentum", color=plotting.colour("momentum"))
    plotting.theory(axes, k, gd[:, 0].mean() * (k / k[0]), label="_κ")
    plotting.theory(axes, k, heavy_ball[:, 0].mean() * (k / k[0]) ** 0.5, label="_√κ")
    axes.text(k[2], 1.6 * gd[:, 2].mean(), "slope 1", ha="right", color=plotting.INK)
    axes.text(k[2], 1.35 * heavy_ball[:, 2].mean(), "slope ½", ha="right", color=plotting.INK)
    title = "Thirty times κ: thirty times the steps, or six"
    plotting.finish(axes, title=title, x="condition number κ", y="steps to 10⁻⁸ of the start")
    return figure


def noise_against_beta(betas: ArrayLike, equal: ArrayLike, matched: ArrayLike, *, lr: float) -> Figure:
    """Variance at rest relative to plain SGD's, at equal η and at equal η / (1 - β).

    Args: betas: (B,). equal, matched: (S, B) variances divided by plain SGD's.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    longer = 1 / (1 - np.asarray(betas, float))
    plotting.log_ticks(axes)
    plotting.band(axes, longer, equal, label="equal η", color=plotting.colour("momentum"))
    plotting.band(axes, longer, matched, label="equal η / (1 − β)", color=plotting.colour("nesterov"))
    base, dense = quadratics.noise_level(lr, 0.0, 1.0, 1.0), np.geomspace(1, longer[-1], 60)
    for rate in (lr, lr / dense):
        rates = np.broadcast_to(rate, dense.shape)
        levels = [quadratics.noise_level(r, 1 - 1 / k, 1.0, 1.0) for r, k in zip(rates, dense, strict=True)]
        plotting.theory(axes, dense, np.array(levels) / base, label="_theory")
    axes.set_xticks(longer, [f"{k:.3g}\n{b:g}" for k, b in zip(longer, np.asarray(betas), strict=True)])
    title = "Momentum amplifies noise only because its steps are longer"
    plotting.finish(axes, title=title, x="1 / (1 − β), and β below it", y="variance at rest, plain SGD = 1")
    return figure
