"""The figures of lesson 11."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import intervals, plotting
from course_utils.linear_models.minimum_norm import least_squares, minimum_norm_risk
from course_utils.theory.selection import Winners

PLAIN, MARK = plotting.colour("plain"), plotting.VERMILION
WORLDS = {"clean labels": PLAIN, "wrong labels": MARK}

LOSS_CURVES = (
    "Cross-entropy against steps in two panels. Training loss falls in both. Validation loss falls and "
    "stays low where labels are right; where 20% are wrong it falls first, then climbs."
)
TWO_ANSWERS = (
    "Share of the wrongly labelled training images against steps. At first most are answered with the "
    "digit that they show. Later that share falls, and the share answered with the wrong label climbs."
)
ERROR_PARTS = (
    "Squared error against the inputs used, both logarithmic. Squared bias falls up to p = n and returns "
    "beyond; variance and error rise to a peak at p = n and fall beyond it. The error with ridge has no "
    "peak."
)
FLATTERY = (
    "The gap between fresh and training labels against the effective weights: dots of least squares and "
    "of ridge lie on one straight line through zero."
)
SHARE_SAVED = (
    "The share of the error that the best penalty saves against v over the squared weights: whether "
    "noise, weights or examples are varied, the dots lie on one rising curve."
)
GAINS_BY_SIZE = (
    "Two panels against the number of training images. In loss the tuned penalty saves with right labels "
    "and more with wrong ones. In accuracy it gains nothing to speak of with right labels, and points "
    "with wrong ones."
)

METHODS = (
    "What four methods, half the rounds and twice the images gain over the plain net, with intervals. "
    "Weight decay, dropout and early stopping gain far more accuracy with wrong labels than with right "
    "ones, eight units little. Half the rounds gain a good part of what twice the images do."
)
FOLDS = (
    "How far estimates of accuracy are off, against the number of parts K. With two parts one split is as "
    "far off as both folds, with five and ten farther. With two parts both are too low, with ten less so."
)
WINNERS = (
    "By how much the winner's validation score overstates its worth, against the number of nets tried: it "
    "starts near zero and grows, faster with 100 validation images than with 400, along the dashed lines "
    "of the formula."
)
WAVES = (
    "Left, 16 waves with a small penalty pass near 16 noisy points and follow the dashed truth. Right, "
    "error against the number of waves: without a penalty it peaks at 16, with one it falls and stays "
    "low."
)
GAINS_BY_STEPS = (
    "Accuracy gained by the tuned penalty against the steps trained, where labels are wrong, a line for "
    "each number of images. That of 64 images starts first and stays low; that of 576 starts last."
)

POINTS = 16  # of the curve that is fitted
SCALE = 8.0  # standard deviation of the waves' frequencies
NOISE = 0.3
DRAWS = 40  # sets of waves, and of noise, behind the error curve
WIDTHS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 32, 48, 64, 100, 200, 400)
WAVE_SLIDERS = {"width": WIDTHS, "l2": (0.0, 0.0001, 0.001, 0.01, 0.1)}
WAVE_START = {"width": 16, "l2": 0.001}


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
def _cosines() -> tuple[Tensor, Tensor]:
    """All waves of each draw, at the points (DRAWS, POINTS, W) and on the grid (DRAWS, 201, W)."""
    generator = torch.Generator().manual_seed(1)
    omega = SCALE * torch.randn(DRAWS, 1, max(WIDTHS), generator=generator, dtype=torch.float64)
    phase = 2 * torch.pi * torch.rand(omega.shape, generator=generator, dtype=torch.float64)
    x, _, grid = wave_points()
    return torch.cos(omega * x[:, None] + phase), torch.cos(omega * grid[:, None] + phase)


@functools.cache
def waves(width: int, l2: float) -> Waves:
    """Least squares on the first `width` of some random cosines cos(ωx + b), ω ~ SCALE · N(0, 1)."""
    _, y, grid = wave_points()
    seen, new = (every[..., :width] / width**0.5 for every in _cosines())
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


def loss_curves(steps: Sequence[int], worlds: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Training and validation loss against steps, a panel for each world.

    Args: worlds: title of the panel -> losses on training and on validation images, (S, K) each.
    """
    figure, panels = plotting.subplots(1, len(worlds), size=(9.4, 3.8), sharey=True)
    for axes, (title, (train, validation)) in zip(panels, worlds.items(), strict=True):
        plotting.band(axes, steps, validation, label="validation", color=MARK)
        plotting.band(axes, steps, train, label="training", color=PLAIN)
        axes.set(xlim=(0, steps[-1]), ylim=(0, 1.6))  # the axis ends where the names begin
        plotting.finish(axes, title=title, x="step", y="cross-entropy")
    panels[1].set_ylabel("")
    return figure


