"""The figures of lesson 02."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from course_utils import plotting
from course_utils.optimizers import SGD
from course_utils.problems import himmelblau, quadratic, rosenbrock
from course_utils.theory import quadratics
from course_utils.trajectories import trajectory

MU, L, ANGLE = 1.0, 20.0, -0.35
START = torch.tensor([-3.4, 1.9], dtype=torch.float64)  # far along the valley, some way up its side
SETTLED, HOVERING, GONE = 1e-3, 4, 5

# What each figure shows, in words.
FOUR_STEPS = (
    "Eight steps in a parabola with four rates. With 0.2/λ the point creeps down one side, with 1/λ "
    "it lands on the minimum at once, with 1.8/λ it swings from side to side and comes in, with 2.1/λ it "
    "swings out."
)
WHICH_WAY = (
    "Left, contours of a curved valley with the start, the direction −g, and the best points on circles of "
    "growing radius: they begin on −g and bend away into the valley. Right, the angle between −g and the "
    "best direction against the radius: near zero for short steps, tens of degrees for long ones."
)
PACE = (
    "Steps to 0.1 of the distance against the rate in units of 1/L, logarithmic, one line for each of "
    "three condition numbers. Each falls slowly to its lowest point and then climbs steeply towards 2/L. The "
    "larger κ, the nearer the lowest point is to 2/L. Dots lie on dashed lines of theory."
)
STEPS_AGAINST_KAPPA = (
    "Steps to 0.001 of the distance, many quadratics, two panels. Against the condition number the "
    "dots lie along a straight line of slope one, a little below that of theory for a start along a slowest "
    "direction; against the largest curvature they form a cloud."
)
UNITS = (
    "Loss above the lowest against the step on the diabetes data, both logarithmic, each at its best rate. "
    "In its own units it falls no less at first and then hardly moves; with standardised columns it bends "
    "down and falls below 10⁻¹² of the start."
)
MISLED = (
    "Left, steps to leave the saddle ½(x² − y²) against the distance from its ridge, on a logarithmic axis: "
    "a straight line. Right, steps to cross the plateau of 1 − exp(−r²/2) against the distance, steps on a "
    "logarithmic axis: a line that bends upwards. Dots lie on dashed lines of theory."
)
NET_SWEEP = (
    "A net trained with many rates. Left, the loss after 100 steps: it falls along a gentle slope as the "
    "rate grows, then jumps within a factor of two to that of a guess. Right, steps to a loss of 0.5: they "
    "fall along a line of slope minus one, level off, rise at the last rate, and end where nets fail."
)
CLIFFS = (
    "Five nets, one row each, the rate on a logarithmic axis. In each row are marked 2/λ at the start, "
    "cliff / 3, the best rate, and the cliff, which is the lowest rate that failed, at the right."
)
NO_CLIFF = (
    "Loss after 100 steps against the rate, logarithmic. The net's dots fall and then jump to that of a "
    "guess or above. The linear model's dots fall all the way, far past its own 2/λ at the start. With two "
    "labels for each digit they hardly fall, and then rise above a guess."
)
BASIN_MAPS = (
    "Three maps of where descent from each start ends, for three rates. At 0.01 each of the four minima has "
    "its basin; at 0.0165 nearly all of the sharpest one's basin is dark, since starts there do not settle; "
    "at 0.0195 two basins are dark."
)
RATE_AND_PATH = (
    "Left, the factor against the curvature: a V that touches zero in the middle, with both ends, μ and L, "
    "at the same height. Right, at the best rate the path swings across the valley while it moves along it."
)


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


RADII = torch.logspace(-3, 0.3, 34, dtype=torch.float64)  # of the circles of `which_way`


@functools.cache
def best_on_circles(count: int = 3600) -> tuple[Tensor, Tensor]:
    """Best points on circles around Rosenbrock's start, and their angles from -g.

    Returns: points (R, 2), one for each of `RADII`; angles (R,) in degrees, to a tenth.
    """
    problem = rosenbrock()
    turn = 2 * torch.pi * torch.arange(count, dtype=torch.float64) / count
    ring = torch.stack([turn.cos(), turn.sin()], -1)
    circles = problem.start + RADII[:, None, None] * ring
    best = problem(circles).argmin(1)
    downhill = -problem.grad(problem.start)
    cosine = ring[best] @ (downhill / downhill.norm())
    return circles[torch.arange(len(RADII)), best], cosine.clamp(-1, 1).arccos().rad2deg()


def which_way() -> Figure:
    """Where the best step of each length goes, against the straight line along -g."""
    problem = rosenbrock()
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.8))
    points, angles = best_on_circles()
    plotting.contours(left, problem, ((-2.1, 0.8), (-0.4, 2.2)))
    downhill = -problem.grad(problem.start)
    line = problem.start + torch.tensor([[0.0], [1.1]], dtype=torch.float64) * downhill / downhill.norm()
    left.plot(*line.T, color=plotting.INK, linewidth=1.2)
    left.annotate("−g", line[1].tolist(), xytext=(4, 4), textcoords="offset points", va="bottom")
    left.plot(*points.T, "o-", color=plotting.BLUE, markersize=4, linewidth=1)
    left.plot(*problem.start.tolist(), "o", color=plotting.INK, markersize=7)
    plotting.finish(left, title="The best point at each distance", x="θ₁", y="θ₂", names=False)
    plotting.log_ticks(right, "x")
    plotting.measured(right, RADII, angles, label="_angle", color=plotting.BLUE)
    right.set_ylim(-3, 90)
    title = "Short steps: along −g. Long ones: not"
    plotting.finish(right, title=title, x="length of the step", y="angle from −g, in degrees", names=False)
    return figure


def pace(shares: ArrayLike, measured: Mapping[float, ArrayLike]) -> Figure:
    """Steps to a tenth of the distance against ηL for several condition numbers, theory as thin lines.

    Args: shares: (R,) rates times L. measured: κ -> factors per step (S, R), one row per quadratic.
    """
    figure, axes = plotting.subplots(size=(6.8, 4.2))
    plotting.log_ticks(axes, "y")
    x = np.asarray(shares, float)
    dense = np.linspace(x[0], 1.9999, 2000)
    colours = (plotting.ORANGE, plotting.BLUE, plotting.PURPLE)
    for (kappa, values), color in zip(measured.items(), colours, strict=True):
        steps = _to_a_tenth(np.asarray(values).mean(0))
        plotting.measured(axes, x, steps, label="_measured", color=color)
        line = _to_a_tenth(np.maximum(abs(1 - dense), abs(1 - dense / kappa)))
        plotting.theory(axes, dense, line, label="_theory")
        best, fewest = 2 / (1 + 1 / kappa), _to_a_tenth(np.array([(kappa - 1) / (kappa + 1)]))
        axes.plot(best, fewest, marker="*", markersize=13, color=plotting.INK, zorder=6)
        at = float(_to_a_tenth(np.array([1 - 0.6 / kappa]))[0])
        axes.text(0.6, at * 1.3, f"κ = {kappa:g}", color=color, va="bottom")
    axes.axvspan(2, x[-1], color=plotting.VERMILION, alpha=0.12, linewidth=0)
    axes.text(2.02, 2.5, "diverges", color=plotting.VERMILION, rotation=90, va="bottom")
    axes.set(xlim=(x[0], x[-1]), ylim=(1.5, 8000))
    title = "The larger κ, the nearer the best rate (star) is to 2/L"
    plotting.finish(axes, title=title, x="rate η, in units of 1/L", y="steps to a tenth", names=False)
    return figure


def _to_a_tenth(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steps until a factor per step makes a tenth; NaN where it makes none."""
    shrinks = factor < 1 - 1e-9
    return np.where(shrinks, np.log(10) / -np.log(np.where(shrinks, factor, 0.5)), np.nan)


