"""The figures of lesson 01."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import data, intervals, plotting
from course_utils.linear_models import lines

COLOURS = {
    "MSE": plotting.VERMILION,
    "L1": plotting.BLUE,
    "Huber": plotting.GREEN,
    "Huber, δ = 10": plotting.ORANGE,
    "Cauchy": plotting.PURPLE,
    "cross-entropy": plotting.BLUE,
}


PRICES_AND_PULLS = (
    "Left, four losses of an error: the square rises fastest, then the absolute error, Huber's, and the "
    "Cauchy loss, which flattens. Right, their derivatives: a straight line, a step, a clipped line, and "
    "a curve that falls back towards zero."
)
MOVES = (
    "Movement of the fitted line against the size of one outlier, both axes logarithmic. The MSE line "
    "moves in proportion to it, with the thin line of theory on it. L1, Huber and Cauchy lines are level "
    "from an outlier of ten on."
)
SCATTER_BY_NOISE = (
    "Typical error of mean, median and Huber's constant with δ = 1, relative to the best of them, for three "
    "kinds of noise. Under Gaussian noise the mean is best and the median worst, under Laplace noise the "
    "median is best, under Cauchy noise the mean is far behind. Huber's constant with δ = 1 is near the "
    "best in all three; with δ = 10 it lies between median and mean under Cauchy noise."
)
SATURATION = (
    "Left, size of the slope against the logit of the right class: cross-entropy's rises to one on the "
    "wrong side, the squared error's falls back to zero. Right, steps needed from a certain and wrong start: "
    "a dozen or two against thousands, each along a thin line of theory."
)
BY_RATE = (
    "Validation accuracy against the learning rate in two panels, after 150 and after 600 steps. Each "
    "loss has its best rate inside the grid, the squared error's at a larger rate. After 150 steps its "
    "best lies below cross-entropy's, after 600 close to it."
)
ACCURACY_AND_CONFIDENCE = (
    "Accuracy and mean confidence of nets trained with four losses, each at its best rate. The accuracies"
    " lie close together. Confidence lies near accuracy for three of the losses, and far below it for "
    "label smoothing."
)
TEMPERATURES = (
    "Mean confidence minus accuracy against the learning rate, before and after a temperature is fitted. As "
    "trained, the net is not sure enough at the smallest rate and too sure at the largest. With the fitted "
    "temperature it lies a little below zero at each rate."
)
OUTLIER = (
    "Fifteen patients, one outlier high above them on the right, and four fitted lines. The MSE line is "
    "tilted towards the outlier; the L1, Huber and Cauchy lines still follow the patients."
)


def prices_and_pulls() -> Figure:
    """Four losses of an error, and their derivatives."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.0, 3.6))
    d = np.linspace(-4, 4, 401)
    clipped = np.clip(d, -1, 1)
    prices = {
        "MSE": d**2 / 2,
        "L1": np.abs(d),
        "Huber": clipped * (d - clipped / 2),
        "Cauchy": np.log1p(d**2),
    }
    pulls = {"MSE": d, "L1": np.sign(d), "Huber": clipped, "Cauchy": 2 * d / (1 + d**2)}
    for name in prices:
        color = COLOURS[name]
        left.plot(d, prices[name], color=color, label=name)
        right.plot(d, pulls[name], color=color, label=name)
    left.set(xlim=(-4, 4), ylim=(0, 4.2))
    right.set(xlim=(-4, 4), ylim=(-2.6, 2.6))
    plotting.finish(left, title="What an error costs", x="error d", y="loss")
    plotting.finish(right, title="How hard it pulls", x="error d", y="derivative of the loss")
    return figure


@functools.cache
def patients() -> tuple[Tensor, Tensor]:
    """Fifteen patients of the diabetes set: body-mass index and progression, both standardised."""
    table = data.diabetes()
    train = table.split(0, train=15, validation=1, dtype=torch.float64).train
    return train.x[:, table.features.index("bmi")], train.y


def four_lines(height: float, at: float, delta: float) -> dict[str, Tensor]:
    """The lines (2,) of four losses through the fifteen patients and one more point at (at, height)."""
    x, y = patients()
    x, y = torch.cat([x, x.new_tensor([at])]), torch.cat([y, y.new_tensor([height])])
    return {
        "MSE": lines.least_squares_line(x, y),
        "L1": lines.least_absolute_line(x, y),
        "Huber": lines.huber_line(x, y, delta=delta),
        "Cauchy": lines.cauchy_line(x, y, scale=delta),
    }


