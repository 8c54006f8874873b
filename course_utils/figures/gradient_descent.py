"""The figures of lesson 02."""

from __future__ import annotations

import functools

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.optimizers import SGD
from course_utils.problems import himmelblau, quadratic
from course_utils.theory import quadratics
from course_utils.trajectories import trajectory

MU, L, ANGLE = 1.0, 20.0, -0.35
START = torch.tensor([-3.4, 1.9], dtype=torch.float64)  # far along the valley, some way up its side
SETTLED, HOVERING, GONE = 1e-3, 4, 5
RATE_COLOURS = (plotting.SKY, plotting.BLUE, plotting.PURPLE)  # three step sizes, short to long


def four_steps(shares: tuple[float, ...] = (0.2, 1.0, 1.8, 2.1), steps: int = 8) -> Figure:
    """Gradient descent on ½θ² with step sizes `shares` / λ, one panel each."""
    figure, panels = plotting.subplots(1, len(shares), size=(10.0, 2.9), sharey=True)
    names = {0.2: "creeps", 1.0: "lands at once", 1.8: "swings in", 2.1: "swings out"}
    grid = np.linspace(-4.2, 4.2, 200)
    for axes, share in zip(panels, shares, strict=True):
        p = 1.9 * (1 - share) ** np.arange(steps + 1)
        color = plotting.VERMILION if share > 2 else plotting.BLUE
        axes.plot(grid, grid**2 / 2, color=plotting.LIGHT, linewidth=1.6, label="_surface", zorder=0)
        axes.plot(p, p**2 / 2, color=color, linewidth=1.1, marker="o", markersize=4, label="_path")
        axes.plot(p[0], p[0] ** 2 / 2, color=plotting.INK, marker="o", markersize=7, label="_start")
        axes.set(xlim=(-4.2, 4.2), ylim=(-0.4, 8.2))
        title = f"ηλ = {share:g}: {names.get(share, '')}".removesuffix(": ")
        plotting.finish(axes, title=title, x="θ", y="", names=False)
    panels[0].set_ylabel("f(θ)")
    return figure


def factor_against_rate(shares: ArrayLike, factors: ArrayLike, *, kappa: float) -> Figure:
    """Measured factor per step against ηL, with theory's line and the two special step sizes.

    Args: shares: (R,) step sizes times L. factors: (S, R), one row per quadratic.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    x = np.asarray(shares, float)
    plotting.band(axes, x, factors, label="_measured", color=plotting.BLUE)
    dense = np.linspace(x[0], x[-1], 400)
    plotting.theory(axes, dense, np.maximum(abs(1 - dense), abs(1 - dense / kappa)), label="_theory")
    best = 2 / (1 + 1 / kappa)
    low, high = float(np.asarray(factors).min()), float(np.asarray(factors).max())
    axes.axhline(1, color=plotting.GREY, linewidth=0.8)
    axes.axvspan(2, x[-1], color=plotting.VERMILION, alpha=0.12, linewidth=0)
    axes.plot(best, (kappa - 1) / (kappa + 1), marker="*", markersize=12, color=plotting.INK, label="_best")
    axes.set_ylim(low - 0.035, high + 0.01)
    axes.text(best, low - 0.012, "best, 2/(L + μ)", ha="center", va="top")
    axes.text(0.9, 0.965, "measured, and theory (dashed)", color=plotting.BLUE)
    axes.annotate("2/L", (2, high), ha="right", va="center", xytext=(-4, 0), textcoords="offset points")
    axes.text(0.35, 1.004, "no progress", color=plotting.GREY, va="bottom")
    title = "The best step is just below the one that diverges"
    plotting.finish(axes, title=title, x="step size, in units of 1/L", y="factor per step", names=False)
    axes.set_xlim(x[0], x[-1])
    return figure


def line_search_curves(fixed: ArrayLike, exact: ArrayLike, shortened: ArrayLike) -> Figure:
    """f along the way, relative to the start, for three step rules; each (S, T)."""
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    for values, name, color in (
        (fixed, "fixed, 2/(L + μ)", plotting.colour("gd")),
        (exact, "exact line search", plotting.ORANGE),
        (shortened, "0.9 × exact", plotting.GREEN),
    ):
        logs = np.log10(np.maximum(np.asarray(values, float), 1e-16))
        keep = int((logs.mean(0) > -12.5).sum())  # the name stands at the end, above the axis
        plotting.band(axes, np.arange(keep), logs[:, :keep], label=name, color=color)
    axes.set_ylim(-14, 0.5)
    axes.set_yticks([0, -4, -8, -12], ["1", "10⁻⁴", "10⁻⁸", "10⁻¹²"])
    title = "Stopping short of the line's lowest point is far faster"
    plotting.finish(axes, title=title, x="step", y="f, relative to the start")
    return figure


def error_against_h(h: ArrayLike, forward: ArrayLike, central: ArrayLike) -> Figure:
    """Error of two numerical gradients against their step; forward, central: (S, H)."""
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    x = np.asarray(h, float)
    plotting.log_ticks(axes)
    for values, name, color, power in (
        (forward, "one-sided", plotting.ORANGE, 1),
        (central, "central", plotting.BLUE, 2),
    ):
        middle = np.median(np.asarray(values, float), 0)
        plotting.band(axes, x, values, label=name, color=color)
        line = middle[0] * (x / x[0]) ** power
        plotting.theory(axes, x[line > 1e-12], line[line > 1e-12], label="_theory")
    axes.set_ylim(1e-13, 10)
    axes.invert_xaxis()
    title = "Large h: the wrong slope. Small h: rounding"
    plotting.finish(axes, title=title, x="step h of the difference", y="relative error")
    return figure


def misled(
    perturbations: ArrayLike, escapes: ArrayLike, distances: ArrayLike, crossings: ArrayLike
) -> Figure:
    """Steps to leave a saddle against the perturbation; steps to cross a plateau against the distance."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.0, 3.6))
    eps = np.asarray(perturbations, float)
    plotting.log_ticks(left, "x")
    left.plot(eps, np.asarray(escapes), "o", color=plotting.colour("gd"), label="_measured")
    plotting.theory(left, eps, np.log(1 / eps) / np.log(1.1), label="_theory")
    left.set_ylim(0)
    left.invert_xaxis()
    plotting.finish(
        left, title="A saddle costs a logarithm", x="distance ε from the ridge", y="steps to leave"
    )
    plotting.log_ticks(right, "y")
    right.plot(np.asarray(distances), np.asarray(crossings), "o-", color=plotting.VERMILION, label="_plateau")
    plotting.finish(
        right, title="A plateau costs an exponential", x="distance from the hole", y="steps to reach it"
    )
    return figure


