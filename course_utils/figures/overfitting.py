"""The figures of lesson 11."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import intervals, plotting
from course_utils.linear_models.minimum_norm import least_squares, minimum_norm_risk

PLAIN, DROPOUT, MARK = plotting.colour("plain"), plotting.colour("dropout"), plotting.VERMILION

POINTS = 16  # of the curve that is fitted
SCALE = 8.0  # standard deviation of the waves' frequencies
NOISE = 0.3
DRAWS = 40  # sets of waves, and of noise, behind the error curve
WIDTHS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 32, 48, 64, 100, 200, 400)
FILM = (1, 4, 8, 12, 16, 24, 64, 400)


class Waves(NamedTuple):
    """Fits of width w by random cosines: at the grid (DRAWS, G), and their mean squared errors (DRAWS,)."""

    curves: Tensor
    errors: Tensor


def truth(x: Tensor) -> Tensor:
    """The curve behind the points."""
    return torch.sin(4 * x)


@functools.cache
def wave_points() -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (POINTS,), noisy targets (DRAWS, POINTS), and the grid (201,) on which a fit is judged."""
    x = torch.linspace(-1, 1, POINTS, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(DRAWS, POINTS, generator=generator, dtype=torch.float64)
    return x, truth(x) + NOISE * noise, torch.linspace(-1, 1, 201, dtype=torch.float64)


@functools.cache
def waves(width: int, l2: float) -> Waves:
    """Least squares on the first `width` of some random cosines cos(ωx + b), ω ~ SCALE · N(0, 1)."""
    generator = torch.Generator().manual_seed(1)
    omega = SCALE * torch.randn(DRAWS, 1, max(WIDTHS), generator=generator, dtype=torch.float64)
    phase = 2 * torch.pi * torch.rand(omega.shape, generator=generator, dtype=torch.float64)
    x, y, grid = wave_points()
    seen, new = (
        torch.cos(omega[..., :width] * at[:, None] + phase[..., :width]) / width**0.5 for at in (x, grid)
    )
    curves = (new @ least_squares(seen, y[..., None], l2))[..., 0]
    return Waves(curves, (curves - truth(grid)).square().mean(-1))


def wave_figure(width: int, l2: float) -> Figure:
    """One fit of this width beside its points, and the error against the width."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.8))
    width = int(width)
    x, y, grid = wave_points()
    left.plot(grid, waves(width, l2).curves[0], color=plotting.BLUE, label="_fit")
    plotting.theory(left, grid, truth(grid), label="_truth")
    left.plot(x, y[0], "o", color=plotting.INK, markersize=4, label="_points")
    left.set(xlim=(-1, 1), ylim=(-3, 3), xticks=(-1, -0.5, 0, 0.5, 1))
    where = "Fewer waves than points" if width < POINTS else "More waves than points"
    where = "As many waves as points" if width == POINTS else where
    plotting.finish(left, title=f"{where}: {width} for {POINTS}", x="input", y="output", names=False)

    plotting.log_ticks(right)
    strengths = {0.0: PLAIN, l2: plotting.BLUE}
    for strength, color in strengths.items():
        medians = [float(waves(w, strength).errors.median()) for w in WIDTHS]
        right.plot(WIDTHS, medians, color=color, label=f"_{strength:g}")
    right.axvline(POINTS, color=plotting.LIGHT, linewidth=1.2, zorder=0)
    right.text(POINTS * 1.1, 0.021, f"{POINTS} points", color=plotting.GREY)
    right.plot(width, float(waves(width, l2).errors.median()), "o", color=MARK, markersize=8, label="_here")
    right.set(ylim=(0.018, 6), xlim=(0.9, 450))
    right.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
    title = "Without a penalty the error peaks" if l2 == 0 else f"Grey: no penalty. Blue: λ = {l2:g}"
    plotting.finish(right, title=title, x="waves", y="median error on the whole curve", names=False)
    return figure


def two_answers(steps: Sequence[int], true: ArrayLike, told: ArrayLike) -> Figure:
    """Answers on the wrongly labelled training images. Args: true, told: (S, K) shares in [0, 1]."""
    figure, axes = plotting.subplots(size=(7.2, 3.8))
    for values, label, color in (
        (true, "what it shows", plotting.BLUE),
        (told, "what it was told", MARK),
    ):
        plotting.band(axes, steps, 100 * np.asarray(values, float), label=label, color=color)
    axes.set_ylim(0, 100)
    title = "First what the image shows, then what the net was told"
    plotting.finish(axes, title=title, x="step", y="wrongly labelled images (%)")
    return figure


def optimism_figure(weights: Sequence[int], train: ArrayLike, fresh: ArrayLike, *, n: int) -> Figure:
    """Training error and error on fresh labels against the number of weights, with theory.

    Args: train, fresh: (R, len(weights)), in units of the noise variance. n: examples.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    d = np.asarray(weights)
    plotting.band(axes, d, fresh, label="fresh labels", color=MARK)
    plotting.band(axes, d, train, label="training labels", color=PLAIN)
    plotting.theory(axes, d, 1 + d / n, label="_above")
    plotting.theory(axes, d, 1 - d / n, label="_below")
    axes.set(ylim=(0, 2.1), xlim=(0, n))
    axes.text(0.03, 0.94, "dashed: 1 ± d/n", transform=axes.transAxes)
    title = "Each weight widens the gap by 2/n"
    plotting.finish(axes, title=title, x=f"weights (of {n} examples)", y="squared error / noise variance")
    return figure


def risk_figure(
    ps: Sequence[int],
    risks: ArrayLike,
    signal: ArrayLike,
    *,
    n: int,
    noise: float,
    widths: Sequence[int],
    errors: Mapping[str, ArrayLike],
    examples: int,
) -> Figure:
    """Double descent: normal inputs with the exact formula, and digits with random features.

    Args:
        ps: numbers of inputs used. risks: (R, len(ps)), NaN where the mean is infinite.
        signal: (D,) squared true weights. n: examples. noise: variance.
        widths: of the random layer. errors: "clean", "noisy", "clean, λ", "noisy, λ" -> (S, len(widths)).
        examples: training images of the digits.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 4.0))
    values, total = np.asarray(risks, float), np.asarray(signal, float)
    plotting.log_ticks(left)
    dense = [p for p in range(ps[0], ps[-1] + 1) if abs(p - n) > 1]
    line = [
        minimum_norm_risk(n, p, inside=float(total[:p].sum()), outside=float(total[p:].sum()) + noise)
        for p in dense
    ]
    for half in (slice(0, n - 1 - ps[0]), slice(n - 1 - ps[0], None)):
        plotting.theory(left, dense[half], line[half], label="_theory")
    for p, column in zip(ps, values.T, strict=True):
        if np.isfinite(column).all():
            interval = intervals.mean_interval(column)
            left.plot([p, p], [interval.low, interval.high], color=plotting.BLUE, label="_interval")
            left.plot(p, interval.mean, "o", color=plotting.BLUE, markersize=4, label="_mean")
    left.axvline(n, color=plotting.LIGHT, linewidth=1.2, zorder=0)
    left.set_ylim(0.8, 100)
    left.set_yticks([1, 10, 100], ["1", "10", "100"])
    left.text(0.03, 0.94, "dashed: the formula", transform=left.transAxes)
    ticks = [4, 10, 20, 40, 80, 200]
    left.set_xticks(ticks, [str(t) for t in ticks])
    left.text(n * 1.06, 0.9, "p = n", color=plotting.GREY)
    plotting.finish(
        left, title="Normal inputs: as the formula says", x="inputs used, p", y="error", names=False
    )

    plotting.log_ticks(right, "x")
    colours = {"clean": PLAIN, "noisy": MARK, "clean, λ": plotting.SKY, "noisy, λ": plotting.ORANGE}
    for name, color in colours.items():
        plotting.band(right, widths, 100 * np.asarray(errors[name], float), label=name, color=color)
    right.axvline(examples, color=plotting.LIGHT, linewidth=1.2, zorder=0)
    right.set_ylim(0, 100)
    ticks = [10, 30, 100, 300, 1000]
    right.set_xticks(ticks, [str(t) for t in ticks])
    title = f"Digits: the peak is at the {examples} examples"
    plotting.finish(right, title=title, x="random features, N", y="validation error (%)")
    return figure


def harm_figure(shares: Sequence[float], plain: ArrayLike, dropout: ArrayLike) -> Figure:
    """Accuracy with and without dropout, and the gain, against the share of wrong labels. Args: (S, K)."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.8))
    a, b = 100 * np.asarray(plain, float), 100 * np.asarray(dropout, float)
    x = [100 * share for share in shares]
    plotting.band(left, x, a, label="plain", color=PLAIN)
    plotting.band(left, x, b, label="dropout", color=DROPOUT)
    plotting.finish(
        left, title="Wrong labels cost accuracy", x="wrong training labels (%)", y="validation accuracy (%)"
    )
    plotting.band(right, x, b - a, label="_gain", color=DROPOUT)
    right.axhline(0, color=plotting.INK, linewidth=0.8)
    plotting.finish(
        right,
        title="Dropout's gain begins at nothing",
        x="wrong training labels (%)",
        y="dropout minus plain (points)",
        names=False,
    )
    return figure


def techniques_figure(gains: Mapping[str, tuple[intervals.Interval, intervals.Interval]]) -> Figure:
    """The gain of each technique with its interval. Args: gains: name -> (clean, noisy)."""
    figure, axes = plotting.subplots(size=(7.6, 3.6))
    for row, pair in enumerate(gains.values()):
        for interval, color, shift in zip(pair, (PLAIN, MARK), (-0.14, 0.14), strict=True):
            y = row + shift
            axes.plot(
                [100 * interval.low, 100 * interval.high], [y, y], color=color, linewidth=3, label="_interval"
            )
            axes.plot(100 * interval.mean, y, "o", color=color, label="_mean")
    axes.axvline(0, color=plotting.INK, linewidth=0.8)
    axes.set_yticks(range(len(gains)), list(gains))
    axes.invert_yaxis()
    axes.text(0.02, 0.05, "clean labels", color=PLAIN, transform=axes.transAxes)
    axes.text(0.02, 0.13, "20% wrong labels", color=MARK, transform=axes.transAxes)
    title = "Regularisation gains only where labels are wrong"
    plotting.finish(axes, title=title, x="gain over the plain net (points of accuracy)", y="", names=False)
    return figure


def learning_curves(
    sizes: Sequence[int], clean: Mapping[str, ArrayLike], noisy: Mapping[str, ArrayLike]
) -> Figure:
    """Accuracy against the number of training images in both worlds. Args: line's name -> (S, K)."""
    figure, both = plotting.subplots(1, 2, size=(9.8, 3.8), sharey=True)
    titles = ("Clean labels", "20% wrong labels")
    colours = {"training": plotting.ORANGE, "validation": PLAIN, "with dropout": DROPOUT}
    both[0].set_ylim(60, 102)
    for axes, lines, title in zip(both, (clean, noisy), titles, strict=True):
        plotting.log_ticks(axes, "x")
        for name, values in lines.items():
            plotting.band(axes, sizes, 100 * np.asarray(values, float), label=name, color=colours[name])
        axes.set_xticks(list(sizes), [str(n) for n in sizes])
        axes.minorticks_off()
        plotting.finish(axes, title=title, x="training images", y="accuracy (%)")
    both[1].set_ylabel("")
    return figure


def winners_figure(
    counts: Sequence[int], over: Mapping[int, ArrayLike], theory: Mapping[int, ArrayLike]
) -> Figure:
    """By how much the winner's validation score overstates, against the number of nets tried.

    Args: over: validation images -> (S, K). theory: the same -> (K,).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    plotting.log_ticks(axes, "x")
    for images, color in zip(over, (MARK, plotting.BLUE), strict=True):
        values = 100 * np.asarray(over[images], float)
        plotting.band(axes, counts, values, label=f"{images} images", color=color)
        plotting.theory(axes, counts, 100 * np.asarray(theory[images], float), label=f"_theory {images}")
    axes.axhline(0, color=plotting.INK, linewidth=0.8)
    axes.set_xticks(list(counts), [str(k) for k in counts])
    axes.text(0.03, 0.94, "dashed: the formula", transform=axes.transAxes)
    axes.minorticks_off()
    title = "The more nets you try, the more the best score flatters"
    plotting.finish(axes, title=title, x="nets tried", y="overstatement (points of accuracy)")
    return figure