def outlier(height: float, at: float = 2.0, delta: float = 1.0) -> Figure:
    """Four lines through fifteen patients and one point that was moved."""
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    x, y = patients()
    axes.scatter(x, y, s=16, color=plotting.GREY, zorder=3)
    axes.scatter([at], [height], s=70, color=plotting.INK, marker="X", zorder=4)
    ends = np.array([-2.2, 2.6])
    for name, line in four_lines(height, at, delta).items():
        a, b = line.tolist()
        width = 3.4 if name == "L1" else 1.6  # the Huber line often lies on it
        axes.plot(ends, a + b * ends, color=COLOURS[name], linewidth=width, label=name)
    axes.set(xlim=(-2.2, 2.6), ylim=(-4, 13))
    title = f"One patient at {height:g}: which lines follow?"
    plotting.finish(
        axes,
        title=title,
        x="body-mass index, in standard deviations",
        y="progression, standardised",
    )
    return figure


def moves(sizes: Sequence[float], moved: Mapping[str, ArrayLike], mse_theory: ArrayLike) -> Figure:
    """How far each line moves when one target is raised by some size, with bands over draws of patients.

    Args: sizes: (K,). moved: name -> (S, K). mse_theory: (K,).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    plotting.log_ticks(axes)
    for name, values in moved.items():
        plotting.band(axes, sizes, np.asarray(values, float), label=name, color=COLOURS[name])
    axes.plot(sizes, np.asarray(mse_theory, float), color=plotting.INK, linewidth=0.8, label="_theory")
    axes.set_xticks(list(sizes), [f"{size:g}" for size in sizes])
    title = "MSE follows an outlier; the other lines stop"
    x, y = "the outlier's size, in standard deviations", "movement of the line, root mean square"
    plotting.finish(axes, title=title, x=x, y=y)
    return figure


def slopes(logit: ArrayLike) -> dict[str, Tensor]:
    """Size of the loss's slope at a logit whose label is 1, for cross-entropy and for MSE on the sigmoid."""
    p = torch.sigmoid(torch.as_tensor(logit, dtype=torch.float64))
    return {"cross-entropy": 1 - p, "MSE": 2 * (1 - p) ** 2 * p}


def steps_in_theory(starts: ArrayLike, *, lr: float) -> dict[str, Tensor]:
    """Gradient steps on one logit from -start to zero, its label being 1: the integral of 1 / slope over lr.

    cross-entropy    a + 1 - e**-a
    MSE              (e**a - 1 + 3 a + 3 (1 - e**-a) + (1 - e**(-2 a)) / 2) / 2
    """
    a = torch.as_tensor(starts, dtype=torch.float64)
    mse = (a.exp() - 1 + 3 * a + 3 * (1 - (-a).exp()) + (1 - (-2 * a).exp()) / 2) / 2
    return {"cross-entropy": (a + 1 - (-a).exp()) / lr, "MSE": mse / lr}


def saturation(starts: ArrayLike, steps: Mapping[str, ArrayLike], *, lr: float) -> Figure:
    """Left, the slope at a logit; right, what it takes to get from certain and wrong to undecided.

    Args: starts: (K,). steps: name -> (K,), as counted.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.0, 3.7))
    logit = np.linspace(-9, 4, 200)
    for name, slope in slopes(logit).items():
        left.plot(logit, slope, color=COLOURS[name], label="_slope")
    left.text(-8.8, 0.9, "cross-entropy", color=COLOURS["cross-entropy"])
    left.text(-8.8, 0.06, "MSE on the sigmoid", color=COLOURS["MSE"])
    left.set(xlim=(-9, 4), ylim=(0, 1.05))
    plotting.finish(
        left,
        title="Certain and wrong: MSE lets go",
        x="logit s of the right class",
        y="size of the slope",
        names=False,
    )
    plotting.log_ticks(right, "y")
    for name, count in steps.items():
        right.plot(starts, count, "o", color=COLOURS[name], markersize=5, label=name)
        dense = np.linspace(float(np.asarray(starts).min()), float(np.asarray(starts).max()), 100)
        right.plot(
            dense, steps_in_theory(dense, lr=lr)[name], color=COLOURS[name], linewidth=0.8, label="_theory"
        )
    title = "For MSE the way out is exponential"
    plotting.finish(right, title=title, x="a, for a start at s = −a", y="steps to s = 0")
    return figure


def typical_errors(groups: int, n: int, generator: torch.Generator) -> dict[str, dict[str, Tensor]]:
    """The typical (median) error of estimates of a constant from n numbers, truly zero.

    The mean, the median, Huber's constant with delta 1; for Cauchy noise also with delta 10.

    Returns: noise -> rule -> (groups,), each over 500 samples. Gaussian noise has deviation 1, Laplace noise
    scale 1, Cauchy noise half width 1.
    """
    shape = (groups, 500, n)
    u = torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5
    noises = {
        "Gauss": torch.randn(shape, generator=generator, dtype=torch.float64),
        "Laplace": -u.sign() * (1 - 2 * u.abs()).log(),
        "Cauchy": torch.tan(torch.pi * u),
    }
    estimates = {
        name: {
            "MSE": noise.mean(-1),
            "L1": noise.median(-1).values,
            "Huber": lines.huber_mean(noise),
        }
        for name, noise in noises.items()
    }
    estimates["Cauchy"]["Huber, δ = 10"] = lines.huber_mean(noises["Cauchy"], delta=10.0)
    return {
        name: {rule: values.abs().median(-1).values for rule, values in rules.items()}
        for name, rules in estimates.items()
    }


def scatter_by_noise(spread: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """The typical error of each rule over that of the best rule, a group of dots for each kind of noise.

    Args: spread: noise -> rule -> (G,), the typical error in each group of samples.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.4))
    plotting.log_ticks(axes, "y")
    for place, rules in enumerate(spread.values()):
        best = min(float(np.asarray(values, float).mean()) for values in rules.values())
        for k, (name, values) in enumerate(rules.items()):
            one = intervals.mean_interval(np.asarray(values, float) / best)
            at, color = place + 0.2 * (k - 1.5), COLOURS[name]
            axes.plot([at, at], [one.low, one.high], color=color, linewidth=7, alpha=0.4, label="_interval")
            axes.plot(at, one.mean, "o", color=color, markersize=4, label="_mean")
            if place == len(spread) - 1:
                axes.annotate(
                    name, (at, one.mean), (0, 9), textcoords="offset points", ha="center", color=color
                )
    axes.axhline(1, color=plotting.INK, linewidth=0.8)
    axes.set_xticks(
        range(len(spread)), [f"{'Gaussian' if name == 'Gauss' else name} noise" for name in spread]
    )
    axes.set(xlim=(-0.6, len(spread) - 0.4), ylim=(0.85, 20))
    axes.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.minorticks_off()
    plotting.finish(
        axes, title="Mean or median? The noise decides", x="", y="typical error / the best", names=False
    )
    return figure


