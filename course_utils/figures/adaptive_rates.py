"""The figures of lesson 06."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import intervals, plotting
from course_utils.intervals import Interval
from course_utils.optimizers import SGD, Adagrad
from course_utils.problems import Problem, ravine
from course_utils.theory import quadratics
from course_utils.trajectories import trajectory

KAPPA, ADAGRAD_RATE = 100.0, 1.0
RAVINE_STEPS = 600  # most steps that a path down a ravine takes

# What a runner of the race is drawn in.
ONE_SUM = "AdaGrad, one sum"
RUNNERS = {
    "SGD": plotting.colour("sgd"),
    ONE_SUM: plotting.GREEN,
    "AdaGrad": plotting.colour("adagrad"),
    "RMSprop": plotting.colour("rmsprop"),
}

# What each figure shows, in words.
TWO_VALLEYS = (
    "Two valleys with the first steps of gradient descent and AdaGrad. Along the axes AdaGrad has run to "
    "the minimum, and gradient descent has gone part of the way. Turned by 45 degrees AdaGrad creeps "
    "along the floor."
)
EFFECTIVE_RATES = (
    "Step per unit of gradient against the step from the tenth on, both axes logarithmic. AdaGrad falls "
    "as a straight line; RMSprop falls from a high start and settles. Thin lines of theory run through "
    "both."
)
TURNED = (
    "AdaGrad's steps over gradient descent's against the angle by which the valley is turned, for three "
    "valleys. All lie far below one at one degree and near one at 45. The line of the longest valley is "
    "the lowest at one degree. A dashed line at about a sixth, momentum at condition 100, is crossed between "
    "five and ten degrees."
)
EVERY_RATE = (
    "Loss at the end of the run against the rate, both logarithmic: one panel for constant rates, one for "
    "rates that fall to zero. Each method has a valley of its own. In both panels AdaGrad's lowest point is "
    "below SGD's, and every valley is deeper where the rate falls."
)
TRADE = (
    "Error on the eight rarest features against error on the eight commonest, one dot for each constant "
    "rate around the best. Past the lowest rates, as the rate grows, the common error rises; the rare error "
    "falls, and then rises, too."
)
OVER_TIME = (
    "How many times the loss of one runner another one's is, against the number of steps of the run, each"
    " tuned for that number. Two lines, for like against like, stay above one; the third, falling SGD "
    "over constant AdaGrad, goes down from above one to below one."
)
CAUSES = (
    "How many times AdaGrad's loss SGD's is at the end, rates falling, with intervals. On the rare "
    "features, with and without momentum, it is well above one; where all features are equally frequent "
    "and where SGD is told the shares it is near one."
)
LIMITS = (
    "The same in other settings: the rare features as before, features mixed by a rotation in a run of this "
    "length and in the longest, rarest features ten times less rare, one example a step, a tenth of the "
    "noise, ten times the noise. It is lowest where the features are mixed and highest with little noise."
)
DIGITS = (
    "Validation loss on the digits against the step size, on a logarithmic axis: three valleys, RMSprop's"
    " at the smallest rates, AdaGrad's in the middle, SGD's at the largest."
)
SMALL_GRADIENTS = (
    "Step in units of the rate against the size of the gradient, both logarithmic. With ε outside the "
    "root the step falls off below gradients of the size of ε, inside the root already below those of √ε."
)
EXPLORE_VALLEY = (
    "A valley with the paths of gradient descent and AdaGrad, and the number of steps that each needs."
)


@functools.cache
def valley(degrees: float, kappa: float = KAPPA) -> Problem:
    """A ravine of this condition whose floor is turned by `degrees` away from the first axis."""
    return ravine(kappa, angle=math.radians(degrees))


@functools.cache
def valley_path(
    method: str, degrees: float, kappa: float = KAPPA, rate: float = ADAGRAD_RATE, steps: int = RAVINE_STEPS
) -> Tensor:
    """Points (steps + 1, 2) of "gd" at its best step, or of "adagrad" at `rate`, down that ravine."""
    problem = valley(degrees, kappa)
    if method == "gd":
        best = quadratics.best_gd(1.0, kappa)[0]
        return trajectory(problem.grad, problem.start, lambda p: SGD(p, lr=best), steps)
    return trajectory(problem.grad, problem.start, lambda p: Adagrad(p, lr=rate), steps)


def steps_down(
    method: str, degrees: float, kappa: float = KAPPA, rate: float = ADAGRAD_RATE, share: float = 1e-6
) -> int | None:
    """Steps until the height stays below `share` of what it was at the start; None if there are too few."""
    height = valley(degrees, kappa)(valley_path(method, degrees, kappa, rate))
    above = (height > share * height[0]).nonzero()
    last = int(above.max()) + 1
    return last if last < len(height) else None


def two_valleys() -> Figure:
    """The ravine along the axes and turned by 45 degrees, one above the other."""
    figure, panels = plotting.subplots(2, 1, size=(6.4, 7.0))
    for axes, degrees, title in zip(
        panels, (0.0, 45.0), ("Along the axes AdaGrad runs", "Turned by 45° it creeps"), strict=True
    ):
        _draw_valley(axes, degrees)
        plotting.finish(axes, title=title, x="θ₁", y="θ₂", names=False)
    return figure


def one_valley(degrees: float, kappa: float, rate: float) -> Figure:
    """Both methods in one ravine, to explore."""
    figure, axes = plotting.subplots(size=(6.4, 4.2))
    _draw_valley(axes, degrees, kappa, rate)
    plotting.finish(axes, title=f"Floor turned by {degrees:g}°", x="θ₁", y="θ₂", names=False)
    return figure


def _draw_valley(axes: Axes, degrees: float, kappa: float = KAPPA, rate: float = ADAGRAD_RATE) -> None:
    plotting.contours(axes, valley(degrees, kappa), ((-4.0, 1.6), (-3.6, 1.8)))
    for method, name, y in (("gd", "gradient descent", 0.93), ("adagrad", "AdaGrad", 0.86)):
        colour = plotting.colour(method)
        plotting.path(axes, valley_path(method, degrees, kappa, rate)[:41], label=f"_{name}", color=colour)
        steps = steps_down(method, degrees, kappa, rate)
        count = f"more than {RAVINE_STEPS:,}" if steps is None else f"{steps:,}"
        axes.text(0.02, y, f"{name}: {count} steps down", color=colour, transform=axes.transAxes)
    axes.plot(0, 0, marker="*", color=plotting.INK, markersize=10, label="_minimum")


def effective_rates(rates: Mapping[str, Tensor], theory: Mapping[str, Tensor]) -> Figure:
    """The step per unit of gradient against the step's number, under gradients of one kind.

    Args:
        rates: "AdaGrad" and "RMSprop" -> (S, T) rates. theory: the same -> (T,) what theory says of it.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.9))
    plotting.log_ticks(axes)
    for name, values in rates.items():
        count = values.shape[1]
        # before step 10 the mean of 1/|g| is not to be had
        shown = np.unique(np.geomspace(10, count, 22).astype(int))
        colour = RUNNERS[name]
        plotting.measured(axes, shown, values.mean(0)[shown - 1], label=f"_{name}", color=colour)
        dense = np.unique(np.geomspace(10, count, 120).astype(int))
        plotting.theory(axes, dense, theory[name][dense - 1], label="_theory")
        axes.text(count * 1.15, float(theory[name][-1]), name, color=colour, va="center")
    axes.set_xticks([10, 100, 1000], ["10", "100", "1000"])
    axes.set_yticks([1e-4, 1e-3, 1e-2], ["0.0001", "0.001", "0.01"])
    axes.set_xlim(8, values.shape[1] * 1.1)
    title = "AdaGrad slows down, RMSprop settles"
    plotting.finish(axes, title=title, x="step t", y="step per unit of gradient", names=False)
    return figure