def steps_against_kappa(kappa: Tensor, L: Tensor, steps: Tensor, tolerance: float) -> Figure:
    """Steps until the distance has fallen by `tolerance`, against κ and against L; each (S,)."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.7), sharey=True)
    for axes, x in ((left, kappa), (right, L)):
        plotting.log_ticks(axes)
        plotting.measured(axes, x, steps, label="_measured", color=plotting.colour("gd"))
    line = torch.tensor([float(kappa.min()), float(kappa.max())], dtype=torch.float64)
    plotting.theory(left, line, np.log(tolerance) / ((line - 1) / (line + 1)).log(), label="_theory")
    plotting.finish(
        left, title="Steps grow with κ", x="condition number κ = L/μ", y="steps needed", names=False
    )
    title = "At its best rate, not with L"
    plotting.finish(right, title=title, x="largest curvature L", y="", names=False)
    return figure


def units(gaps: Mapping[str, Tensor]) -> Figure:
    """Loss above the lowest, relative to the start, against the step; name -> (T,)."""
    figure, axes = plotting.subplots(size=(6.6, 3.7))
    plotting.log_ticks(axes)
    for (name, gap), color in zip(gaps.items(), (plotting.BLUE, plotting.VERMILION), strict=True):
        # the line ends above the axis, so that its name stands clear of it
        shown = gap[: int((gap > 1e-12).sum())]
        axes.plot(np.arange(1, len(shown) + 1), shown, color=color, label=name)
    axes.set_ylim(1e-13, 3)
    title = "Diabetes, in its own units: slow after the first steps"
    plotting.finish(axes, title=title, x="step + 1", y="loss above the lowest (start: 1)")
    return figure


def crossing_time(distance: ArrayLike, *, lr: float, goal: float) -> Tensor:
    """Steps from `distance` to `goal` on `problems.plateau()` for short steps, 1/lr ∫ exp(r²/2)/r dr."""
    found = []
    for start in np.atleast_1d(np.asarray(distance, float)):
        r = torch.linspace(goal, float(start), 20_001, dtype=torch.float64)
        found.append(torch.trapezoid((r**2 / 2).exp() / r, r) / lr)
    return torch.stack(found)


def misled(
    perturbations: ArrayLike, escapes: ArrayLike, distances: ArrayLike, crossings: ArrayLike
) -> Figure:
    """Steps to leave a saddle against the perturbation; steps to cross a plateau against the distance."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.0, 3.6))
    eps = np.asarray(perturbations, float)
    plotting.log_ticks(left, "x")
    plotting.measured(left, eps, escapes, label="_measured", color=plotting.colour("gd"))
    plotting.theory(left, eps, np.log(1 / eps) / np.log(1.1), label="_theory")
    left.set_ylim(0)
    left.invert_xaxis()
    title = "Saddle ½(x² − y²): a logarithm"
    plotting.finish(left, title=title, x="distance ε from the ridge", y="steps to leave", names=False)
    plotting.log_ticks(right, "y")
    plotting.measured(right, distances, crossings, label="_plateau", color=plotting.VERMILION)
    far = np.asarray(distances, float)
    dense = np.linspace(far.min(), far.max(), 60)
    plotting.theory(right, dense, crossing_time(dense, lr=1.0, goal=0.1), label="_theory")
    title = "Plateau 1 − exp(−r²/2): far more"
    plotting.finish(right, title=title, x="distance from the hole", y="steps to reach it", names=False)
    return figure


