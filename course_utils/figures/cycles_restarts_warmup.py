"""The figures of lesson 10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import intervals, plotting, schedules

COLD, WARM, SHARP, FLAT = plotting.GREY, plotting.BLUE, plotting.VERMILION, plotting.GREEN
STEPS = 238  # 34 + 68 + 136: three periods of the restarts
START = 0.9  # of the quartic
SHAPES = {
    "triangular": schedules.triangular(40, floor=0.1),
    "|sin|": schedules.abs_sine(40, floor=0.1),
    "restarts": schedules.cosine_restarts(34, mult=2),
    "warm-up, cosine": schedules.linear_warmup(24, schedules.cosine_decay(STEPS - 24)),
    "one cycle": schedules.one_cycle(STEPS),
}


def shapes() -> Figure:
    """Six schedules of one run; the last with its branches."""
    figure, axes = plotting.subplots(2, 3, size=(9.0, 4.2), sharex=True, sharey=True)
    t = range(STEPS)
    for k, (axis, (name, rate)) in enumerate(zip(axes.flat, SHAPES.items(), strict=False)):
        axis.plot(t, [rate(s) for s in t], color=WARM)
        plotting.finish(axis, title=name, x="step" if k >= 3 else "", y="share of peak", names=False)
        axis.set_ylabel("share of peak" if k % 3 == 0 else "")
    last = axes.flat[-1]
    for total, color in ((80, COLD), (160, COLD), (STEPS, WARM)):
        rate = schedules.warmup_stable_decay(total, warmup=24, decay=total // 5)
        steps = range(total + 1)
        last.plot(steps, [rate(s) for s in steps], color=color, zorder=2 + (color == WARM))
    plotting.finish(last, title="warm-up, stable, decay", x="step", y="", names=False)
    return figure


def quartic_run(peak: float, warmup: int, steps: int = 60) -> tuple[Tensor, Tensor]:
    """Gradient descent on theta**4 / 4 from START: (rates used, (steps,); points, (steps + 1,)).

    A point that has left [-10**6, 10**6] stays at its border.

    Args: warmup: steps of linear warm-up; 0 is a constant rate.
    """
    rate = schedules.linear_warmup(warmup, schedules.constant())
    theta = torch.tensor(START, dtype=torch.float64)
    rates, points = [], [theta]
    for t in range(steps):
        rates.append(peak * rate(t))
        theta = (theta - rates[-1] * theta**3).clamp(-1e6, 1e6)
        points.append(theta)
    return torch.tensor(rates, dtype=torch.float64), torch.stack(points)


def warm_quartic(peak: float, warmup: float) -> Figure:
    """Left, the rate against the edge 2 / theta**2; right, where the point goes."""
    rates, points = quartic_run(peak, int(warmup))
    figure, (left, right) = plotting.subplots(1, 2, size=(9.0, 3.6))
    t = np.arange(len(rates))
    size = points[:-1].abs().numpy()
    edge = np.where(size < 1e6, 2 / size.clip(1e-2) ** 2, np.nan)
    plotting.log_ticks(left, "y")
    left.plot(t, rates.numpy(), color=WARM, label="rate η")
    plotting.theory(left, t, edge, label="edge 2/θ²")
    left.set(ylim=(1e-1, 1e5))
    plotting.finish(left, title="The rate must stay below the edge", x="step", y="step size")
    arrived = bool(points.abs().max() < 10)
    shown = len(points) if arrived else int((points.abs() >= 10).long().argmax()) + 1
    right.plot(np.arange(shown), points[:shown].numpy(), color=WARM if arrived else SHARP)
    right.axhline(0, color=plotting.LIGHT, zorder=0)
    right.set(xlim=(-3, len(points) + 2), ylim=(-3, 3))
    verdict = "arrives" if arrived else "runs away"
    plotting.finish(
        right, title=f"Peak {peak:g}, warm-up {warmup:g}: {verdict}", x="step", y="θ", names=False
    )
    return figure


def thresholds(lengths: Sequence[int], quartic: ArrayLike, bowl: ArrayLike) -> Figure:
    """The largest peak that settles, against the length of the warm-up, with what is proved."""
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    n = np.asarray(lengths, float)
    plotting.log_ticks(axes)
    axes.plot(n, quartic, "o-", color=SHARP, markersize=4, label="θ⁴/4")
    axes.plot(n, bowl, "o-", color=FLAT, markersize=4, label="√(1 + θ²)")
    plotting.theory(axes, n, n, label="proved safe")
    title = "Where curvature falls on the way, warm-up buys a higher peak"
    plotting.finish(axes, title=title, x="steps of warm-up", y="largest peak rate that settles")
    return figure


def sharpness_curves(steps: Sequence[int], sharp: ArrayLike, flat: ArrayLike) -> Figure:
    """Sharpness of both nets along a run at one small rate. Args: sharp, flat: (S, T)."""
    figure, axes = plotting.subplots(size=(6.8, 3.6))
    x = np.asarray(steps)
    plotting.log_ticks(axes, "y")
    plotting.band(axes, x, np.asarray(sharp), label="large weights", color=SHARP)
    plotting.band(axes, x, np.asarray(flat), label="PyTorch's default", color=FLAT)
    title = "One net flattens while it trains, the other sharpens"
    plotting.finish(axes, title=title, x="step, at one small rate", y="largest curvature λ")
    return figure


def cliffs(peaks: Sequence[float], panels: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Validation accuracy against the peak rate without and with warm-up.

    Args: panels: title -> (without, with), accuracies (S, R) each.
    """
    figure, axes = plotting.subplots(1, len(panels), size=(9.2, 3.8), sharey=True)
    for k, (axis, (name, (cold, warm))) in enumerate(zip(axes, panels.items(), strict=True)):
        plotting.log_ticks(axis, "x")
        plotting.band(axis, peaks, np.asarray(cold), label="_cold", color=COLD)
        plotting.band(axis, peaks, np.asarray(warm), label="_warm", color=WARM)
        ticks = list(peaks)[1::2]
        axis.set_xticks(ticks, [f"{p:.3g}" for p in ticks])
        plotting.finish(axis, title=name, x="peak rate η", y="" if k else "validation accuracy", names=False)
    axes[0].text(peaks[0], 0.22, "with warm-up", color=WARM)
    axes[0].text(peaks[0], 0.14, "without", color=COLD)
    return figure


