"""The figures of lesson 16."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.averaging import ewma
from course_utils.intervals import Interval

STOP, RIDGE, LIVE, EMA = (
    plotting.colour("early stopping"),
    plotting.BLUE,
    plotting.colour("plain"),
    plotting.colour("ema"),
)
SWA, COSINE = plotting.GREEN, plotting.BLUE
RATE = 0.25
CURVATURES = torch.tensor([1.0, 0.05], dtype=torch.float64)  # of the loss in the plane
TARGET = torch.tensor([1.0, 2.0], dtype=torch.float64)  # its minimum
DASHES = (0, (5, 3))


# How far stopping and ridge get


def stopped_share(h: Tensor, steps: Tensor | float, lr: float = RATE) -> Tensor:
    """1 - (1 - 2 lr h)**steps: the share of the way that gradient descent has gone, entrywise."""
    share: Tensor = 1 - (1 - 2 * lr * h) ** steps
    return share


def ridge_share(h: Tensor, l2: Tensor | float) -> Tensor:
    """h / (h + l2): the share of the way at which ridge stays, entrywise."""
    share: Tensor = h / (h + l2)
    return share


@functools.cache
def ways() -> tuple[Tensor, Tensor]:
    """All points (P, 2) that stopping and ridge can end at, from zero to the minimum."""
    t = torch.logspace(-1.3, 3.3, 160, dtype=torch.float64)[:, None]
    l2 = torch.logspace(3, -5, 160, dtype=torch.float64)[:, None]
    return TARGET * stopped_share(CURVATURES, t), TARGET * ridge_share(CURVATURES, l2)


def stop_and_shrink(steps: float, match: float = 1.0) -> Figure:
    """Stopping after `steps` beside ridge with l2 = 1 / (2 match lr steps), by curvature and in the plane."""
    figure, (left, right) = plotting.subplots(1, 2, size=(8.6, 3.6), width_ratios=(1.2, 1))
    l2 = 1 / (2 * match * RATE * steps)
    h = torch.logspace(-5, 0, 200, dtype=torch.float64)
    left.set_xscale("log")
    left.plot(h, stopped_share(h, steps), color=STOP, label="_stopped")
    left.plot(h, ridge_share(h, l2), color=RIDGE, label="_ridge")
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
        STOP: TARGET * stopped_share(CURVATURES, steps),
        RIDGE: TARGET * ridge_share(CURVATURES, l2),
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


# The idea


def noisy_fit(examples: int = 40, features: int = 30, seed: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Steps (T,), and the training and validation errors (T,) of gradient descent on a noisy regression."""
    generator = torch.Generator().manual_seed(seed)
    randn = functools.partial(torch.randn, generator=generator, dtype=torch.float64)
    scale = torch.logspace(0, -2, features, dtype=torch.float64).sqrt()
    x, new = randn(examples, features) * scale, randn(500, features) * scale
    truth = randn(features)
    y, new_y = x @ truth + randn(examples), new @ truth + randn(500)
    h, vectors = torch.linalg.eigh(x.T @ x / examples)
    pull = vectors.T @ (x.T @ y / examples)
    steps = torch.logspace(0, 4, 81, dtype=torch.float64).round().unique()
    share = stopped_share(h, steps[:, None], float(1 / (2 * h[-1])))
    p = (share * pull / h) @ vectors.T  # (T, features)
    return steps, ((x @ p.T - y[:, None]) ** 2).mean(0), ((new @ p.T - new_y[:, None]) ** 2).mean(0)


def noisy_path(steps: int = 160, lr: float = 0.5, beta: float = 0.95) -> tuple[Tensor, Tensor]:
    """Noisy gradient descent in a bowl, from a corner, and the average of its points: (steps + 1, 2) each."""
    generator = torch.Generator().manual_seed(1)
    p, points = torch.tensor([-3.0, 2.2], dtype=torch.float64), []
    curvature = torch.tensor([0.5, 1.0], dtype=torch.float64)
    for _ in range(steps + 1):
        points.append(p)
        p = p - lr * (curvature * p + torch.randn(2, generator=generator, dtype=torch.float64))
    path = torch.stack(points)
    return path, ewma(path, beta, start="first")