def net_sweep(rates: ArrayLike, ends: Tensor, steps: Tensor, *, guess: float) -> Figure:
    """Loss at the end, and steps to a loss, against the rate.

    Args:
        ends: (R, S) losses; NaN and inf where a run has failed. steps: (R, S), inf where it is not reached.
        guess: the loss of one who guesses.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.9))
    x = np.asarray(rates, float)
    for axes, values in ((left, ends), (right, steps)):
        plotting.log_ticks(axes)
        y = values.nan_to_num(torch.inf).numpy()
        for column in y.T:
            plotting.measured(
                axes, x, np.where(np.isfinite(column), column, np.nan), label="_seed", color=plotting.BLUE
            )
    left.axhline(guess, color=plotting.GREY, linewidth=0.9)
    left.text(x[0], guess * 1.1, "a guess", color=plotting.GREY, va="bottom")
    left.set_ylim(top=guess * 2.2)
    plotting.finish(
        left, title="A gentle slope, then a cliff", x="rate η", y="loss after 100 steps", names=False
    )
    reached = np.isfinite(steps.numpy()).all(1)
    first = int(reached.argmax())
    line = float(steps[first].mean()) * x[first] / x
    plotting.theory(right, x[reached], line[reached], label="_theory")
    right.set_xlim(left.get_xlim())
    right.set_ylim(3, 150)
    title = "Steps fall as 1/η (dashed), at first"
    plotting.finish(right, title=title, x="rate η", y="steps to a loss of 0.5", names=False)
    return figure


def cliffs(rows: Mapping[str, Mapping[str, float]]) -> Figure:
    """Special rates of several nets on one axis; setting -> name of the rate -> rate."""
    figure, axes = plotting.subplots(size=(7.6, 3.9))
    plotting.log_ticks(axes, "x")
    marks = {
        "2/λ at the start": ("|", plotting.INK), "cliff / 3": ("o", plotting.BLUE),
        "best": ("*", plotting.GREEN), "cliff": ("X", plotting.VERMILION),
    }  # fmt: skip
    heights = range(len(rows))[::-1]
    for height, found in zip(heights, rows.values(), strict=True):
        axes.axhline(height, color=plotting.LIGHT, linewidth=0.9, zorder=0)
        for name, rate in found.items():
            mark, color = marks[name]
            axes.plot(rate, height, mark, color=color, markersize=11, mew=2 if mark == "|" else 0)
    for name, rate in next(iter(rows.values())).items():
        under = name in ("cliff / 3", "cliff")
        above = len(rows) - 1 + (0.3 if under else 0.72)
        axes.text(rate, above, name, color=marks[name][1], ha="center", va="bottom", fontsize=9)
    axes.set_yticks(list(heights), list(rows))
    axes.set_ylim(-0.6, len(rows) + 0.3)
    title = "Five nets: how far the cliff is from 2/λ at the start differs"
    plotting.finish(axes, title=title, x="rate η", y="", names=False)
    return figure


def no_cliff(rates: ArrayLike, ends: Mapping[str, Tensor], starts: Mapping[str, float]) -> Figure:
    """Loss after 100 steps against the rate, for three models; name -> (R, S), and name -> 2/λ if known."""
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    plotting.log_ticks(axes)
    x = np.asarray(rates, float)
    colours = (plotting.BLUE, plotting.ORANGE, plotting.PURPLE)
    for (name, losses), color in zip(ends.items(), colours, strict=True):
        middle = losses.nan_to_num(torch.inf).median(1).values.numpy()
        middle = np.where(np.isfinite(middle), middle, np.nan)
        axes.plot(x, middle, "o-", color=color, linewidth=1, markersize=5, label=name)
        if name in starts:
            axes.axvline(starts[name], color=color, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.axhline(np.log(10), color=plotting.GREY, linewidth=0.9)
    axes.text(x[0], np.log(10) * 1.1, "a guess", color=plotting.GREY, va="bottom")
    axes.set_ylim(3e-5, 200)
    axes.text(float(max(starts.values())) * 1.1, 6e-5, "dashed: 2/λ at the start", va="bottom")
    title = "A linear model on the same digits has no cliff here"
    plotting.finish(axes, title=title, x="rate η", y="loss after 100 steps")
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
    hessian: Tensor = torch.func.jacrev(himmelblau().grad)(p)  # forward mode takes half a second to load
    return hessian


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
    left.axhline(1, **plotting.THEORY)
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


def _draw_path(axes: Axes, share: float, steps: int, color: str) -> None:
    plotting.contours(axes, quadratic((MU, L), angle=ANGLE), ((-4.4, 3.0), (-2.2, 2.6)))
    plotting.path(axes, ravine_path(share, steps).clamp(-50, 50), label="_path", color=color)
    axes.plot(*START.tolist(), marker="o", markersize=7, color=plotting.INK)
    axes.plot(0, 0, marker="*", markersize=10, color=plotting.INK)


BEST = round(quadratics.best_gd(MU, L)[0] * L, 3)
"""The best step size for the ravine of this lesson, in units of 1/L."""

SHARES = [0.1, 0.5, 1.0, 1.5, 1.8, BEST, 1.95, 2.0, 2.02, 2.05, 2.1]
"""The step sizes that one can choose for it, in units of 1/L."""
