"""The figures of lesson 00."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_utils import intervals, plotting

FLIPPING = (
    "One bar per seed for the difference in validation loss between 32 and 64 hidden units. Most bars "
    "point up, in favour of 64 units; some point down, a few of them far."
)
SHARED = (
    "Four clouds of points, one point per seed, the loss with 32 units against the loss with 64. With "
    "the same seed for both nets the points lie along the diagonal. With other weights and batches but "
    "the same images they still do. With only the validation images or only the training images shared "
    "the clouds are wide."
)
SPLITS = (
    "Intervals over ten runs, one for each of many fixed splits, in three panels with axes of one length. "
    "Left, the loss with 32 units: the intervals lie at very different heights. Middle, the difference of "
    "32 and 64 units: they lie at one height and nearly all overlap. Right, the difference of 900 "
    "and 300 steps: they lie at different heights again."
)
WRONG_PICKS = (
    "Share of comparisons that pick the worse net against the number of seeds, one line for each width "
    "that is compared with 64 units. All lines fall. The nearer the width is to 64, the higher the line "
    "lies and the later it falls. The measured points follow the thin lines of the normal distribution."
)
RATES = (
    "Two panels over the learning rate. Left, the loss of both nets: two curves, each with its lowest "
    "point inside the grid. Right, the width of the paired interval over that of the unpaired one: it is "
    "lowest at middle rates and comes near one at the largest."
)
NARROWING = (
    "The 99% interval of the difference against the number of seeds, with a mark at 16 seeds. From a few "
    "seeds on the paired band is much narrower than the unpaired one, and it leaves zero behind with far "
    "fewer seeds."
)


def flipping(difference: ArrayLike, *, better: str, worse: str) -> Figure:
    """One bar per seed: by how much the better method won, or lost.

    Args: difference: (S,), loss of the worse method minus loss of the better one.
    """
    d = np.asarray(difference, float)
    figure, axes = plotting.subplots(size=(7.2, 3.6))
    won = d > 0
    axes.bar(np.flatnonzero(won), d[won], color=plotting.BLUE, width=0.8)
    axes.bar(np.flatnonzero(~won), d[~won], color=plotting.VERMILION, width=0.8)
    axes.axhline(0, color=plotting.INK, linewidth=0.8)
    axes.axhline(d.mean(), **plotting.THEORY)
    axes.set_xlim(-1.5, len(d) + 0.5)
    axes.text(len(d) + 1, d.mean(), "mean", va="center")
    axes.text(len(d) + 1, d.max() * 0.75, f"{better} better", color=plotting.BLUE)
    axes.text(len(d) + 1, d.min() * 0.75, f"{worse} better", color=plotting.VERMILION)
    title = "One seed often crowns the wrong net"
    plotting.finish(axes, title=title, x="seed", y="difference in validation loss", names=False)
    return figure


def shared(a: ArrayLike, others: Mapping[str, ArrayLike], *, x: str, y: str) -> Figure:
    """The loss of one net against that of another, one point per seed; a panel for each way to pair them.

    Args:
        a: (S,), the losses of the first net.
        others: title -> (S,), losses of the second net.
        x, y: names of the second net and the first.
    """
    first = np.asarray(a, float)
    figure, grid = plotting.subplots(1, len(others), size=(8.4, 3.4), sharex=True, sharey=True, squeeze=False)
    every = np.concatenate([first, *(np.asarray(b, float) for b in others.values())])
    low, high = np.quantile(every, [0, 1]) + np.array([-0.05, 0.05]) * np.ptp(every)
    for axes, (title, b) in zip(grid[0], others.items(), strict=True):
        axes.plot(
            np.asarray(b, float), first, "o", markersize=3, color=plotting.BLUE, alpha=0.6, label="_seeds"
        )
        axes.plot([low, high], [low, high], color=plotting.INK, linewidth=0.8, label="_equal")
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        plotting.finish(axes, title=title, x=x, y=y if axes is grid[0, 0] else "", names=False)
    return figure


def split_by_split(panels: Mapping[str, ArrayLike]) -> Figure:
    """99% intervals over runs, one for each fixed split; all axes have the same length.

    Zero is drawn where it lies in the panel.

    Args: panels: title -> (splits, runs), a loss or a difference of losses.
    """
    figure, grid = plotting.subplots(1, len(panels), size=(8.4, 3.6), squeeze=False)
    every = {
        title: [intervals.mean_interval(row) for row in np.asarray(values, float)]
        for title, values in panels.items()
    }
    half = 0.62 * max(np.ptp([[one.low, one.high] for one in found]) for found in every.values())
    colors = (plotting.ORANGE, plotting.BLUE, plotting.GREEN)
    for axis, (title, found), color in zip(grid[0], every.items(), colors, strict=False):
        for k, one in enumerate(found):
            axis.plot([k, k], [one.low, one.high], color=color, linewidth=2)
            axis.plot(k, one.mean, "o", color=color, markersize=4)
        middle = float(np.mean([one.mean for one in found]))
        if abs(middle) < half:
            axis.axhline(0, color=plotting.INK, linewidth=0.8)
        axis.set_ylim(middle - half, middle + half)
        label = "mean of ten runs, 99% interval" if axis is grid[0, 0] else ""
        plotting.finish(axis, title=title, x="split", y=label, names=False)
    return figure


def wrong_picks(
    counts: Sequence[int], measured: Mapping[str, ArrayLike], normal: Mapping[str, ArrayLike]
) -> Figure:
    """How often the mean over n seeds picks the worse net: dots measured, thin lines for normal differences.

    Args:
        counts: (N,), numbers of seeds.
        measured, normal: name -> (N,) shares.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.8))
    colors = (plotting.ORANGE, plotting.GREEN, plotting.BLUE, plotting.VERMILION)
    for (name, shares), color in zip(measured.items(), colors, strict=False):
        axes.plot(counts, 100 * np.asarray(normal[name], float), color=color, linewidth=1, label=f"_{name}")
        axes.plot(counts, 100 * np.asarray(shares, float), "o", color=color, markersize=5, label="_measured")
        at_left = 100 * float(np.asarray(shares, float)[0]) + 1  # where the lines lie apart
        axes.text(counts[0] * 1.08, at_left, name, color=color, va="bottom")
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.set_ylim(-2, 52)
    title = "The smaller the difference, the more seeds it takes"
    plotting.finish(
        axes, title=title, x="seeds that are averaged", y="picks of the worse net, %", names=False
    )
    return figure


