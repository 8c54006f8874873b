"""The figures of lesson 05."""

from __future__ import annotations

import functools
from collections.abc import Mapping

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
REGIMES = {"creeps": 0.05, "swings": 0.7, "flips": 2.67}  # how θ moves -> ηλ, at β = 0.36
REGIME_COLOURS = dict(zip(REGIMES, (plotting.ORANGE, plotting.BLUE, plotting.VERMILION), strict=True))
METHODS = {"gradient descent": "gd", "Nesterov": "nesterov", "momentum": "momentum"}  # name -> colour
LEVELS = {"gradient descent": ("gd", "with the right μ", 1.12), "restarts": ("momentum", "without μ", 0.76)}

# What each figure shows, in words.
TWO_PATHS = (
    "Two paths down a narrow valley after 48 steps. Gradient descent zigzags in ever smaller steps and "
    "has a tenth of the way left; momentum swings wider, and has arrived to within a few millionths."
)
THREE_REGIMES = (
    "Above, the factor per step against ηλ at β = 0.36. It falls from one, lies flat at 0.6 over most "
    "of the axis, and rises to one at the end. A mark on each part. Below, θ against the step for the "
    "three marks: one creeps down on one side, one swings and is soon still, one changes sides at each "
    "step."
)
AGAINST_CONDITION = (
    "Steps to 10⁻⁸ of the start against the condition number, both axes logarithmic. Gradient descent "
    "rises along a line of slope 1. Nesterov's method and momentum, below it, rise along lines of slope"
    " ½; momentum is the lower of the two."
)
NOISE = (
    "Variance at rest under independent noise, momentum's over plain SGD's, against ηλ of plain SGD, both "
    "logarithmic. At equal η the ratio begins near ten, at equal η / (1 − β) near one. Both fall to zero at "
    "ηλ = 2. The dots lie on the lines of theory."
)
LOSSES = (
    "Training loss after 300 steps against the effective step, both logarithmic; above with all images in "
    "each step, below in batches of 32. In both the two methods lie on one line for short steps. At longer "
    "ones plain gradient descent jumps up to the loss of a guess, while momentum falls further, before it "
    "fails as well."
)
LENGTHS = (
    "Length of each step, relative to the one before the change, after η was divided by ten. PyTorch's "
    "and the averaged form fall to a tenth at once. The classic form needs dozens of steps to get "
    "there."
)
MAP_AND_PATH = (
    "Left, a map of the factor per step over step size and momentum: a dark valley of fast choices runs"
    " down to the optimum, a star, next to the edge of stability. Right, the path of the chosen step "
    "size and momentum swings in."
)
GUESSES = (
    "Steps against the guess of μ over the true μ, both logarithmic. Momentum's and Nesterov's curves "
    "are valleys with their lowest point at a right guess. Of two flat lines the one above them is gradient "
    "descent, the other, at about twice momentum's lowest point, momentum with restarts."
)
CYCLE = (
    "θ against the step on the kinked function, from one start. Gradient descent and Nesterov's method go to "
    "the minimum at zero. Momentum ends up jumping between three points."
)


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


def two_paths(steps: int) -> Figure:
    """Gradient descent and momentum, each at its best, in one ravine."""
    figure, axes = plotting.subplots(size=(6.4, 3.4))
    gd, (lr, beta, _) = quadratics.best_gd(MU, L)[0], quadratics.best_heavy_ball(MU, L)
    plotting.contours(axes, quadratic((MU, L), angle=ANGLE), ((-3.9, 1.4), (-1.1, 2.1)))
    for name, rate, momentum, height in (
        ("gradient descent", gd, 0.0, 1.85),
        ("momentum", lr, beta, 1.55),
    ):
        points, colour = ravine_path(rate, momentum, steps), plotting.colour(METHODS[name])
        plotting.path(axes, points, label=f"_{name}", color=colour)
        left = points[-1].norm() / points[0].norm()
        axes.text(-1.6, height, f"{name}: {100 * left:.1g}% of the way left", color=colour)
    axes.plot(0, 0, marker="*", color=plotting.INK, markersize=10, label="_minimum")
    title = f"{steps} steps: momentum has arrived, gradient descent has not"
    plotting.finish(axes, title=title, x="θ₁", y="θ₂", names=False)
    return figure


