"""The figures of lesson 04."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.averaging import ewma
from course_utils.data import daily_temperature

BETA_COLOURS = {0.5: plotting.ORANGE, 0.9: plotting.BLUE, 0.98: plotting.PURPLE}
CORRECTED, FIRST = plotting.BLUE, plotting.VERMILION
FIRST_OF_JULY = 181  # the thermometer is set up in summer, where a start at zero shows


def kernel(beta: float, ages: int) -> Tensor:
    """Weights (1 - beta) beta**k of the values that are k = 0 .. ages - 1 steps old."""
    return (1 - beta) * beta ** torch.arange(ages, dtype=torch.float64)


def half_life(beta: float) -> float:
    """Steps in which a weight falls to half, 0 at beta = 0."""
    return math.log(0.5) / math.log(beta) if beta > 0 else 0.0


@functools.cache
def temperatures(noise: float = 3.0, days: int = 500) -> tuple[Tensor, Tensor]:
    """(truth, seen) from the first of July on, the same weather for every `noise`, only larger or smaller."""
    generator = torch.Generator().manual_seed(4)
    truth, seen = daily_temperature(FIRST_OF_JULY + days, generator=generator, noise=noise)
    return truth[FIRST_OF_JULY:], seen[FIRST_OF_JULY:]


def three_memories(truth: ArrayLike, seen: Tensor, betas: tuple[float, ...]) -> Figure:
    """A noisy series, what lies under it, and its averages of several memories. truth, seen: (T,)."""
    figure, axes = plotting.subplots(size=(7.6, 4.0))
    days = np.arange(1, len(seen) + 1)
    axes.plot(days, np.asarray(seen), ".", color=plotting.LIGHT, markersize=3, label="_seen")
    for beta in betas:
        width = 1.0 if beta < 0.9 else 1.8
        color = BETA_COLOURS[beta]
        axes.plot(days, ewma(seen, beta).numpy(), color=color, linewidth=width, label=f"β = {beta:g}")
    plotting.theory(axes, days, truth, label="truth")
    axes.set_xlim(0, days[-1])
    title = "A short memory trembles, a long one comes late"
    plotting.finish(axes, title=title, x="days since the first of July", y="temperature, °C")
    return figure


def three_lengths(beta: float = 0.9) -> Figure:
    """The kernel, its half-life, time constant and mean age, and the plain mean of equal lag and noise."""
    figure, axes = plotting.subplots(size=(7.2, 3.7))
    window = round((1 + beta) / (1 - beta))
    ages, weights = np.arange(45), kernel(beta, 45).numpy()
    half, constant = half_life(beta), 1 / (1 - beta)
    for low, high, color in (
        (-1, half, plotting.BLUE),
        (half, constant, plotting.SKY),
        (constant, 99, plotting.LIGHT),
    ):
        chosen = (ages + 0.5 >= low) & (ages + 0.5 < high)
        axes.bar(ages[chosen] + 0.5, weights[chosen], width=0.8, color=color)
    axes.step(
        [0, 0, window, window],
        [0, 1 / window, 1 / window, 0],
        where="post",
        color=plotting.INK,
        linewidth=1.1,
    )
    for x, y, text, color in (
        (3, 0.094, "half of the weight: the half-life", plotting.BLUE),
        (7.3, 0.062, "time constant 1 / (1 − β): 65% lies before it", plotting.SKY),
        (window + 0.4, 1 / window, f"plain mean of {window} values: same lag, same noise", plotting.INK),
        (19.6, 0.021, "a third of the weight is older than the time constant", plotting.GREY),
    ):
        axes.text(x, y, text, color=color, va="center")
    axes.set(xlim=(0, 45), ylim=(0, 0.108))
    title = f"β = {beta:g} has no end: its memory has several lengths"
    plotting.finish(axes, title=title, x="age of a value, steps", y="weight", names=False)
    return figure


def variance_by_start(steps: ArrayLike, groups: dict[str, ArrayLike], theory: dict[str, ArrayLike]) -> Figure:
    """Variance of an average against step, by how it was started.

    Args:
        steps: (T,). groups: "corrected" and "first value" -> (S, T) variances over sigma².
        theory: the same names -> (T,), and "limit" -> (T,).
    """
    figure, axes = plotting.subplots(size=(7.0, 3.9))
    plotting.log_ticks(axes)
    named = {"corrected": ("from zero, corrected", CORRECTED), "first value": ("from the first value", FIRST)}
    for name, (label, color) in named.items():
        plotting.band(axes, steps, groups[name], label=f"_{label}", color=color)
        plotting.theory(axes, steps, theory[name], label="_theory")
    limit = float(np.asarray(theory["limit"])[0])
    axes.axhline(limit, color=plotting.GREY, linewidth=0.8)
    axes.text(1, limit * 1.08, "limit (1 − β) / (1 + β)", color=plotting.GREY)
    axes.text(10, 0.055, "from zero, corrected", color=CORRECTED, ha="right")
    axes.text(28, 0.55, "from the first value", color=FIRST)
    title = "Starting at the first value keeps its noise for a whole memory"
    plotting.finish(axes, title=title, x="step t", y="variance, one value = 1", names=False)
    return figure


def error_against_memory(
    memories: ArrayLike, errors: ArrayLike, *, noise: ArrayLike, lag: ArrayLike
) -> Figure:
    """Error of the average as an estimate of today's temperature, against its memory.

    Args: memories: (B,) 1 / (1 - beta). errors: (S, B) in °C. noise, lag: (B,) theory's two parts.
    """
    figure, axes = plotting.subplots(size=(7.0, 3.9))
    plotting.log_ticks(axes)
    x, noise, lag = (np.asarray(a, float) for a in (memories, noise, lag))
    axes.plot(x, noise, color=plotting.GREY, linewidth=1.1, label="_noise")
    axes.plot(x[lag > 0], lag[lag > 0], color=plotting.GREY, linewidth=1.1, label="_lag")
    plotting.band(axes, x, errors, label="_measured", color=plotting.BLUE)
    plotting.theory(axes, x, np.sqrt(noise**2 + lag**2), label="_theory")
    axes.text(x[-1] * 1.05, noise[-1], "noise", color=plotting.GREY, va="center")
    axes.text(x[-1] * 1.05, lag[-1] * 0.86, "lag", color=plotting.GREY, va="center")
    axes.text(x[-1] * 1.05, lag[-1] * 1.16, "both", color=plotting.BLUE, va="center")
    ticks = [1, 2, 5, 10, 20, 50]
    axes.set_xticks(ticks, [f"{tick}\n{1 - 1 / tick:.2g}" for tick in ticks])
    axes.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    axes.set_ylim(0.15, 6)
    title = "The best memory is where less noise no longer pays for more lag"
    plotting.finish(
        axes, title=title, x="memory 1 / (1 − β) in days, and β below it", y="error (RMS), °C", names=False
    )
    return figure


def variance_left(
    betas: ArrayLike, measured: dict[str, ArrayLike], theory: dict[str, ArrayLike], *, names: dict[str, str]
) -> Figure:
    """Share of the variance that an average leaves, for series whose noise is not all of one kind.

    Args:
        betas: (B,). measured: name -> (S, B) shares. theory: name -> (B,). names: name -> label.
    """
    figure, axes = plotting.subplots(size=(7.4, 4.0))
    plotting.log_ticks(axes)
    longer = 1 / (1 - np.asarray(betas, float))
    colors = (plotting.ORANGE, plotting.BLUE, plotting.GREEN)
    for (name, values), color in zip(measured.items(), colors, strict=True):
        plotting.band(axes, longer, values, label=names[name], color=color)
        plotting.theory(axes, longer, theory[name], label="_theory")
    axes.set_xticks(longer, [f"{k:.3g}\n{b:g}" for k, b in zip(longer, np.asarray(betas), strict=True)])
    title = "The formula is for noise without memory; weather remembers, epochs make up for themselves"
    plotting.finish(axes, title=title, x="1 / (1 − β), and β below it", y="variance left, one value = 1")
    return figure


def kernel_and_curve(beta: float, noise: float) -> Figure:
    """The kernel of one beta, and what it makes of the temperature with that much noise (°C)."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.6), width_ratios=(1, 1.6))
    ages, weights = np.arange(60), kernel(beta, 60).numpy()
    left.bar(ages + 0.5, weights, width=0.9, color=plotting.BLUE)
    half = half_life(beta)
    left.axvline(half, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    left.set(xlim=(0, 60), ylim=(0, 1.08 * weights[0]))
    place = (half + 1.5, "left") if half < 30 else (half - 1.5, "right")
    left.text(place[0], 1.0 * weights[0], "half-life", ha=place[1], va="center")
    plotting.finish(left, title=f"β = {beta:g}", x="age of a value, days", y="weight", names=False)
    truth, seen = temperatures(noise)
    days = np.arange(1, len(seen) + 1)
    right.plot(days, seen.numpy(), ".", color=plotting.LIGHT, markersize=3, label="_seen")
    right.plot(days, ewma(seen, beta).numpy(), color=plotting.BLUE, label="_average")
    plotting.theory(right, days, truth, label="_truth")
    right.set(xlim=(0, days[-1]), ylim=(-12, 32))
    error = (ewma(seen, beta) - truth)[100:].square().mean().sqrt()
    title = f"noise {noise:g} °C: the average is off by {error:.1f} °C"
    plotting.finish(right, title=title, x="days since the first of July", y="temperature, °C", names=False)
    return figure


def walk(day: int, beta: float = 0.9, last: int = 160) -> Figure:
    """The average on its way through autumn: the more a value weighs on this day, the darker it is."""
    figure, axes = plotting.subplots(size=(6.6, 3.4))
    truth, seen = (series[:last] for series in temperatures())
    days, m = np.arange(1, last + 1), ewma(seen, beta).numpy()
    weights = kernel(beta, day).flip(0).numpy()
    axes.plot(days[:day], seen[:day].numpy(), ".", color=plotting.LIGHT, markersize=5, zorder=1)
    shade = weights / weights.max()
    axes.scatter(
        days[:day], seen[:day].numpy(), s=24, color=plotting.BLUE, alpha=shade, linewidths=0, zorder=2
    )
    axes.plot(days, truth.numpy(), color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.plot(days[:day], m[:day], color=plotting.VERMILION)
    axes.plot(day, m[day - 1], "o", color=plotting.VERMILION, markersize=6)
    axes.set(xlim=(0, last + 2), ylim=(-2, 29))
    title = f"Day {day}: dark values carry the average"
    plotting.finish(axes, title=title, x="days since the first of July", y="temperature, °C", names=False)
    return figure
