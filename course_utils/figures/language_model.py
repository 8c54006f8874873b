"""The figures of lesson 23, and the data behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from course_utils import plotting
from course_utils._checks import require


def variance_of_means(
    counts: Sequence[int], repeats: int, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The variance, over `repeats` means, of the mean of n standard normal draws, for each n of `counts`.

    Args:
        counts: numbers of draws, each >= 1.
        repeats: means to draw for each n, >= 2.
    Shape: (len(counts),), float64.
    Raises: ValueError where a count or `repeats` is too small.
    """
    require(bool(counts) and min(counts) >= 1, "counts of 1 or more", counts=counts)
    require(repeats >= 2, "repeats >= 2", repeats=repeats)
    means = [rng.standard_normal((repeats, n)).mean(1) for n in counts]
    return np.array([m.var(ddof=1) for m in means])


def falling(counts: Sequence[int], variance: ArrayLike, *, at: int | None = None) -> Figure:
    """Variance of the mean against n, with the theory 1/n; `at` marks one n of `counts`.

    Raises: ValueError where `at` is none of `counts`.
    """
    require(at is None or at in counts, "a mark among the counts", at=at, counts=counts)
    n: NDArray[np.float64] = np.asarray(counts, float)
    v: NDArray[np.float64] = np.asarray(variance, float)
    figure, axes = plotting.subplots()
    plotting.measured(axes, n, v, label="measured", color=plotting.BLUE)
    plotting.theory(axes, n, 1 / n, label="1/n")
    plotting.log_ticks(axes)
    axes.set_xticks(n, [str(count) for count in counts])
    if at is not None:
        axes.axvline(at, color=plotting.INK, linewidth=0.8)
        axes.text(at, v.max(), f" variance {v[list(counts).index(at)]:.3g}", va="top")
    title = "The variance of a mean falls as 1/n"
    plotting.finish(axes, title=title, x="draws n", y="variance of their mean")
    return figure
