"""The figures of lesson 16."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.averaging import ewma
from course_utils.intervals import Interval, mean_interval
from course_utils.theory import early_stopping as theory

STOP, RIDGE, LIVE, EMA = (
    plotting.colour("early stopping"),
    plotting.BLUE,
    plotting.colour("plain"),
    plotting.colour("ema"),
)
SWA, COSINE, BOTH = plotting.GREEN, plotting.BLUE, plotting.VERMILION
COLOURS = {
    "last weights": LIVE,
    "best step": STOP,
    "EMA": EMA,
    "SWA": SWA,
    "cosine": COSINE,
    "EMA, best step": BOTH,
    "lower rate": plotting.INK,
}
RATE = 0.25
CURVATURES = torch.tensor([1.0, 0.05], dtype=torch.float64)  # of the loss in the plane
TARGET = torch.tensor([1.0, 2.0], dtype=torch.float64)  # its minimum
DASHES = (0, (5, 3))

# What each figure shows, in words.
FITS = (
    "Four panels with the same noisy points of a sine and the fitted curve after more and more steps: at "
    "first nearly flat, then close to the sine, then bent towards single points, at last wild between them."
)
ONE_FIT = "The fitted curve after a hundred steps lies close to the dashed sine, near most of the points."
HOVER = (
    "A jagged grey path runs from a corner to the minimum of a bowl and hovers around it; its average is a "
    "smooth line that ends close to the minimum."
)
BY_RATE = (
    "Accuracy against the learning rate, from below the tuned rate to far above it. That of the last "
    "weights falls steeply above the tuned rate. Best step, EMA, SWA and a cosine decay fall less, and an "
    "EMA kept at its best step stays nearly level. Near the tuned rate all of them lie close together."
)
GAINS = (
    "Accuracy gained, in points, by each remedy. Left, added at the large rate: every remedy gains "
    "several points, and a lower rate alone gains as much as most. Right, each at its own best rate against "
    "the tuned rate alone: what is left lies near zero."
)
WAITING = (
    "Above, accuracy on fresh images against patience: lowest at a patience of one, nearly level from about "
    "five on. Below, against the number of images that choose the step: what they say themselves starts well "
    "above the accuracy on fresh images and comes down towards it."
)
SOUPS = (
    "Accuracy of single nets, of their mean weights and of their mean predictions, for nets with other "
    "starts and for nets from one start. With other starts the mean weights are far below, unless the units "
    "are matched first; from one start they are as good as the mean predictions."
)
SHORT = (
    "Accuracy against the learning rate in a run of few steps. EMA and SWA reach several points more, at "
    "a higher rate, than the last weights do at any of these rates. A cosine decay comes in between."
)
SHRINK = (
    "Left, share of the way against curvature: stopping after 20 steps and ridge agree for flat directions, "
    "and stopping is ahead for steep ones. Right, both paths run along the steep weight first and then up "
    "the flat one; ridge cuts the corner."
)


# Stopping, in data space and beside ridge


def fits(steps: Sequence[int] = (10, 100, 10_000, 1_000_000)) -> Figure:
    """The curve through 20 noisy points of a sine, after so many steps of gradient descent: four panels."""
    figure, panels = plotting.subplots(2, 2, size=(7.0, 5.4), sharex=True, sharey=True)
    for axes, count in zip(panels.flat, steps, strict=True):
        fit(axes, count)
    for axes in panels[1]:
        axes.set_xlabel("x")
    for axes in panels[:, 0]:
        axes.set_ylabel("y")
    return figure


def fit_after(decades: float) -> Figure:
    """One panel of it, large, after 10**decades steps."""
    figure, axes = plotting.subplots(size=(6.0, 3.8))
    fit(axes, round(10**decades))
    axes.set(xlabel="x", ylabel="y")
    return figure


def fit(axes: Axes, steps: int) -> None:
    grid = torch.linspace(-1, 1, 201, dtype=torch.float64)
    curve, train, new = theory.stopped_fit(steps, grid)
    x, y = theory.noisy_sine()
    axes.plot(grid, curve, color=STOP, linewidth=2.4, label="_fit")
    axes.plot(x, y, "o", color=plotting.INK, markersize=4, label="_points")
    plotting.theory(axes, grid, torch.sin(3 * grid), label="_sine")
    axes.set(ylim=(-2.2, 2.2), xlim=(-1.02, 1.02))
    axes.text(0.03, 0.95, f"error on points {train:.2g}\nto the sine {new:.2g}", transform=axes.transAxes,
              va="top", color=plotting.INK, fontsize=9)  # fmt: skip
    plotting.finish(axes, title=f"after {steps:,} steps", x="", y="", names=False)


@functools.cache
def ways() -> tuple[Tensor, Tensor]:
    """All points (P, 2) that stopping and ridge can end at, from zero to the minimum."""
    t = torch.logspace(-1.3, 3.3, 160, dtype=torch.float64)[:, None]
    l2 = torch.logspace(3, -5, 160, dtype=torch.float64)[:, None]
    stopped = TARGET * theory.stopped_share(CURVATURES, t, lr=RATE)
    return stopped, TARGET * theory.ridge_share(CURVATURES, l2)


def stop_and_shrink(steps: float, match: float = 1.0) -> Figure:
    """Stopping after `steps` beside ridge with l2 = 1 / (2 match lr steps), by curvature and in the plane."""
    figure, (left, right) = plotting.subplots(1, 2, size=(8.6, 3.6), width_ratios=(1.2, 1))
    l2 = 1 / (2 * match * RATE * steps)
    h = torch.logspace(-5, 0, 200, dtype=torch.float64)
    left.set_xscale("log")
    left.plot(h, theory.stopped_share(h, steps, lr=RATE), color=STOP, label="_stopped")
    left.plot(h, theory.ridge_share(h, l2), color=RIDGE, label="_ridge")
    left.set(ylim=(-0.03, 1.06), xlim=(1e-5, 1))
    left.set_xticks([1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1], ["10⁻⁵", "10⁻⁴", "10⁻³", "0.01", "0.1", "1"])
    left.minorticks_off()
    left.text(0.03, 0.9, f"stopped, t = {steps:g}", color=STOP, transform=left.transAxes)
    left.text(0.03, 0.82, f"ridge, λ₂ = {l2:.3g}", color=RIDGE, transform=left.transAxes)
    plotting.finish(
        left, title="The flat directions are held back", x="curvature h", y="share of the way", names=False
    )
    grid = np.linspace(-0.15, 1.4, 60), np.linspace(-0.3, 2.4, 60)
    a, b = np.meshgrid(*grid)
    height = CURVATURES[0].item() * (a - 1) ** 2 + CURVATURES[1].item() * (b - 2) ** 2
    right.contour(*grid, height, levels=[0.01, 0.04, 0.1, 0.2, 0.4, 0.8], colors=plotting.LIGHT, zorder=0)
    points = {
        STOP: TARGET * theory.stopped_share(CURVATURES, steps, lr=RATE),
        RIDGE: TARGET * theory.ridge_share(CURVATURES, l2),
    }
    for color, way in zip((STOP, RIDGE), ways(), strict=True):
        right.plot(*way.T.numpy(), color=color, linewidth=1.3, label="_way")
        right.plot(*points[color].tolist(), marker="o", markersize=8, color=color, label="_now")
    right.set_xticks([0, 0.5, 1])
    right.set_yticks([0, 1, 2])
    right.plot(*TARGET.tolist(), marker="*", markersize=11, color=plotting.INK, label="_minimum")
    plotting.finish(
        right, title="Two ways from zero to the minimum", x="θ₁ (steep)", y="θ₂ (flat)", names=False
    )
    return figure


# Averaging


def noisy_path(steps: int = 160, lr: float = 0.5, beta: float = 0.95) -> tuple[Tensor, Tensor]:
    """Noisy gradient descent in a bowl, from a corner, and the average of its points: (steps + 1, 2) each."""
    generator = torch.Generator().manual_seed(2)
    p, points = torch.tensor([-3.0, 2.2], dtype=torch.float64), []
    curvature = torch.tensor([0.5, 1.0], dtype=torch.float64)
    for _ in range(steps + 1):
        points.append(p)
        p = p - lr * (curvature * p + torch.randn(2, generator=generator, dtype=torch.float64))
    path = torch.stack(points)
    return path, ewma(path, beta, start="first")


def hover() -> Figure:
    """A path of noisy gradients in the plane, and its average."""
    figure, axes = plotting.subplots(size=(5.6, 3.8))
    path, mean = noisy_path()
    for points, color, name in ((path, LIVE, "weights"), (mean, EMA, "their average")):
        wide = 0.8 if color == LIVE else 1.8
        axes.plot(*points.T.numpy(), color=color, linewidth=wide, label=f"_{name}")
        axes.plot(*points[-1].tolist(), marker="o", markersize=7, color=color, label="_last")
        axes.text(0.97, 0.95 if color == LIVE else 0.87, name, ha="right", va="top", color=color,
                  transform=axes.transAxes)  # fmt: skip
    axes.plot(0, 0, marker="*", markersize=12, color=plotting.INK, label="_minimum", zorder=6)
    plotting.finish(axes, title="The weights hover; their average stays nearer", x="θ₁", y="θ₂", names=False)
    return figure


# Nets


def by_rate(
    lrs: Sequence[float],
    curves: Mapping[str, ArrayLike],
    *,
    title: str,
    mark: float | None = None,
    height: float = 15,
) -> Figure:
    """Accuracy against the learning rate, one curve a remedy.

    Args:
        curves: names of `COLOURS` -> (S, R) accuracies in [0, 1]. mark: the rate of a dashed line.
        height: points below the best that are drawn; a rate at which a curve lies lower is left out.
    """
    figure, axes = plotting.subplots(size=(7.0, 4.4))
    plotting.log_ticks(axes, "x")
    scores = {name: 100 * np.asarray(values, float) for name, values in curves.items()}
    best = max(float(values.mean(0).max()) for values in scores.values())
    # a rate at which some nets learn little would press the rest together
    lowest = np.min([values.mean(0) for values in scores.values()], axis=0)
    shown = lowest >= min(best - height, float(lowest.max()))
    rates = np.asarray(lrs)[shown]
    for name, values in scores.items():
        # bands of all would hide one another
        if name in ("last weights", "EMA, best step"):
            plotting.band(axes, rates, values[:, shown], label=name, color=COLOURS[name])
        else:
            mean = values[:, shown].mean(0)
            axes.plot(rates, mean, "o-", markersize=4, color=COLOURS[name], label=name)
    axes.set_ylim(max(best - height, 0), best + 2)
    axes.set_xticks(rates, [f"{lr:g}" for lr in rates])
    # the outermost dots are whole, and a single rate has some width
    axes.set_xlim(rates[0] / 1.03, rates[-1] * 1.03)
    if mark is not None:
        axes.axvline(mark, color=plotting.INK, linewidth=1.1, linestyle=DASHES, label="_mark")
        axes.text(mark, best - 0.97 * height, " the tuned rate", color=plotting.INK, clip_on=True)
    plotting.finish(axes, title=title, x="learning rate", y="accuracy on fresh images (%)", names=False)
    plotting.label_lines(axes, gap=0.075)
    return figure


def gains(columns: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """Accuracy gained by each remedy, in points: one panel for each title.

    Args: columns: title -> names of `COLOURS` -> gain.
    """
    names = list(dict.fromkeys(name for of in columns.values() for name in of))
    figure, panels = plotting.subplots(1, len(columns), size=(8.2, 3.4), sharex=True, sharey=True)
    for axes, (title, of) in zip(panels, columns.items(), strict=True):
        for name, gain in of.items():
            place, color = names.index(name), COLOURS[name]
            axes.plot([100 * gain.low, 100 * gain.high], [place, place], color=color, linewidth=5, alpha=0.35)
            axes.plot(100 * gain.mean, place, marker="o", color=color, label=f"_{name}")
        axes.axvline(0, color=plotting.INK, linewidth=1.1, linestyle=DASHES, zorder=0)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        plotting.finish(axes, title=title, x="accuracy gained (points)", y="", names=False)
    return figure


def patience_and_size(
    patience: Sequence[int],
    waited: ArrayLike,
    sizes: Sequence[int],
    claimed: ArrayLike,
    judged: ArrayLike,
) -> Figure:
    """What impatience and few validation images cost, in accuracy on fresh images.

    Args: waited: (S, patience). claimed, judged: (S, sizes), on the images of the choice and on fresh ones.
    """
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 6.6), sharey=True)
    figure.set_layout_engine("constrained", hspace=0.06)  # a title stands clear of the label above it
    plotting.band(above, patience, 100 * np.asarray(waited, float), label="_judged", color=STOP)
    above.set_xticks(list(patience))
    title = "Too little patience stops at a wobble"
    plotting.finish(above, title=title, x="patience (epochs without fewer errors)", y="accuracy (%)")
    plotting.log_ticks(below, "x")
    rows = (("on these images", claimed, LIVE), ("on fresh images", judged, STOP))
    for label, values, color in rows:
        plotting.band(below, sizes, 100 * np.asarray(values, float), label=label, color=color)
    below.set_xticks(list(sizes), [str(n) for n in sizes])
    below.minorticks_off()
    title = "Few validation images flatter their choice"
    plotting.finish(below, title=title, x="images that choose the step, by accuracy", y="accuracy (%)")
    return figure


def soups(panels: Mapping[str, Sequence[Mapping[str, ArrayLike]]], starts: Sequence[str]) -> Figure:
    """Accuracy of nets, of their mean weights and of their mean predictions, by where the nets began.

    Args:
        panels: title -> for each of `starts` what `seeds.branches.soups` returns: names -> (S,) in [0, 1].
    """
    hues = {
        "one net": LIVE, "mean predictions": plotting.ORANGE,
        "mean weights": EMA, "units matched": plotting.BLUE,
    }  # fmt: skip
    figure, both = plotting.subplots(1, len(panels), size=(8.2, 3.8), sharey=True)
    for axes, (title, pots) in zip(both, panels.items(), strict=True):
        for k, (name, color) in enumerate(hues.items()):
            found = [mean_interval(100 * np.asarray(pot[name], float)) for pot in pots]
            x = np.arange(len(starts)) + 0.16 * (k - 1.5)
            axes.vlines(x, [f.low for f in found], [f.high for f in found], color=color, lw=5, alpha=0.35)
            axes.plot(x, [f.mean for f in found], "o", color=color, label=f"_{name}")
            if axes is both[0]:
                axes.text(0.97, 0.08 + 0.09 * k, name, color=color, ha="right", transform=axes.transAxes)
        axes.set_xticks(range(len(starts)), starts)
        axes.set_xlim(-0.5, len(starts) - 0.5)
        plotting.finish(axes, title=title, x="", y="accuracy (%)" if axes is both[0] else "", names=False)
    return figure