@functools.cache
def basins(lr: float, *, grid: int = 121, steps: int = 400) -> Tensor:
    """Where gradient descent on Himmelblau's function ends, from each point of a grid over its bounds.

    Returns: int64 (grid, grid), rows along y: 0 to 3 the minimum it settles at (within 1e-3), 4 for a point
        that keeps moving, 5 for one that has run away.
    """
    problem = himmelblau()
    (x0, x1), (y0, y1) = problem.bounds
    xs = torch.linspace(x0, x1, grid, dtype=torch.float64)
    ys = torch.linspace(y0, y1, grid, dtype=torch.float64)
    p = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1).reshape(-1, 2)
    for _ in range(steps):
        p = (p - lr * problem.grad(p)).nan_to_num(1e6, 1e6, -1e6).clamp(-1e6, 1e6)
    gap, nearest = torch.cdist(p, problem.minima).min(1)
    ended = torch.where(gap < SETTLED, nearest, torch.where(p.abs().amax(1) > 100, GONE, HOVERING))
    return ended.reshape(grid, grid)


def basin_maps(rates: tuple[float, ...] = (0.01, 0.0165, 0.0195)) -> Figure:
    """Himmelblau's basins, one panel per step size; each minimum carries its own limit 2/λ."""
    problem = himmelblau()
    curvatures = torch.stack([torch.linalg.eigvalsh(_hessian(m))[-1] for m in problem.minima])
    colours = ["#8FBBDA", "#F2C48D", "#D9A3C7", "#9CCFB8", "#555555", "#FFFFFF"]
    figure, panels = plotting.subplots(1, len(rates), size=(10.0, 3.9), sharey=True)
    for axes, lr in zip(panels, rates, strict=True):
        xs = np.linspace(*problem.bounds[0], 121)
        ys = np.linspace(*problem.bounds[1], 121)
        axes.pcolormesh(
            xs, ys, basins(lr).numpy(), cmap=ListedColormap(colours), vmin=-0.5, vmax=5.5, shading="nearest"
        )
        for minimum, curvature in zip(problem.minima.tolist(), curvatures.tolist(), strict=True):
            ink = "white" if 2 / curvature < lr else plotting.INK
            axes.plot(*minimum, marker="*", markersize=9, color=ink)
            above = minimum[1] < 0
            axes.annotate(
                f"2/λ = {2 / curvature:.4f}",
                minimum,
                xytext=(5 if minimum[0] < -3 else 0, 7 if above else -7),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                fontsize=8,
                color=ink,
            )
        axes.set_aspect("equal")
        count = int((2 / curvatures > lr).sum())
        words = {4: "four", 3: "three", 2: "two", 1: "one", 0: "no"}[count]
        title = f"η = {lr:g}: {words} minima hold"
        plotting.finish(axes, title=title, x="θ₁", y="", names=False)
    panels[0].set_ylabel("θ₂")
    return figure


