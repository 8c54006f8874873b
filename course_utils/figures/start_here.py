"""The figures of lesson 00."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_utils import intervals, plotting


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
    axes.axhline(d.mean(), color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.set_xlim(-1.5, len(d) + 0.5)
    axes.text(len(d) + 1, d.mean(), "mean", va="center")
    axes.text(len(d) + 1, d.max() * 0.75, f"{better} better", color=plotting.BLUE)
    axes.text(len(d) + 1, d.min() * 0.75, f"{worse} better", color=plotting.VERMILION)
    title = f"{(~won).sum()} of {len(d)} seeds crown the wrong method"
    plotting.finish(axes, title=title, x="seed", y="difference in validation loss", names=False)
    return figure


def narrowing(a: ArrayLike, b: ArrayLike, *, at: int | None = None) -> Figure:
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
    if at is not None:
        axes.axvline(at, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    plotting.log_ticks(axes, "x")
    reach = 1.6 * float(np.abs(intervals.unpaired_interval(x[:12], y[:12]).high))
    axes.set_ylim(-reach / 2, reach)
    ticks = [n for n in (4, 8, 16, 32, 64, 128, 256, 512) if n <= len(x)]
    axes.set_xticks(ticks, [str(n) for n in ticks])
    title = "Pairing leaves only what the seeds do not share"
    if at is not None:
        paired = intervals.paired_interval(x[:at], y[:at])
        verdict = "zero is ruled out" if paired.low > 0 else "zero is still possible"
        title = f"{at} seeds, paired: {paired.low:+.3f} to {paired.high:+.3f}, {verdict}"
    plotting.finish(axes, title=title, x="seeds", y="99% interval of the difference")
    return figure