def side_by_side(panels: Mapping[str, Mapping[str, ArrayLike]], low_start: Sequence[str]) -> Figure:
    """Final accuracy of each schedule, mean and 99% interval, one panel per net.

    Args: panels: title -> schedule -> (S,) accuracies. low_start: the schedules that begin low.
    """
    figure, axes = plotting.subplots(1, len(panels), size=(9.2, 3.8), sharex=True, sharey=True)
    for axis, (name, rows) in zip(axes, panels.items(), strict=True):
        for height, (schedule, values) in enumerate(reversed(list(rows.items()))):
            interval = intervals.mean_interval(np.asarray(values))
            color = WARM if schedule in low_start else COLD
            axis.plot([interval.low, interval.high], [height, height], color=color, linewidth=2.5)
            axis.plot(interval.mean, height, "o", color=color, markersize=6)
        axis.set_yticks(range(len(rows)), list(rows)[::-1])
        axis.grid(axis="x", color=plotting.LIGHT, linewidth=0.6)
        plotting.finish(axis, title=name, x="validation accuracy", y="", names=False)
    return figure


def restart_curves(steps: Sequence[int], curves: Mapping[str, ArrayLike], restarts: Sequence[int]) -> Figure:
    """Validation loss along runs under three schedules. Args: curves: name -> (S, T)."""
    figure, axes = plotting.subplots(size=(7.2, 3.8))
    plotting.log_ticks(axes, "y")
    colors = (plotting.PURPLE, WARM, COLD)
    for (name, values), color in zip(curves.items(), colors, strict=True):
        plotting.band(axes, np.asarray(steps), np.asarray(values), label=name, color=color)
    for step in restarts:
        axes.axvline(step, color=plotting.LIGHT, linewidth=1.0, zorder=0)
    axes.set_yticks([0.2, 0.5, 1.0, 2.0], ["0.2", "0.5", "1", "2"])
    title = "A restart undoes part of the descent, then makes up for it"
    plotting.finish(axes, title=title, x="step", y="validation loss")
    return figure


def range_tests(rates: ArrayLike, curves: Mapping[str, ArrayLike], first: float) -> Figure:
    """Smoothed training loss against the rising rate. Args: curves: name -> (S, T)."""
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    plotting.log_ticks(axes)
    for (name, values), color in zip(curves.items(), (SHARP, FLAT), strict=True):
        y = np.minimum(np.asarray(values, float), 1e3)
        mean = np.exp(np.log(y).mean(0))
        axes.plot(np.asarray(rates), mean, color=color, label=f"_{name}")
        lowest = int(mean.argmin())
        axes.plot(np.asarray(rates)[lowest], mean[lowest], "o", color=color)
        axes.text(first * 1.3, mean[0] * 1.15, name, color=color)
    axes.set(ylim=(1.5, 40))
    axes.set_yticks([2, 5, 10, 20], ["2", "5", "10", "20"])
    title = "Raise the rate until the loss turns: a range test"
    plotting.finish(axes, title=title, x="rate η at that step", y="smoothed training loss", names=False)
    return figure