def _hessian(p: Tensor) -> Tensor:
    hessian: Tensor = torch.func.hessian(himmelblau().f)(p)
    return hessian


def edge(
    steps: ArrayLike,
    mse: ArrayLike,
    rates: tuple[float, ...],
    entropy_steps: ArrayLike,
    entropy: ArrayLike,
    entropy_rate: float,
) -> Figure:
    """Sharpness of nets along gradient descent, with the limit 2/η of each step size.

    Args: mse: (R, S, K), squared error, one block per rate. entropy: (S, J), cross-entropy, one rate.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 3.8))
    x = np.asarray(steps, float)
    for values, lr, color in zip(np.asarray(mse, float), rates, RATE_COLOURS, strict=True):
        plotting.band(left, x, values, label=f"η = {lr:g}", color=color)
        plotting.theory(left, x, np.full(len(x), 2 / lr), label="_edge")
    left.set_ylim(0, 2.4 / min(rates))
    plotting.finish(left, title="Squared error stays at the edge", x="step", y="sharpness (dashed: 2/η)")
    t = np.asarray(entropy_steps, float) + 1  # a logarithmic axis has no 0
    plotting.log_ticks(right, "x")
    plotting.band(right, t, entropy, label="_entropy", color=plotting.ORANGE)
    plotting.theory(right, t, np.full(len(t), 2 / entropy_rate), label="_edge")
    right.text(t[-1], 2.06 / entropy_rate, f"2/η, η = {entropy_rate:g}", ha="right", va="bottom")
    right.set_ylim(0)
    plotting.finish(
        right, title="Cross-entropy passes it and leaves", x="step + 1", y="sharpness", names=False
    )
    return figure


@functools.cache
def ravine_path(share: float, steps: int = 40) -> Tensor:
    """Points (steps + 1, 2) of gradient descent with step size share / L in a ravine with κ = 20."""
    return trajectory(quadratic((MU, L), angle=ANGLE).grad, START, lambda p: SGD(p, lr=share / L), steps)


def rate_and_path(share: float) -> Figure:
    """Left, the factor |1 - ηλ| over the curvatures for η = share / L; right, where that step size goes."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.7), width_ratios=(1, 1.25))
    worst = max(abs(1 - share), abs(1 - share * MU / L))
    color = plotting.VERMILION if worst > 1 + 1e-12 else plotting.BLUE
    curvature = np.linspace(0, L * 1.04, 300)
    left.plot(curvature, abs(1 - share / L * curvature), color=plotting.GREY, linewidth=1.2, label="_factor")
    left.axhline(1, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    for at, name in ((MU, "μ"), (L, "L")):
        height = abs(1 - share / L * at)
        left.plot(at, height, marker="o", markersize=8, color=color, label="_end")
        left.annotate(name, (at, height), xytext=(0, -18), textcoords="offset points", ha="center")
    left.set(ylim=(0, 1.3), xlim=(-0.5, L * 1.08))
    plotting.finish(left, title="Factor of each direction", x="curvature λ", y="|1 − ηλ|", names=False)
    _draw_path(right, share, 40, color)
    verdict = f"{worst:.3f} per step" if abs(worst - 1) > 1e-12 else "it swings for ever"
    verdict = verdict if worst <= 1 + 1e-12 else "it diverges"
    plotting.finish(right, title=f"η = {share:g}/L: {verdict}", x="θ₁", y="θ₂", names=False)
    return figure


def sweep(share: float) -> Figure:
    """One frame of the film: the path in the ravine for η = share / L."""
    figure, axes = plotting.subplots(size=(6.2, 3.5))
    _draw_path(axes, share, 40, plotting.BLUE)  # one colour: a film has the palette of its last frame
    plotting.finish(axes, title=f"η = {share:.2f}/L", x="θ₁", y="θ₂", names=False)
    return figure


def _draw_path(axes: Axes, share: float, steps: int, color: str) -> None:
    plotting.contours(axes, quadratic((MU, L), angle=ANGLE), ((-4.4, 3.0), (-2.2, 2.6)))
    plotting.path(axes, ravine_path(share, steps).clamp(-50, 50), label="_path", color=color)
    axes.plot(*START.tolist(), marker="o", markersize=7, color=plotting.INK)
    axes.plot(0, 0, marker="*", markersize=10, color=plotting.INK)


BEST = round(quadratics.best_gd(MU, L)[0] * L, 3)
"""The best step size for the ravine of this lesson, in units of 1/L."""
