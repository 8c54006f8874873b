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
    "Cauchy": plotting.PURPLE,
    "cross-entropy": plotting.BLUE,
}


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
    for name, color in list(COLOURS.items())[:4]:
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
    plotting.theory(axes, sizes, mse_theory, label="_theory")
    axes.set_xticks(list(sizes), [f"{size:g}" for size in sizes])
    title = "MSE follows an outlier; the other lines stop"
    x, y = "the outlier's size, in standard deviations", "movement of the line, root mean square"
    plotting.finish(axes, title=title, x=x, y=y)
    return figure


def slopes(logit: ArrayLike) -> dict[str, Tensor]:
    """Size of the loss's slope at a logit whose label is 1, for cross-entropy and for MSE on the sigmoid."""
    p = torch.sigmoid(torch.as_tensor(logit, dtype=torch.float64))
    return {"cross-entropy": 1 - p, "MSE": 2 * (1 - p) ** 2 * p}


def steps_to_right(starts: ArrayLike, *, lr: float) -> dict[str, Tensor]:
    """Gradient steps on one logit from -start to zero or above, its label being 1.

    Args: starts: (K,), > 0. lr: step size.
    """
    first = -torch.as_tensor(starts, dtype=torch.float64)
    steps = {}
    for name in ("cross-entropy", "MSE"):
        logit, count = first.clone(), torch.zeros_like(first)
        while (wrong := logit < 0).any():
            logit = torch.where(wrong, logit + lr * slopes(logit)[name], logit)
            count += wrong
        steps[name] = count
    return steps


def steps_in_theory(starts: ArrayLike, *, lr: float) -> dict[str, Tensor]:
    """The same in the limit of small steps, from the integral of 1 / slope.

    cross-entropy    a + 1 - e**-a
    MSE              (e**a - 1 + 3 a + 3 (1 - e**-a) + (1 - e**(-2 a)) / 2) / 2
    """
    a = torch.as_tensor(starts, dtype=torch.float64)
    mse = (a.exp() - 1 + 3 * a + 3 * (1 - (-a).exp()) + (1 - (-2 * a).exp()) / 2) / 2
    return {"cross-entropy": (a + 1 - (-a).exp()) / lr, "MSE": mse / lr}


def saturation(starts: ArrayLike, steps: Mapping[str, ArrayLike], *, lr: float) -> Figure:
    """Left, the slope at a logit; right, what it takes to get from certain and wrong to undecided.

    Args: starts: (K,). steps: name -> (K,), as `steps_to_right` counts them.
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
        x="logit of the right class",
        y="slope",
        names=False,
    )
    plotting.log_ticks(right, "y")
    for name, count in steps.items():
        right.plot(starts, count, color=COLOURS[name], marker="o", markersize=4, label=name)
        dense = np.linspace(float(np.asarray(starts).min()), float(np.asarray(starts).max()), 100)
        plotting.theory(right, dense, steps_in_theory(dense, lr=lr)[name], label="_theory")
    plotting.finish(right, title="For MSE the way out is exponential", x="start at logit −a", y="steps to 0")
    return figure


def race(steps: Sequence[int], rates: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Validation accuracy against steps, one panel per step size.

    Args: steps: (K,). rates: title -> loss -> (S, K).
    """
    figure, panels = plotting.subplots(1, len(rates), size=(9.0, 3.6), sharey=True)
    for axes, (title, runs) in zip(panels, rates.items(), strict=True):
        for name, values in runs.items():
            plotting.band(axes, steps, np.asarray(values, float), label=name, color=COLOURS[name])
        axes.set_ylim(0, 1)
        plotting.finish(axes, title=title, x="step", y="validation accuracy" if axes is panels[0] else "")
    return figure


def accuracy_and_confidence(runs: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """For each loss, the share that a net gets right and the probability it gives its own choice.

    Args: runs: name -> (accuracy (S,), mean confidence (S,)).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.2))
    for row, (right, sure) in enumerate(reversed(list(runs.values()))):
        a, c = intervals.mean_interval(right), intervals.mean_interval(sure)
        axes.plot([a.mean, c.mean], [row, row], color=plotting.LIGHT, linewidth=3, zorder=1)
        for found, color in ((a, plotting.BLUE), (c, plotting.ORANGE)):
            axes.plot([found.low, found.high], [row, row], color=color, linewidth=5, alpha=0.4)
            axes.plot(found.mean, row, marker="o", color=color)
    axes.set_yticks(range(len(runs)), list(reversed(list(runs))))
    axes.set_xlim(0.8, 1.0)
    axes.set_ylim(-0.5, len(runs) - 0.25)
    axes.text(0.805, len(runs) - 0.55, "accuracy", color=plotting.BLUE)
    axes.text(0.835, len(runs) - 0.55, "confidence", color=plotting.ORANGE)
    title = "Nearly the same accuracy, a different confidence"
    plotting.finish(axes, title=title, x="share, mean over seeds", y="", names=False)
    return figure
