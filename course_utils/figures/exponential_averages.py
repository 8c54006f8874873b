"""The figures of lesson 04."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.averaging import ewma
from course_utils.data import daily_temperature
from course_utils.theory import averages
from course_utils.theory.averages import Start

BETA_COLOURS = {0.5: plotting.ORANGE, 0.9: plotting.BLUE, 0.98: plotting.PURPLE}
START_COLOURS: dict[Start, str] = {
    "uncorrected": plotting.PURPLE,
    "first value": plotting.VERMILION,
    "corrected": plotting.BLUE,
}
SLIDERS = {
    "beta": [0.0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99],
    "noise": [0.5, 1.0, 3.0, 6.0],
}
FIRST_OF_JULY = 181  # the thermometer is set up in summer, where a start at zero shows


# What each figure shows, in words.
THREE_MEMORIES = (
    "Two years of daily temperatures and three averages. With β = 0.5 the curve trembles around the "
    "truth, with 0.9 it follows it closely, with 0.98 it is smooth, reaches neither summer nor winter, "
    "and is late."
)
THREE_LENGTHS = (
    "The weights for β = 0.9 against age, falling exponentially. The half-life is near 7 steps, the time "
    "constant is 10, and a tail goes on beyond 30. A flat box over 19 steps is the plain mean of equal "
    "lag and noise."
)
THREE_STARTS = (
    "Left, readings of one city at 10 °C: uncorrected the average climbs from zero over the whole figure, "
    "from the first value it begins too high and stays so, corrected it leaves the first value at once. "
    "Right, the errors of all cities against the day, both axes logarithmic: the corrected one is lowest "
    "on all days shown but the first."
)
VALLEYS = (
    "Error against memory, both axes logarithmic: a valley for each of three noises. The more noise, the "
    "further right its lowest point. Without seasons the error only falls."
)
NEAR_ZERO = (
    "Squared error of the uncorrected reading, the corrected one's being 1, against the level in "
    "deviations of the noise, for three days. At small levels all dots are below 1, at large levels above "
    "it."
)
VARIANCE_LEFT = (
    "Share of the variance that is left against memory, both axes logarithmic. Gradients of fresh draws "
    "follow the formula; weather lies above it; gradients of a shuffled set fall away below it."
)
KERNEL_AND_CURVE = (
    "Left, the weights for β = 0.9 with their half-life. Right, 500 days of temperature with noise of 3 "
    "degrees and the average, which follows the season some days late."
)


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


def three_lengths(response: Tensor, beta: float) -> Figure:
    """The weights of an average by age, two of its lengths, and the plain mean of equal lag and noise.

    Args: response: (T,), T >= 45, what the average makes of a single 1. beta: its beta.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.7))
    window = round((1 + beta) / (1 - beta))
    ages, weights = np.arange(45), response[:45].numpy()
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
        (7.3, 0.062, "the time constant 1 / (1 − β)", plotting.SKY),
        (window + 0.4, 1 / window, f"plain mean of {window} values: same lag, same noise", plotting.INK),
        (window + 0.4, 0.024, f"older than {constant:.0f} steps: about a third of the weight", plotting.GREY),
    ):
        axes.text(x, y, text, color=color, va="center")
    axes.set(xlim=(0, 45), ylim=(0, 0.108))
    title = f"Weights at β = {beta:g} never end: memory has several lengths"
    plotting.finish(axes, title=title, x="age of a value, steps", y="weight", names=False)
    return figure