def idea() -> Figure:
    """Left, what stopping is for; right, what averaging is for."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.8))
    steps, train, new = noisy_fit()
    left.set_xscale("log")
    left.plot(steps, train, color=LIVE, label="training")
    left.plot(steps, new, color=STOP, label="new examples")
    best = int(new.argmin())
    left.plot(steps[best], new[best], marker="o", markersize=8, color=STOP, label="_best")
    left.set_ylim(0, 1.1 * float(new.max()))
    plotting.finish(left, title="Stop before the noise is learnt", x="steps", y="mean squared error")
    path, mean = noisy_path()
    for points, color, name in ((path, LIVE, "live weights"), (mean, EMA, "their average")):
        wide = 0.8 if color == LIVE else 1.8
        right.plot(*points.T.numpy(), color=color, linewidth=wide, label=f"_{name}")
        right.plot(*points[-1].tolist(), marker="o", markersize=7, color=color, label="_last")
        right.text(0.97, 0.95 if color == LIVE else 0.87, name, ha="right", va="top", color=color,
                   transform=right.transAxes)  # fmt: skip
    right.plot(0, 0, marker="*", markersize=12, color=plotting.INK, label="_minimum", zorder=6)
    plotting.finish(right, title="Average when the weights only hover", x="θ₁", y="θ₂", names=False)
    return figure


# Nets


def rise_and_fall(steps: Sequence[int], noisy: ArrayLike, clean: ArrayLike, chosen: float) -> Figure:
    """Accuracy on fresh images as training goes on. Args: noisy, clean: (S, K). chosen: mean chosen step."""
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    for label, values, color in (("clean labels", clean, LIVE), ("20% wrong labels", noisy, STOP)):
        plotting.band(axes, steps, 100 * np.asarray(values, float), label=label, color=color)
    axes.set_ylim(75, 100)
    axes.axvline(chosen, color=plotting.INK, linewidth=1.1, linestyle=DASHES, label="_chosen")
    axes.text(chosen, 76, " where validation\n loss stops, on average", color=plotting.INK, va="bottom")
    title = "With wrong labels the net gets worse after its best step"
    plotting.finish(axes, title=title, x="steps", y="accuracy on fresh images (%)")
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
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.8), sharey=True)
    plotting.band(left, patience, 100 * np.asarray(waited, float), label="_judged", color=STOP)
    left.set_xticks(list(patience))
    y = "accuracy (%)"
    plotting.finish(left, title="Too little patience stops at a wobble", x="patience (10 steps each)", y=y)
    plotting.log_ticks(right, "x")
    rows = (("says the choice", claimed, LIVE), ("on fresh images", judged, STOP))
    for label, values, color in rows:
        plotting.band(right, sizes, 100 * np.asarray(values, float), label=label, color=color)
    right.set_xticks(list(sizes), [str(n) for n in sizes])
    right.minorticks_off()
    title = "Few validation images flatter themselves"
    plotting.finish(right, title=title, x="images that choose the step", y="")
    return figure


def variance_against_memory(
    betas: ArrayLike, measured: Mapping[float, ArrayLike], theory: Mapping[float, ArrayLike]
) -> Figure:
    """Variance of the averaged weights at rest, for several rates. Args: measured: rate -> (S, B)."""
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    memory = 1 / (1 - np.asarray(betas, float))
    plotting.log_ticks(axes)
    for (rate, values), color in zip(measured.items(), (plotting.SKY, EMA, plotting.VERMILION), strict=True):
        plotting.band(axes, memory, values, label=f"η = {rate:g}", color=color)
        plotting.theory(axes, memory, np.asarray(theory[rate]), label="_theory")
        first = float(np.asarray(values, float)[:, 0].mean())
        axes.annotate(f"η = {rate:g}", (memory[0], first), xytext=(6, 5), textcoords="offset points",
                      color=color)  # fmt: skip
    axes.set_xticks(memory, [f"{m:.3g}" for m in memory])
    title = "With a long memory the length of the steps does not matter"
    x = "memory of the average 1 / (1 − β), in steps"
    plotting.finish(axes, title=title, x=x, y="variance of the average", names=False)
    return figure


def with_and_without(steps: Mapping[str, Sequence[int]], noisy: Any, few: Any) -> Figure:
    """Accuracy over steps of live and averaged weights, in two worlds.

    Args:
        steps: (world, name) joined by "/" -> steps (K,).
        noisy, few: name -> (S, K); noisy has a "cosine" as well.
    """
    figure, both = plotting.subplots(1, 2, size=(9.6, 3.9))
    names = {"live": ("live", LIVE), "ema": ("EMA", EMA), "swa": ("SWA", SWA), "cosine": ("cosine", COSINE)}
    titles = ("Wrong labels: averages fall later", "Clean, batches of 8: averages end ahead")
    for axes, world, curves, title in zip(both, ("noisy", "few"), (noisy, few), titles, strict=True):
        for name, values in curves.items():
            label, color = names[name]
            at = steps[f"{world}/{name}"]
            plotting.band(axes, at, 100 * np.asarray(values, float), label=label, color=color)
        axes.set_ylim(80, 97)
        plotting.finish(axes, title=title, x="steps", y="accuracy on fresh images (%)")
    both[1].set_ylabel("")
    return figure


def worth(rows: Mapping[str, Mapping[str, Interval]]) -> Figure:
    """What each technique adds to the last live weights, in points. Args: rows: world -> name -> gain."""
    count = sum(len(of) for of in rows.values()) + len(rows)
    figure, axes = plotting.subplots(size=(7.4, 0.28 * count + 1.1))
    hues = {"best step kept": STOP, "EMA": EMA, "SWA": SWA, "cosine decay": COSINE}
    place, ticks, labels = 0.0, [], []
    for world, of in rows.items():
        axes.text(0.0, place, world, transform=axes.get_yaxis_transform(), fontweight="bold", va="center",
                  color=plotting.INK, bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})  # fmt: skip
        place += 1
        for name, gain in of.items():
            color = hues[name]
            axes.plot([100 * gain.low, 100 * gain.high], [place, place], color=color, linewidth=5, alpha=0.35)
            axes.plot(100 * gain.mean, place, marker="o", color=color, label=f"_{world}: {name}")
            ticks.append(place)
            labels.append(name)
            place += 1
    axes.axvline(0, color=plotting.INK, linewidth=1.1, linestyle=DASHES, zorder=0)
    axes.set_yticks(ticks, labels)
    axes.set_ylim(place - 0.3, -0.7)
    title = "Gains where there is noise to remove, next to none elsewhere"
    x = "accuracy gained over the last live weights (points)"
    plotting.finish(axes, title=title, x=x, y="", names=False)
    return figure