def turned(angles: Sequence[float], shares: Mapping[float, ArrayLike], momentum: ArrayLike) -> Figure:
    """AdaGrad's steps as a share of gradient descent's against the angle of the valley.

    Args:
        angles: (A,), in degrees, > 0. shares: condition number -> (A, S) shares, of S starts, three at most.
        momentum: (S,), momentum's shares at condition 100, the same at every angle.
    """
    figure, axes = plotting.subplots(size=(6.4, 4.0))
    plotting.log_ticks(axes)
    colours = [plotting.SKY, plotting.colour("adagrad"), plotting.INK]
    for (kappa, values), colour in zip(shares.items(), colours, strict=False):
        y = np.asarray(values, float).mean(1)
        plotting.measured(axes, angles, y, label=f"_{kappa:g}", color=colour)
        axes.plot(angles, y, color=colour, linewidth=1.1, label="_line")
        axes.annotate(
            f"κ = {kappa:g}", (angles[0], y[0]), (-8, 0), textcoords="offset points",
            ha="right", va="center", color=colour,
        )  # fmt: skip
    axes.axhline(1, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.text(1, 1.1, "gradient descent", color=plotting.GREY)
    # from the second angle on: at the first one stand the names of the valleys
    across, level = [angles[1], 55], float(np.mean(np.asarray(momentum)))
    axes.plot(across, [level, level], color=colours[1], linewidth=1, linestyle=(0, (5, 3)), label="_momentum")
    axes.text(53, level / 1.1, "momentum, κ = 100", color=colours[1], ha="right", va="top")
    axes.set(xlim=(0.5, 55))
    axes.set_xticks(angles, [f"{angle:g}°" for angle in angles])
    axes.set_yticks([0.01, 0.03, 0.1, 0.3, 1, 3], ["0.01", "0.03", "0.1", "0.3", "1", "3"])
    axes.set_ylim(0.008, 3)
    title = "The more the valley is turned, the less AdaGrad gains"
    plotting.finish(
        axes, title=title, x="angle of the floor", y="AdaGrad's steps / gradient descent's", names=False
    )
    return figure


def every_rate(
    rates: Mapping[str, Sequence[float]], constant: Mapping[str, Tensor], falling: Mapping[str, Tensor]
) -> Figure:
    """The loss at every rate that was tried, one panel for constant rates and one for falling ones.

    Args:
        rates: name of `RUNNERS` -> (R,). constant, falling: name -> (R,) mean losses.
    """
    figure, panels = plotting.subplots(2, 1, size=(6.4, 7.0))
    titles = ("Constant rates: each method has a best one", "Rates that fall to zero: all end lower")
    places = (
        {"SGD": (0.012, 0.2), ONE_SUM: (0.05, 0.45)},
        {"SGD": (0.012, 0.45), ONE_SUM: (0.085, 0.45)},
    )
    for axes, losses, title, spots in zip(panels, (constant, falling), titles, places, strict=True):
        plotting.log_ticks(axes)
        for name, values in losses.items():
            x, y = np.asarray(rates[name], float), np.asarray(values, float)
            kept = np.isfinite(y) & (y < 1)
            axes.plot(
                x[kept], y[kept], "o-", color=RUNNERS[name], markersize=4.5, linewidth=1.2, label=f"_{name}"
            )
        for name, place in {"RMSprop": (0.0011, 0.08), **spots}.items():
            axes.text(*place, name, color=RUNNERS[name], ha="left", va="center")
        lowest, at = min(zip(losses["AdaGrad"].tolist(), rates["AdaGrad"], strict=True))
        axes.annotate(
            "AdaGrad",
            (at, lowest),
            (0, -13),
            textcoords="offset points",
            color=RUNNERS["AdaGrad"],
            ha="center",
        )
        axes.set(xlim=(0.001, 4), ylim=(0.0016, 1))
        axes.set_xticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
        axes.set_yticks([0.003, 0.01, 0.03, 0.1, 0.3, 1], ["0.003", "0.01", "0.03", "0.1", "0.3", "1"])
        plotting.finish(axes, title=title, x="rate η", y="loss above the noise", names=False)
    return figure


def trade(common: Mapping[str, Tensor], rare: Mapping[str, Tensor], best: Mapping[str, int]) -> Figure:
    """Error on rare features against error on common ones, along the rates of each runner.

    Args:
        common, rare: name of `RUNNERS` -> (R,) mean errors. best: name -> index of the rate of lowest loss.
    """
    figure, axes = plotting.subplots(size=(6.4, 4.4))
    plotting.log_ticks(axes)
    for name, values in rare.items():
        k = best[name]
        own = name in ("AdaGrad", "RMSprop")
        around = slice(max(k - (2 if own else 3), 0), k + 6)
        x, y = np.asarray(common[name], float), np.asarray(values, float)
        colour = RUNNERS[name]
        axes.plot(x[around], y[around], "o-", color=colour, markersize=4, linewidth=1.2, label=f"_{name}")
        axes.plot(
            x[k], y[k], "o", markersize=12, markerfacecolor="none", markeredgewidth=1.6, color=colour,
            label=f"_best {name}",
        )  # fmt: skip
        # where a name has room: at the last rate, or left or right of the first one
        at, side, shift = {"RMSprop": (-1, "left", 5), "SGD": (0, "left", 6)}.get(name, (0, "right", -6))
        axes.annotate(
            name,
            (x[around][at], y[around][at]),
            (shift, 3),
            textcoords="offset points",
            color=colour,
            ha=side,
        )
    axes.text(0.02, 0.04, "ring: the rate of lowest loss", color=plotting.GREY, transform=axes.transAxes)
    axes.set(xlim=(0.0135, 0.13), ylim=(0.06, 1.1))
    axes.set_xticks([0.02, 0.05, 0.1], ["0.02", "0.05", "0.1"])
    axes.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    title = "Near the rings, common features pay for rare ones"
    across, up = "error, eight commonest features", "error, eight rarest"
    plotting.finish(axes, title=title, x=across, y=up, names=False)
    return figure


def over_time(steps: Sequence[int], ratios: Mapping[str, Sequence[Interval]]) -> Figure:
    """Loss of one runner over another's against the length of the run.

    Args:
        steps: (T,). ratios: what is compared -> (T,) intervals, the one to look at first.
    """
    figure, axes = plotting.subplots(size=(6.4, 4.0))
    plotting.log_ticks(axes)
    colours = [plotting.VERMILION, plotting.colour("adagrad"), plotting.colour("rmsprop")]
    for (name, values), colour in zip(ratios.items(), colours, strict=True):
        _whiskers(axes, steps, values, colour)
        means = [one.mean for one in values]
        axes.plot(steps, means, "o-", color=colour, markersize=6, linewidth=1.2, label=name)
    axes.axhline(1, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.text(steps[0], 0.92, "below: SGD is ahead", color=plotting.GREY, va="top")
    axes.set(ylim=(0.5, 5), xlim=(steps[0] / 1.2, steps[-1] * 1.2))
    axes.set_xticks(steps, [f"{count:,}" for count in steps])
    axes.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    title = "Like against like, the lead stays"
    plotting.finish(axes, title=title, x="steps of the run", y="SGD's loss / the other's")
    return figure


def settings(ratios: Mapping[str, Interval], title: str) -> Figure:
    """How many times AdaGrad's loss SGD's is in each setting, as one row of dots.

    Args:
        ratios: setting -> interval of the ratio, in the order of the rows. title: the finding.
    """
    figure, axes = plotting.subplots(size=(6.4, 0.45 * len(ratios) + 1.3))
    plotting.log_ticks(axes, "x")
    rows = np.arange(len(ratios))[::-1]
    axes.axvline(1, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    for row, one in zip(rows, ratios.values(), strict=True):
        axes.plot(
            [one.low, one.high], [row, row], color=plotting.LIGHT, linewidth=5, zorder=1, label="_interval"
        )
        axes.plot(
            one.mean, row, "o", color=plotting.colour("adagrad"), markersize=7.5, zorder=2, label="_mean"
        )
        axes.annotate(
            f"{one.mean:.2f}", (max(one.high, 1), row), (9, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(rows, list(ratios))
    axes.set(xlim=(0.5, 8), ylim=(-0.6, len(ratios) - 0.4))
    axes.set_xticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
    plotting.finish(axes, title=title, x="SGD's loss / AdaGrad's", y="", names=False)
    return figure


def _whiskers(axes: Axes, x: Sequence[float], values: Sequence[Interval], colour: str) -> None:
    """Their intervals as thin lines."""
    for at, one in zip(x, values, strict=True):
        axes.plot([at, at], [one.low, one.high], color=colour, linewidth=1.2, alpha=0.6, label="_interval")


def rate_sweep(losses: Mapping[str, tuple[float, Tensor]]) -> Figure:
    """Validation loss against the step size, one line per method, each measured over seeds.

    Args:
        losses: method -> (lowest rate, losses (S, R) at rates that double).
    """
    figure, axes = plotting.subplots(size=(6.4, 3.8))
    plotting.log_ticks(axes, "x")
    names = {"sgd": "SGD", "adagrad": "AdaGrad", "rmsprop": "RMSprop"}
    for method, (lowest_rate, values) in losses.items():
        rates = lowest_rate * 2.0 ** np.arange(values.shape[1])
        colour = plotting.colour(method)
        plotting.band(axes, rates, values, label=f"_{method}", color=colour)
        x, y = rates, np.asarray(values, float).mean(0)
        below = intervals.band(values)[1]
        axes.plot(x, y, "o", color=colour, markersize=4, label="_points")
        k = int(np.nanargmin(y))
        axes.annotate(
            names[method], (x[k], below[k]), (0, -14), textcoords="offset points", color=colour, ha="center"
        )
    lowest = min(float(values.mean(0).min()) for _, values in losses.values())
    # a rate that diverges leaves at the top
    axes.set_ylim(0.55 * lowest, 2.5 * lowest)
    ticks = [0.003, 0.01, 0.03, 0.1, 0.3, 1]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    title = "On the digits each method has a good rate"
    plotting.finish(axes, title=title, x="step size η", y="validation loss", names=False)
    return figure


def step_against_gradient(eps: float = 1e-8) -> Figure:
    """The settled step in units of the rate against the gradient, with ε outside and inside the root."""
    figure, axes = plotting.subplots(size=(6.4, 3.6))
    g = np.geomspace(1e-12, 1, 200)
    plotting.log_ticks(axes)
    outside, inside = g / (g + eps), g / np.sqrt(g**2 + eps)
    axes.plot(g, outside, color=plotting.colour("rmsprop"), label="_outside")
    axes.plot(g, inside, color=plotting.VERMILION, label="_inside")
    axes.text(2.5e-9, 0.6, "√v + ε", color=plotting.colour("rmsprop"), ha="right", va="bottom")
    axes.text(2e-6, 3e-3, "√(v + ε)", color=plotting.VERMILION, ha="left")
    for at, name in ((eps, "ε"), (eps**0.5, "√ε")):
        axes.axvline(at, color=plotting.LIGHT, linewidth=1.0, zorder=0)
        axes.text(at, 1.6e-8, f" {name}", color=plotting.GREY)
    axes.set(xlim=(g[0], g[-1]), ylim=(1e-8, 3))
    title = "Inside the root the same ε stops far larger gradients"
    plotting.finish(axes, title=title, x="size of the gradient", y="step, in units of η", names=False)
    return figure