def regime_path(share: float, beta: float, steps: int = 20) -> Tensor:
    """Points (steps + 1,) of one coordinate from 1, at ηλ = share."""
    start = torch.ones(1, dtype=torch.float64)
    return trajectory(lambda p: p, start, lambda p: SGD(p, lr=share, momentum=beta), steps)[:, 0]


def three_regimes(beta: float) -> Figure:
    """The factor per step against ηλ, and below it a path for each of its three parts.

    Args: beta: near 0.36, so that each of `REGIMES` lies on its part.
    """
    figure, (above, *below) = plotting.subplots(4, 1, size=(6.4, 7.0), height_ratios=(2.4, 1, 1, 1))
    x, root = np.linspace(0, 2.72, 800), beta**0.5
    factor = quadratics.heavy_ball_rate(1.0, beta, torch.from_numpy(x))
    above.plot(x, factor, color=plotting.INK, label="_factor")
    edges = (0.0, (1 - root) ** 2, (1 + root) ** 2, 2.72)
    places = {"creeps": (12, 0, "left"), "swings": (0, -18, "center"), "flips": (-12, 0, "right")}
    for k, (axes, (name, share)) in enumerate(zip(below, REGIMES.items(), strict=True)):
        colour, (right, up, side) = REGIME_COLOURS[name], places[name]
        above.axvspan(edges[k], edges[k + 1], color=colour, alpha=0.13, linewidth=0)
        point = (share, float(quadratics.heavy_ball_rate(1.0, beta, share)))
        above.plot(*point, "o", color=colour, markersize=8, label=f"_{name}")
        above.annotate(
            name, point, (right, up), textcoords="offset points", va="center", ha=side, color=colour
        )
        axes.plot(regime_path(share, beta), "o-", color=colour, markersize=4, linewidth=1, label=f"_{name}")
        axes.axhline(0, color=plotting.LIGHT, linewidth=1, zorder=0)
        axes.set(xlim=(-0.3, 20.3), ylim=(-2.1, 3.0), yticks=[-1, 0, 1], xticks=[0, 5, 10, 15, 20])
        axes.text(20, 2.1, f"ηλ = {share:g}: it {name}", color=colour, ha="right")
        plotting.finish(axes, title="", x="step" if name == "flips" else "", y="θ", names=False)
    above.text(1.4, 0.63, "√β: the same for all these ηλ", color=plotting.INK, ha="center")
    above.set(xlim=(0, 2.72), ylim=(0.4, 1.05))
    title = f"One direction, β = {beta:g}: creeping, swinging, flipping"
    plotting.finish(above, title=title, x="ηλ", y="factor per step", names=False)
    figure.align_ylabels()
    return figure