def two_answers(steps: Sequence[int], true: ArrayLike, told: ArrayLike) -> Figure:
    """Answers on the wrongly labelled training images. Args: true, told: (S, K) shares in [0, 1]."""
    figure, axes = plotting.subplots(size=(7.2, 3.6))
    for values, label, color in (
        (true, "what it shows", plotting.BLUE),
        (told, "what it was told", MARK),
    ):
        plotting.band(axes, steps, 100 * np.asarray(values, float), label=label, color=color)
    axes.set_ylim(0, 100)
    title = "First what the image shows, then what the net was told"
    plotting.finish(axes, title=title, x="step", y="wrongly labelled images (%)")
    return figure


def error_parts(
    ps: Sequence[int],
    measured: ArrayLike,
    with_ridge: ArrayLike,
    signal: ArrayLike,
    *,
    n: int,
    noise: float,
) -> Figure:
    """Error, squared bias and variance against the number of inputs used, with theory, and ridge's error.

    Args:
        measured: (3, len(ps)), squared bias, variance and error.
        with_ridge: the error at each of `ps`, then at n.
        signal: (D,) squared true weights. n: training examples. noise: variance.
    """
    figure, axes = plotting.subplots(size=(7.2, 4.4))
    plotting.log_ticks(axes)
    colours = {"bias²": plotting.BLUE, "variance": MARK, "error": plotting.INK}
    for (name, color), values in zip(colours.items(), np.asarray(measured, float), strict=True):
        plotting.measured(axes, ps, values, label=f"_{name}", color=color)
    for half in (range(1, n - 1), range(n + 2, len(np.asarray(signal)) + 1)):
        lines = zip(colours, expected_parts(half, signal, n=n, noise=noise), strict=True)
        for name, line in lines:
            axes.plot(
                half, line, color=colours[name], linewidth=1.1, linestyle=(0, (5, 3)), label=f"_theory {name}"
            )
    order = np.argsort([*ps, n])
    x, y = np.array([*ps, n])[order], np.asarray(with_ridge, float)[order]
    axes.plot(x, y, color=plotting.GREEN, linewidth=1.6, label="_ridge")
    axes.axvline(n, color=plotting.LIGHT, linewidth=1.2, zorder=0)
    places = {"error": (1.0, 0.95), "bias²": (1.0, 0.2), "variance": (1.25, 0.0075)}
    for name, (left, height) in places.items():
        axes.text(left, height, name, color=colours[name])
    axes.text(1.0, 1.7, "error with ridge", color=plotting.GREEN)
    axes.text(n * 1.06, 40, "p = n", color=plotting.GREY)
    axes.text(0.03, 0.93, "dots: measured; dashed: theory", transform=axes.transAxes)
    axes.set(ylim=(0.005, 80), xlim=(0.9, 230))
    ticks = [1, 3, 10, 40, 100, 200]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    title = "Bias falls, variance rises to p = n and falls beyond"
    plotting.finish(axes, title=title, x="inputs used, p", y="squared error", names=False)
    return figure


def expected_parts(
    ps: Sequence[int], signal: ArrayLike, *, n: int, noise: float
) -> tuple[list[float], list[float], list[float]]:
    """Squared bias, variance and error of the shortest least-squares fit with p normal inputs.

        bias²  =  sum left out  +  (1 - n / p)**2 * sum used  where p > n

    Args: as `error_parts`; each p at most n - 2 or at least n + 2.
    """
    total, found = np.asarray(signal, float), []
    for p in ps:
        inside, outside = float(total[:p].sum()), float(total[p:].sum())
        error = minimum_norm_risk(n, p, inside=inside, outside=outside + noise)
        bias = outside + (max(0.0, 1 - n / p) ** 2 * inside if p else 0.0)
        found.append((bias, error - noise - bias, error))
    biases, variances, errors = (list(column) for column in zip(*found, strict=True))
    return biases, variances, errors