def three_starts(
    beta: float, level: float, noise: float, seen: Tensor, errors: Mapping[Start, Tensor]
) -> Figure:
    """Left the readings of one series under three starts, right the error of each start over many.

    Args:
        level: what the readings should say. noise: its deviation. seen: (T,), one series.
        errors: a start of `START_COLOURS` -> (S, T) root mean squared errors in units of `noise`.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 4.0))
    days = np.arange(1, len(seen) + 1)
    left.plot(days, seen.numpy(), ".", color=plotting.LIGHT, markersize=4, label="_seen")
    for start, color in START_COLOURS.items():
        left.plot(days, _started(seen, beta, start).numpy(), color=color, label=f"_{start}")
    plotting.theory(left, days, np.full(len(days), level), label="_level")
    left.set(xlim=(0, days[-1]), ylim=(0, 2 * level))
    title = "One series, whose first value is high"
    plotting.finish(left, title=title, x="day", y="temperature, °C", names=False)
    plotting.log_ticks(right)
    for start, color in START_COLOURS.items():
        some = np.unique(np.geomspace(1, len(days), 16).round().astype(int)) - 1
        mean = np.asarray(errors[start], float).mean(0)[some]
        plotting.measured(right, days[some], mean, label=f"_{start}", color=color)
        theory = averages.squared_error(beta, torch.from_numpy(days), start=start, level=level / noise).sqrt()
        plotting.theory(right, days, theory, label="_theory")
    for x, y, text, start in (
        (1, 2.4, "from zero, uncorrected", "uncorrected"),
        (1, 1.3, "from the first value", "first value"),
        (1, 0.3, "from zero, corrected", "corrected"),
    ):
        right.text(x, y, text, color=START_COLOURS[start], va="center")
    right.set_xticks([1, 10, 100], ["1", "10", "100"])
    right.set_yticks([0.1, 1], ["0.1", "1"])
    title = "Many series: after the first day the corrected one is nearest"
    plotting.finish(right, title=title, x="day", y="error (RMS), deviation of the noise = 1", names=False)
    return figure


def _started(seen: Tensor, beta: float, start: Start) -> Tensor:
    """The readings of a series under one of the three starts."""
    if start == "first value":
        return ewma(seen, beta, start="first")
    return ewma(seen, beta, bias_correction=start == "corrected")


def valleys(
    memories: ArrayLike,
    squared: Mapping[float, ArrayLike],
    theory: Mapping[float, ArrayLike],
    calm: ArrayLike,
) -> Figure:
    """Error of the average as an estimate of today's temperature, against its memory, for several noises.

    Args:
        memories: (B,) 1 / (1 - beta). squared: noise in °C -> (S, B) squared errors. theory: noise -> (B,).
        calm: (S, B), squared errors at 3 °C where there are no seasons.
    """
    figure, axes = plotting.subplots(size=(7.4, 4.4))
    plotting.log_ticks(axes)
    x = np.asarray(memories, float)
    colors = (plotting.GREEN, plotting.BLUE, plotting.VERMILION)
    still = np.sqrt(np.asarray(calm, float).mean(0))
    axes.plot(x, still, color=plotting.GREY, linewidth=1.1, label="_calm")
    axes.text(x[-1] * 1.06, still[-1], "3 °C,\nno seasons", color=plotting.GREY, va="center")
    for (noise, values), color in zip(squared.items(), colors, strict=True):
        mean = np.sqrt(np.asarray(values, float).mean(0))
        plotting.measured(axes, x, mean, label=f"_{noise:g}", color=color)
        plotting.theory(axes, x, np.sqrt(np.asarray(theory[noise])), label="_theory")
        best = int(mean.argmin())
        axes.plot(x[best], mean[best], "o", color=color, markersize=11, mfc="none", label=f"_best {noise:g}")
        axes.text(1.05, 1.25 * mean[0], f"noise {noise:g} °C", color=color)
    ticks = [1, 2, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, [f"{tick}\n{1 - 1 / tick:.2g}" for tick in ticks])
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_ylim(0.1, 60)
    title = "More noise wants a longer memory: no single one is best for all"
    plotting.finish(
        axes, title=title, x="memory 1 / (1 − β) in days, and β below it", y="error (RMS), °C", names=False
    )
    return figure


def near_zero(beta: float, levels: ArrayLike, ratios: Mapping[int, ArrayLike]) -> Figure:
    """Squared error of the uncorrected reading over the corrected one's, against the level.

    Args:
        levels: (L,), in units of the noise's deviation. ratios: number of values seen -> (S, L).
    """
    figure, axes = plotting.subplots(size=(7.2, 4.0))
    plotting.log_ticks(axes)
    x = np.asarray(levels, float)
    colors = (plotting.SKY, plotting.PURPLE, plotting.VERMILION)
    axes.axhline(1, color=plotting.GREY, linewidth=0.8)
    for (t, values), color in zip(ratios.items(), colors, strict=True):
        plotting.measured(axes, x, np.asarray(values).mean(0), label=f"_day {t}", color=color)
        fine = torch.logspace(np.log10(x[0]), np.log10(x[-1]), 60, dtype=torch.float64)
        uncorrected = averages.squared_error(beta, t, start="uncorrected", level=fine)
        curve = uncorrected / averages.squared_error(beta, t)
        plotting.theory(axes, fine, curve, label="_theory")
        axes.text(x[0] * 0.92, float(curve[0]), f"day {t}", color=color, ha="right", va="center")
    axes.text(x[0], 1.3, "above: the corrected one is nearer", color=plotting.GREY)
    axes.set_xticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
    axes.set_yticks([0.001, 0.01, 0.1, 1, 10, 100], ["0.001", "0.01", "0.1", "1", "10", "100"])
    axes.set_xlim(x[0] * 0.5, x[-1] * 1.1)
    title = "Where the level is small beside the noise, the uncorrected reading is nearer"
    y = "squared error, corrected = 1"
    plotting.finish(axes, title=title, x="level / deviation of the noise", y=y, names=False)
    return figure


def variance_left(betas: ArrayLike, measured: Mapping[str, ArrayLike], theory: Sequence[ArrayLike]) -> Figure:
    """Share of the variance that an average leaves, for noises of several kinds.

    Args: betas: (B,). measured: name of a noise -> (S, B) shares. theory: (B,) for each, in the same order.
    """
    figure, axes = plotting.subplots(size=(7.4, 4.2))
    plotting.log_ticks(axes)
    longer = 1 / (1 - np.asarray(betas, float))
    colors = (plotting.ORANGE, plotting.BLUE, plotting.GREEN)
    for (name, values), line, color in zip(measured.items(), theory, colors, strict=True):
        mean = np.asarray(values, float).mean(0)
        plotting.measured(axes, longer, mean, label=name, color=color)
        plotting.theory(axes, longer, line, label="_theory")
    axes.set_xticks(longer, [f"{k:.3g}\n{b:g}" for k, b in zip(longer, np.asarray(betas), strict=True)])
    axes.set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    title = "The formula is for independent noise: weather leaves more, shuffled epochs leave less"
    plotting.finish(
        axes, title=title, x="memory 1 / (1 − β), and β below it", y="variance left, one value = 1"
    )
    return figure


def kernel_and_curve(beta: float, noise: float) -> Figure:
    """The kernel of one beta, and what it makes of the temperature with that much noise (°C)."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.6), width_ratios=(1, 1.6))
    ages, weights = np.arange(61), kernel(beta, 60).numpy()
    left.stairs(weights, ages, fill=True, color=plotting.BLUE)  # one shape: sixty bars take longer to draw
    half = half_life(beta)
    left.axvline(half, **plotting.THEORY)
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