def by_rate(rates: Sequence[float], runs: Mapping[str, ArrayLike], *, steps: Mapping[int, int]) -> Figure:
    """Validation accuracy against the learning rate, a panel for each number of steps.

    Args: rates: (R,). runs: loss -> (R, S, K). steps: number of steps -> index of its measurement.
    """
    figure, axes = plotting.subplots(1, len(steps), size=(8.6, 3.5), sharey=True, squeeze=False)
    for panel, (count, k) in zip(axes[0], steps.items(), strict=True):
        for name, values in runs.items():
            plotting.band(panel, rates, np.asarray(values, float)[..., k].T, label=name, color=COLOURS[name])
        panel.set_xscale("log")
        panel.set_xticks(rates, [f"{rate:g}" for rate in rates])
        panel.minorticks_off()
        panel.set_ylim(0, 1)
        label = "validation accuracy" if panel is axes[0, 0] else ""
        plotting.finish(panel, title=f"After {count} steps", x="learning rate", y=label)
    return figure


def temperatures(rates: Sequence[float], raw: Sequence[ArrayLike], fitted: Sequence[ArrayLike]) -> Figure:
    """Confidence minus accuracy against the learning rate, with T = 1 and with T fitted, in points.

    Args: rates: (R,). raw, fitted: (S,) for each rate.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.2))
    for name, values, color in (
        ("as trained", raw, plotting.ORANGE),
        ("with T fitted", fitted, plotting.BLUE),
    ):
        points = 100 * np.stack([np.asarray(of_rate, float) for of_rate in values], 1)
        plotting.band(axes, rates, points, label=name, color=color)
    axes.axhline(0, color=plotting.INK, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    label = "confidence less accuracy, in points"
    plotting.finish(axes, title="With T fitted it is near zero, at each rate", x="learning rate", y=label)
    return figure


def accuracy_and_confidence(runs: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """For each loss, the share that a net gets right and the probability it gives its own choice.

    Args: runs: name -> (accuracy (S,), mean confidence (S,)).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.2))
    for row, (right, sure) in enumerate(reversed(list(runs.values()))):
        a, c = intervals.mean_interval(right), intervals.mean_interval(sure)
        axes.plot([a.mean, c.mean], [row, row], color=plotting.LIGHT, linewidth=3, zorder=1)
        for interval, color in ((a, plotting.BLUE), (c, plotting.ORANGE)):
            axes.plot([interval.low, interval.high], [row, row], color=color, linewidth=5, alpha=0.4)
            axes.plot(interval.mean, row, marker="o", color=color)
    axes.set_yticks(range(len(runs)), list(reversed(list(runs))))
    axes.set_xlim(0.8, 1.0)
    axes.set_ylim(-0.5, len(runs) - 0.25)
    axes.text(0.805, len(runs) - 0.55, "accuracy", color=plotting.BLUE)
    axes.text(0.835, len(runs) - 0.55, "confidence", color=plotting.ORANGE)
    title = "Nearly the same accuracy, a different confidence"
    plotting.finish(axes, title=title, x="share, mean over seeds", y="", names=False)
    return figure