def flattery(traces: Mapping[str, ArrayLike], gaps: Mapping[str, ArrayLike], *, n: int) -> Figure:
    """By how much the training error is too good, against the effective weights, method by method.

    Args: traces, gaps: name of a method -> tr H, and the measured gap in units of the noise's variance.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    marks = zip(traces, (plotting.BLUE, MARK), strict=True)
    for place, (name, color) in enumerate(marks):
        plotting.measured(axes, traces[name], gaps[name], label=f"_{name}", color=color)
        axes.text(0.04, 0.9 - 0.09 * place, name, color=color, transform=axes.transAxes)
    ends = np.array([0, n])
    plotting.theory(axes, ends, 2 * ends / n, label="_theory")
    axes.set(xlim=(0, n * 1.04), ylim=(0, 2.15))
    title = "Either method flatters by 2/n for each effective weight"
    plotting.finish(axes, title=title, x="effective weights, tr H", y="gap / noise variance", names=False)
    return figure


def share_saved(varied: Mapping[str, ArrayLike]) -> Figure:
    """The share of the error that the best penalty saves, against noise · weights / examples over signal.

    Args: varied: what was varied -> rows of v / ‖θ*‖² and the share saved, (K, 2).
    """
    figure, axes = plotting.subplots(size=(6.4, 3.8))
    plotting.log_ticks(axes, "x")
    rows = {name: np.asarray(one, float) for name, one in varied.items()}
    for place, (name, color) in enumerate(zip(rows, (plotting.BLUE, MARK, plotting.GREEN), strict=True)):
        plotting.measured(axes, *rows[name].T, label=f"_{name}", color=color)
        axes.text(0.04, 0.9 - 0.09 * place, name, color=color, transform=axes.transAxes)
    ratios = np.concatenate([*rows.values()])[:, 0]
    dense = np.geomspace(ratios.min() / 1.5, ratios.max() * 1.5, 100)
    plotting.theory(axes, dense, dense / (1 + dense), label="_theory")
    axes.set(ylim=(0, 1), xlim=(dense[0], dense[-1]))
    ticks = [0.01, 0.1, 1, 10]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    title = "One ratio says what a penalty saves if XᵀX = nI"
    plotting.finish(axes, title=title, x="v / ‖θ*‖²", y="share of the error saved", names=False)
    return figure


Gains = Mapping[str, Sequence[intervals.Interval]]


def gains_by_size(sizes: Sequence[int], ratios: Gains, points: Gains) -> Figure:
    """What the tuned penalty gains against the number of training images, in loss and in accuracy.

    Args: ratios, points: "clean labels", "wrong labels" -> an interval for each size: of the ratio of the
        losses, and of the difference of the accuracies.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.8))
    for name, color in WORLDS.items():
        _intervals(left, sizes, ratios[name], name, color, _saved)
        _intervals(right, sizes, points[name], name, color, _points)
    for axes in (left, right):
        plotting.log_ticks(axes, "x")
        axes.axhline(0, color=plotting.INK, linewidth=0.8)
        axes.set_xticks(list(sizes), [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.03)
    plotting.finish(
        left, title="Loss: saved in both worlds", x="training images", y="loss saved (%)", names=False
    )
    title, y = "Accuracy: where labels are wrong", "accuracy gained (points)"
    plotting.finish(right, title=title, x="training images", y=y, names=False)
    plotting.label_lines(right, away=0.032)  # an interval stands at the end
    return figure


def gains_by_steps(
    paths: Mapping[int, tuple[Sequence[int], Sequence[intervals.Interval]]], mark: int
) -> Figure:
    """The gain in accuracy against the steps trained, a line for each number of images.

    Args: paths: images -> steps, and an interval of the gain at each. mark: a step of all of them.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.8))
    colours = (plotting.ORANGE, MARK, plotting.PURPLE)
    for (images, (steps, gains)), color in zip(paths.items(), colours, strict=True):
        _intervals(axes, steps, gains, f"_{images}", color, _points)
        end = (steps[-1], _points(gains[-1].mean))
        place = {"xytext": (8, 4), "va": "center", "textcoords": "offset points"}
        axes.annotate(f"{images} images", end, color=color, **place)
    plotting.log_ticks(axes, "x")
    axes.axhline(0, color=plotting.INK, linewidth=0.8)
    axes.axvline(mark, color=plotting.LIGHT, linewidth=1.2, zorder=0)
    ticks = [40, 80, 160, 320, 640]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    title = "The gain depends on steps and on images"
    plotting.finish(axes, title=title, x="steps trained", y="accuracy gained (points)", names=False)
    return figure


def methods_figure(ratios: Gains, points: Gains) -> Figure:
    """What each method gains over the plain net in both worlds, in loss and in accuracy.

    Args: ratios, points: name of the method -> intervals with clean and with wrong labels.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.8), sharey=True)
    for axes, found, scale in ((left, ratios, _saved), (right, points, _points)):
        for row, pair in enumerate(found.values()):
            for interval, color, shift in zip(pair, WORLDS.values(), (-0.14, 0.14), strict=True):
                ends = [scale(interval.low), scale(interval.high)]
                axes.plot(ends, [row + shift] * 2, color=color, linewidth=3, label="_interval")
                axes.plot(scale(interval.mean), row + shift, "o", color=color, label="_mean")
        axes.axvline(0, color=plotting.INK, linewidth=0.8)
    left.set_yticks(range(len(ratios)), list(ratios))
    left.set_ylim(len(ratios) + 0.1, -0.5)
    for place, (name, color) in zip((0.12, 0.03), WORLDS.items(), strict=True):
        right.text(0.3, place, name, color=color, transform=right.transAxes)
    plotting.finish(left, title="Loss, against the plain net", x="loss saved (%)", y="", names=False)
    plotting.finish(
        right, title="Accuracy, against the plain net", x="accuracy gained (points)", y="", names=False
    )
    return figure