def rate_map_and_path(lr: float, beta: float) -> Figure:
    """The (lr, beta) map of the contraction per step, and beside it where that choice goes in the ravine."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.9), width_ratios=(1.15, 1))
    z = rate_map().numpy()
    plotting.heat(left, RATES, BETAS, np.where(z < 1, z, np.nan), label="factor per step", low=0.7, high=1.0)
    left.plot(RATES, RATES * L / 2 - 1, **plotting.THEORY)
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
    right.text(-3.7, -1.75, f"{factor:.3f} per step" if factor < 1 else "diverges", color=plotting.INK)
    plotting.finish(right, title=f"η = {lr:g}, β = {beta:g}", x="θ₁", y="θ₂", names=False)
    return figure


def steps_against_condition(kappas: ArrayLike, steps: Mapping[str, ArrayLike]) -> Figure:
    """Mean steps to a tolerance against κ, as dots, and lines of the slopes of theory through the first.

    Args: kappas: (K,). steps: names of `METHODS` -> (S, K) steps.
    """
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    k = np.asarray(kappas, float)
    plotting.log_ticks(axes)
    for name, values in steps.items():
        y = np.asarray(values, float)
        power = 1.0 if name == "gradient descent" else 0.5
        plotting.measured(axes, k, y.mean(0), label=name, color=plotting.colour(METHODS[name]))
        plotting.theory(axes, k, y[:, 0].mean() * (k / k[0]) ** power, label=f"_κ^{power:g}")
        if name != "momentum":
            place = (k[1], 1.6 * y[:, 1].mean())
            axes.text(*place, f"slope {'1' if power == 1 else '½'}", ha="right", color=plotting.INK)
    axes.set_xticks([100, 300, 1000, 3000], ["100", "300", "1,000", "3,000"])
    axes.set_yticks([100, 1000, 10_000], ["100", "1,000", "10,000"])
    title = "With momentum the steps grow about as the root of κ"
    plotting.finish(axes, title=title, x="condition number κ", y="steps to 10⁻⁸ of the start")
    return figure


def noise_ratio(share: float, beta: float, scale: float = 1.0) -> float:
    """Variance at rest of momentum with ηλ = scale * share, over plain SGD's with ηλ = share."""
    momentum = quadratics.noise_level(scale * share, beta, 1.0, 1.0)
    return momentum / quadratics.noise_level(share, 0.0, 1.0, 1.0)


def noise_against_step(shares: ArrayLike, equal: ArrayLike, matched: ArrayLike, *, beta: float) -> Figure:
    """Variance at rest over plain SGD's, at equal η and at equal η / (1 - β), against ηλ of plain SGD.

    Args: shares: (R,) values of ηλ, below 2. equal, matched: (S, R) ratios.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.9))
    plotting.log_ticks(axes)
    x, dense = np.asarray(shares, float), np.geomspace(0.02, 1.99, 200)
    for name, values, scale, colour in (
        ("equal η", equal, 1.0, plotting.ORANGE),
        ("equal η / (1 − β)", matched, 1 - beta, plotting.colour("momentum")),
    ):
        plotting.measured(axes, x, np.asarray(values, float).mean(0), label=f"_{name}", color=colour)
        plotting.theory(axes, dense, [noise_ratio(r, beta, scale) for r in dense], label="_theory")
        axes.text(0.022, 6.6 if scale == 1 else 0.62, name, color=colour)
    axes.set(xlim=(0.02, 2), ylim=(0.02, 16))
    axes.set_yticks([0.03, 0.1, 0.3, 1, 3, 10], ["0.03", "0.1", "0.3", "1", "3", "10"])
    axes.set_xticks([0.03, 0.1, 0.3, 1, 2], ["0.03", "0.1", "0.3", "1", "2"])
    title = "Short steps: momentum is noisier at equal η only"
    plotting.finish(
        axes, title=title, x="ηλ of plain SGD", y=f"variance at β = {beta:g}, SGD = 1", names=False
    )
    return figure


def loss_against_step(rates: ArrayLike, losses: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Training loss against the effective step η / (1 - β), a panel for each size of batch.

    Args: rates: (R,). losses: batches of a panel -> names of `METHODS` -> (S, R).
    """
    figure, panels = plotting.subplots(
        len(losses), 1, size=(6.4, 3.2 * len(losses)), sharex=True, sharey=True
    )
    x = np.asarray(rates, float)
    for axes, (batch, methods) in zip(panels, losses.items(), strict=True):
        plotting.log_ticks(axes)
        for name, values in methods.items():
            y, colour = values.log().mean(0).exp().numpy(), plotting.colour(METHODS[name])
            axes.plot(x, values.T.numpy(), color=colour, alpha=0.2, linewidth=0.8, label="_seeds")
            axes.plot(x, y, "o-", color=colour, markersize=5, label=f"_{name}")
        plotting.finish(axes, title=batch, x="", y="training loss", names=False)
    first = panels[0]
    first.text(x[0], 0.8, "gradient descent jumps up", color=plotting.colour("gd"))
    first.text(x[0], 2e-4, "momentum goes on", color=plotting.colour("momentum"))
    panels[-1].set_xlabel("effective step η / (1 − β)")
    panels[-1].set_xticks(x, [f"{rate:g}" if k % 2 == 0 else "" for k, rate in enumerate(x)])
    return figure