def over_rates(rates: Sequence[float], losses: Mapping[str, ArrayLike], ratios: ArrayLike) -> Figure:
    """Mean loss of both nets, and the paired interval's width over the unpaired one's, against the rate.

    Args:
        losses: name -> (R,). ratios: (R,).
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(8.4, 3.6))
    for (name, values), color in zip(losses.items(), (plotting.ORANGE, plotting.BLUE), strict=True):
        left.plot(rates, np.asarray(values, float), "o-", color=color, markersize=4, label=name)
    left.set_yscale("log")
    right.plot(rates, np.asarray(ratios, float), "o-", color=plotting.BLUE, markersize=4, label="_ratio")
    right.axhline(1, color=plotting.INK, linewidth=0.8)
    right.set_ylim(0, 1.3)
    right.text(rates[0], 1.04, "pairing gains nothing")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axes.minorticks_off()
    marks = [mark for mark in (0.1, 0.2, 0.5, 1, 2) if left.get_ylim()[0] < mark < left.get_ylim()[1]]
    left.set_yticks(marks, [f"{mark:g}" for mark in marks])
    left.minorticks_off()
    best = {rates[int(np.argmin(np.asarray(values, float)))] for values in losses.values()}
    title = f"Both nets are best at {min(best):g}" if len(best) == 1 else "Each net has its best rate"
    plotting.finish(left, title=title, x="learning rate", y="validation loss")
    title = "At large rates pairing gains far less"
    plotting.finish(right, title=title, x="learning rate", y="paired width / unpaired width", names=False)
    return figure


def narrowing(a: ArrayLike, b: ArrayLike, *, at: int) -> Figure:
    """Paired and unpaired intervals of mean(a - b) as seeds are added; `at` marks a number of seeds."""
    x, y = np.asarray(a, float), np.asarray(b, float)
    counts = np.unique(np.geomspace(4, len(x), 40).astype(int))
    figure, axes = plotting.subplots(size=(7.2, 3.6))
    for function, color, name in (
        (intervals.unpaired_interval, plotting.ORANGE, "unpaired"),
        (intervals.paired_interval, plotting.BLUE, "paired"),
    ):
        bounds = [function(x[:n], y[:n]) for n in counts]
        low, high = [i.low for i in bounds], [i.high for i in bounds]
        axes.fill_between(counts, low, high, color=color, alpha=0.3, linewidth=0)
        axes.plot(counts, high, color=color, label=name)
        axes.plot(counts, low, color=color, label="_low")
    axes.axhline(0, color=plotting.INK, linewidth=0.8)
    axes.axvline(at, **plotting.THEORY)
    plotting.log_ticks(axes, "x")
    reach = 1.6 * float(np.abs(intervals.unpaired_interval(x[:12], y[:12]).high))
    axes.set_ylim(-reach / 2, reach)
    ticks = [n for n in (4, 8, 16, 32, 64, 128, 256, 512) if n <= len(x)]
    axes.set_xticks(ticks, [str(n) for n in ticks])
    verdicts = [
        "rules out zero" if one.low > 0 or one.high < 0 else "holds zero"
        for one in (intervals.paired_interval(x[:at], y[:at]), intervals.unpaired_interval(x[:at], y[:at]))
    ]
    title = f"{at} seeds: paired {verdicts[0]}, unpaired {verdicts[1]}"
    plotting.finish(axes, title=title, x="seeds", y="99% interval of the difference")
    return figure