def folds_figure(counts: Sequence[int], folds: ArrayLike, single: ArrayLike) -> Figure:
    """How far an estimate is from the truth, typically and on average: K folds, and one split of their size.

    Args: folds, single: errors (R, len(counts)) of the estimated accuracy, in [-1, 1].
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.6), sharey=True)
    pair = (("K folds", folds, plotting.BLUE), ("one split", single, MARK))
    for name, errors, color in pair:
        values = 100 * np.asarray(errors, float)
        plotting.band(left, counts, np.abs(values), label=name, color=color)
        plotting.band(right, counts, values, label=name, color=color)
    for axes in (left, right):
        plotting.log_ticks(axes, "x")
        axes.axhline(0, color=plotting.INK, linewidth=0.8)
        axes.set_xticks(list(counts), [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_xlim(counts[0] / 1.1, counts[-1] * 1.02)
    title = "From K = 5 on one split is farther off"
    plotting.finish(left, title=title, x="parts, K", y="distance from the truth (points)", names=False)
    plotting.finish(right, title="With few parts: too low", x="parts, K", y="estimate less truth (points)")
    return figure


def winners_figure(counts: Sequence[int], found: Mapping[int, Winners]) -> Figure:
    """By how much the winner's validation score overstates, against the number of nets tried.

    Args: found: images of a validation set, for two sizes -> the winners by such sets.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    plotting.log_ticks(axes, "x")
    for (images, one), color in zip(found.items(), (MARK, plotting.BLUE), strict=True):
        plotting.band(axes, counts, 100 * one.overstated, label=f"{images} images", color=color)
        plotting.theory(axes, counts, 100 * one.theory, label=f"_theory {images}")
    axes.axhline(0, color=plotting.INK, linewidth=0.8)
    axes.set_xticks(list(counts), [str(k) for k in counts])
    axes.text(0.03, 0.94, "dashed: the formula", transform=axes.transAxes)
    axes.minorticks_off()
    title = "The more nets you try, the more the best score flatters"
    plotting.finish(axes, title=title, x="nets tried", y="overstatement (points of accuracy)")
    return figure


def _saved(ratio: float) -> float:
    return 100 * (1 - ratio)


def _points(share: float) -> float:
    return 100 * share


def _intervals(
    axes: Axes,
    x: Sequence[int],
    found: Sequence[intervals.Interval],
    label: str,
    color: str,
    scale: Callable[[float], float],
) -> None:
    """Means joined by a line, each with its interval."""
    for at, interval in zip(x, found, strict=True):
        axes.plot([at, at], [scale(interval.low), scale(interval.high)], color=color, label="_interval")
    axes.plot(x, [scale(one.mean) for one in found], "o-", color=color, markersize=5, label=label)