def step_lengths(lengths: Mapping[str, Tensor], at: int) -> Figure:
    """The length of each step around a change of η, relative to the last one before it.

    Args: lengths: name of a convention -> (T,). at: how many steps came before the change.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    styles = {
        "PyTorch": (plotting.SKY, "o", 7.0),
        "averaged": (plotting.ORANGE, "o", 2.5),
        "classic": (plotting.VERMILION, "D", 3.5),
    }
    for name, values in lengths.items():
        colour, marker, size = styles[name]
        y = (values / values[at - 1]).numpy()
        x = np.arange(1 - at, len(y) + 1 - at)
        axes.plot(x, y, marker, color=colour, markersize=size, label=f"_{name}")
    axes.axvline(0.5, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.set_yscale("log")
    axes.text(12, 0.45, "classic", color=plotting.VERMILION)
    axes.text(3, 0.05, "PyTorch, and averaged on top of it", color=plotting.SKY)
    axes.text(1.3, 1.35, "from here on η is a tenth", color=plotting.GREY)
    axes.set(xlim=(-10, 50), ylim=(0.03, 2.2))
    axes.set_yticks([0.1, 1], ["0.1", "1"])
    title = "The classic velocity holds gradients at the old rate"
    plotting.finish(axes, title=title, x="steps since the change", y="length of the step", names=False)
    return figure


def steps_against_guess(guesses: ArrayLike, steps: Mapping[str, ArrayLike], *, kappa: float) -> Figure:
    """Steps to a tolerance where η and β were set for a guessed μ.

    Args:
        guesses: (G,) guessed μ over the true one.
        steps: names of `METHODS` -> (S, G), or of `LEVELS` -> (S, 1), where no guess is made.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.9))
    plotting.log_ticks(axes)
    x = np.asarray(guesses, float)
    for name, values in steps.items():
        y = np.asarray(values, float).mean(0)
        if len(y) == 1:
            role, known, beside = LEVELS[name]
            colour = plotting.colour(role)
            axes.plot(x[[0, -1]], [y[0], y[0]], color=colour, linewidth=1.8, label=f"_{name}")
            axes.text(x[0], beside * y[0], f"{name}, {known}", color=colour, va="center")
        else:
            axes.plot(x, y, "o-", color=plotting.colour(METHODS[name]), markersize=5, label=name)
    axes.set_xticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    axes.set_yticks([300, 1000, 3000, 10_000], ["300", "1,000", "3,000", "10,000"])
    axes.set_ylim(250, 14_000)
    title = f"κ = {kappa:,.0f}: a worse guess, a smaller gain"
    plotting.finish(axes, title=title, x="guessed μ / true μ", y="steps to 10⁻⁸ of the start")
    return figure


def cycle(paths: Mapping[str, Tensor]) -> Figure:
    """Paths of one coordinate on the kinked function, against the step.

    Args: paths: names of `METHODS` -> (T,).
    """
    figure, axes = plotting.subplots(size=(6.4, 3.6))
    for name, path in paths.items():
        colour = plotting.colour(METHODS[name])
        axes.plot(path.numpy(), "o-", color=colour, markersize=4, linewidth=0.9, label=name)
    axes.axhline(0, color=plotting.LIGHT, linewidth=1, zorder=0)
    title = "A kink: from this start momentum never arrives"
    plotting.finish(axes, title=title, x="step", y="θ")
    return figure
