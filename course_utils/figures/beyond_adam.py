"""The figures of lesson 18."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.optimizers.muon import QUINTIC
from course_utils.race.baseline import Tuned
from course_utils.seeds.muon import newton_schulz_batched

GRADIENT = (1.0, 0.45)  # of the first figure
ROWS = 64
BAND = (0.68, 1.21)  # what the quintic leaves where it is
COLORS = {
    "Adam": plotting.colour("adam"),
    "round": plotting.BLUE,
    "square": plotting.colour("lion"),
    "spectral": plotting.colour("muon"),
    "Muon": plotting.ORANGE,
    "average first": plotting.colour("muon"),  # the spectral ruler
    "measure first": plotting.PURPLE,
}

THREE_BALLS = (
    "Three panels. In a round ball the lowest point of the plane lies against the gradient; in a square "
    "it is a corner; for matrices the gradient's singular values fall off and those of the step are all "
    "one."
)
SPECTRA = (
    "Singular values by rank, in two panels. Left, logarithmic: those of one gradient fall steeply, the "
    "last to nothing; those of the average far less. Right, after five iterations: the average's nearly "
    "all lie in the grey band around one, those of one gradient stay behind from the middle on."
)
RATES = (
    "Validation loss against the learning rate, logarithmic, one curve for each way to step the hidden "
    "matrix. All are valleys; Adam's reaches farthest towards small rates, where those of the rulers and "
    "of Muon are steep."
)
ORDERS = (
    "Validation loss against the rate, three valleys. Where the spectral ruler measures before it averages, "
    "the valley is wider than where it averages first; Adam's is wide, too, and the least deep or level with "
    "it."
)
SAM_RATES = (
    "Validation accuracy on noisy digits against the learning rate, three hills of much the same shape. "
    "Momentum's stand at small rates, SAM's at larger ones; their tops are nearly level. At one large "
    "rate SAM is far above."
)
FLATNESS = (
    "Validation accuracy against sharpness, one cloud of dots for each method. SAM is flat and accurate; "
    "momentum at its best rate is sharp and accurate; momentum at a large rate is far flatter than at its "
    "best, and far less accurate."
)
PLANNED = (
    "Mean loss after T steps, both axes logarithmic. Dots of the best constant rate lie highest. One "
    "Schedule-Free run with β = 0.9 runs a little above the dots of the planned cosines; one with β = 0 "
    "runs below them, towards the dashed limit."
)
BATCHES = (
    "Validation loss of Muon with and without its average against the batch size: with batches of 8 the "
    "average is lower, with batches of 32 they are close, with full batches the single gradient is no higher."
)
SPECTRUM = (
    "Left, five steps lift all but the tiniest singular values into a wavy band around one. "
    "Right, the singular values of a square random matrix before and after: all in the band but the last, "
    "which is left behind."
)


def three_balls() -> Figure:
    """The lowest point of a plane within a round ball, a square one, and the ball of matrices."""
    figure, (left, middle, right) = plotting.subplots(1, 3, size=(9.6, 3.3))
    g = np.array(GRADIENT)
    angle = np.linspace(0, 2 * np.pi, 200)
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
    for axes, edge, step, color in (
        (left, np.column_stack([np.cos(angle), np.sin(angle)]), -g / np.linalg.norm(g), COLORS["round"]),
        (middle, square, -np.sign(g), COLORS["square"]),
    ):
        along = np.array([-g[1], g[0]]) / np.linalg.norm(g)  # level lines of the plane
        for height in np.linspace(-2, 2, 13):
            ends = np.array([g / np.linalg.norm(g) * height + side * 3 * along for side in (-1, 1)])
            axes.plot(ends[:, 0], ends[:, 1], color=plotting.LIGHT, linewidth=0.8, label="_level")
        axes.plot(edge[:, 0], edge[:, 1], color=color, label="_ball")
        axes.annotate("", tuple(step), (0, 0), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2})
        axes.plot(0, 0, marker="o", markersize=4, color=plotting.INK, label="_here")
        axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
        axes.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    plotting.finish(left, title="Round: along −g", x="step in θ₁", y="step in θ₂", names=False)
    plotting.finish(middle, title="Square: a corner", x="step in θ₁", y="step in θ₂", names=False)
    values = np.array([1.0, 0.45, 0.2, 0.06])
    at = np.arange(len(values))
    right.bar(at - 0.2, values, 0.38, color=plotting.LIGHT, label="gradient")
    right.bar(at + 0.2, np.ones(len(values)), 0.38, color=COLORS["spectral"], label="step")
    right.text(-0.4, 1.07, "gradient", color=plotting.GREY)
    right.text(1.0, 1.07, "step", color=COLORS["spectral"])
    right.set(xticks=at, xticklabels=[str(i + 1) for i in at], ylim=(0, 1.25))
    plotting.finish(
        right, title="Spectral: all ones", x="singular direction", y="singular value", names=False
    )
    return figure


def quintic(s: Tensor, steps: int, coefficients: tuple[float, float, float] = QUINTIC) -> Tensor:
    """What `steps` of Newton and Schulz make of a singular value."""
    a, b, c = coefficients
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return s


@functools.cache
def gaussian(columns: int) -> Tensor:
    """A matrix of 64 rows with independent normal entries, float64, always the same."""
    return torch.randn(ROWS, columns, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def spectrum(steps: int, columns: int) -> Figure:
    """Left what the iteration makes of any singular value, right of those of a random matrix."""
    steps, columns = int(steps), int(columns)
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.7))
    s = torch.logspace(-4, 0, 600, dtype=torch.float64)
    left.axhspan(*BAND, color=plotting.LIGHT, alpha=0.5, linewidth=0)
    left.plot(s, quintic(s, steps), color=COLORS["spectral"], label="_map")
    plotting.log_ticks(left, "x")
    left.set(ylim=(0, 1.3))
    plotting.finish(
        left, title=f"{steps} steps: what becomes of s", x="singular value before", y="after", names=False
    )
    g = gaussian(columns)
    before = torch.linalg.svdvals(g / g.norm())
    after = torch.linalg.svdvals(newton_schulz_batched(g, steps=steps))
    right.axhspan(*BAND, color=plotting.LIGHT, alpha=0.5, linewidth=0)
    right.plot(np.arange(1, ROWS + 1), before, color=plotting.GREY, label="before")
    right.plot(np.arange(1, ROWS + 1), after, color=COLORS["spectral"], label="after")
    right.set(ylim=(-0.07, 1.3), xlim=(0, 1.2 * ROWS))
    title = f"A random {ROWS} × {columns} matrix"
    plotting.finish(right, title=title, x="singular values, largest first", y="size")
    return figure


def spectra(before: Mapping[str, ArrayLike], after: Mapping[str, ArrayLike]) -> Figure:
    """Medians over seeds of singular values, largest first: as parts of the norm, and after the iteration.

    Args: before, after: name -> (S, K), the same names.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.7))
    right.axhspan(*BAND, color=plotting.LIGHT, alpha=0.5, linewidth=0)
    for axes, values in ((left, before), (right, after)):
        for color, (name, found) in zip((plotting.GREY, COLORS["Muon"]), values.items(), strict=True):
            middle = np.median(np.asarray(found), 0)
            at = np.arange(1, len(middle) + 1)
            axes.plot(at, middle.clip(1e-8), marker="o", markersize=3, color=color, label=name)
        axes.set_xlim(0, 1.45 * len(at))
    plotting.log_ticks(left, "y")
    left.set_ylim(3e-9, 2)
    right.set_ylim(-0.07, 1.3)
    x = "singular values, largest first"
    plotting.finish(left, title="Before: as parts of the norm", x=x, y="size")
    plotting.finish(right, title="After five iterations", x=x, y="size")
    return figure


def rates(tried: Mapping[str, tuple[Sequence[float], ArrayLike]]) -> Figure:
    """Validation loss against the learning rate, mean over seeds with its interval.

    Args: tried: name -> (R rates, losses (S, R)).
    """
    return _valleys(tried, title="How far off may the rate be?", height=4.2)


def _valleys(tried: Mapping[str, tuple[Sequence[float], ArrayLike]], *, title: str, height: float) -> Figure:
    figure, axes = plotting.subplots(size=(7.2, height))
    for name, (lrs, losses) in tried.items():
        color = COLORS[name]
        plotting.band(axes, lrs, losses, label=name, color=color)
        axes.plot(
            lrs, np.asarray(losses).mean(0), "o", markersize=4, mew=0, color=color, label=f"_{name} dots"
        )
    plotting.log_ticks(axes, "x")
    last = max(lrs[-1] for lrs, _ in tried.values())
    first = min(lrs[0] for lrs, _ in tried.values())
    axes.set(xlim=(first * 0.8, last * 1.2), ylim=(0.1, 0.8))
    axes.legend(loc="upper center")
    plotting.finish(axes, title=title, x="learning rate η", y="validation loss at the end", names=False)
    return figure


def orders(tried: Mapping[str, tuple[Sequence[float], ArrayLike]]) -> Figure:
    """Validation loss against the rate: the spectral ruler before and after the average, beside Adam.

    Args: tried: name -> (R rates, losses (S, R)).
    """
    return _valleys(tried, title="The spectral ruler: average first, or measure first?", height=3.8)


def sam_rates(curves: Mapping[str, Tuned]) -> Figure:
    """Recorded validation accuracy against the learning rate: momentum with two budgets, and SAM.

    Args: curves: name -> what is recorded of it.
    """
    figure, axes = plotting.subplots(size=(7.2, 4.0))
    colors = (plotting.BLUE, plotting.GREY, plotting.colour("sam"))
    for color, (name, one) in zip(colors, curves.items(), strict=True):
        axes.plot(one.lrs, 100 * np.asarray(one.accuracy), marker="o", markersize=4, color=color, label=name)
    plotting.log_ticks(axes, "x")
    axes.set(ylim=(76, 95), xlim=(8e-4, 0.5))
    title = "SAM wants a larger rate; best against best, little is left"
    plotting.finish(axes, title=title, x="learning rate η", y="validation accuracy, %")
    return figure


def flatness(clouds: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Validation accuracy against sharpness, a dot for each seed.

    Args: clouds: name -> (sharpness (S,), accuracy (S,)).
    """
    figure, axes = plotting.subplots(size=(7.2, 3.8))
    colors = (plotting.colour("sam"), plotting.BLUE, plotting.VERMILION)
    for color, (name, (sharp, right)) in zip(colors, clouds.items(), strict=True):
        x, y = np.asarray(sharp), 100 * np.asarray(right)
        plotting.measured(axes, x, y, label=f"_{name}", color=color)
        axes.text(float(x.mean()), float(y.max()) + 1.2, name, color=color, ha="center")
    plotting.log_ticks(axes, "x")
    axes.set_xticks((2, 4, 8, 16), ("2", "4", "8", "16"))
    axes.set(xlim=(1.4, 25), ylim=(72, 99))
    title = "Flat and good, sharp and good, flat and bad"
    plotting.finish(axes, title=title, x="sharpness at the end", y="validation accuracy, %", names=False)
    return figure


def planned_or_not(
    lengths: Sequence[int], cosine: ArrayLike, constant: ArrayLike, average: ArrayLike, default: ArrayLike,
    *, directions: int,
) -> Figure:  # fmt: skip
    """Mean loss after T steps: runs planned for T with a rate of their own, and single runs read at T.

    Args:
        cosine, constant: (K,), the last loss of the run planned for each of the lengths.
        average, default: (T + 1,), one Schedule-Free run with beta = 0 and with beta = 0.9.
        directions: d, for the limit d / (2 T).
    """
    figure, axes = plotting.subplots(size=(7.2, 4.2))
    steps = np.arange(lengths[0], lengths[-1] + 1)
    plotting.log_ticks(axes)
    plotting.measured(axes, lengths, constant, label="best constant rate", color=plotting.GREY)
    plotting.measured(axes, lengths, cosine, label="cosine, planned", color=plotting.BLUE)
    for path, name, color in (
        (default, "schedule-free, β = 0.9", plotting.colour("schedule-free")),
        (average, "schedule-free, β = 0", plotting.ORANGE),
    ):
        axes.plot(steps, np.asarray(path)[steps], color=color, label=name)
    plotting.theory(axes, steps, directions / (2 * steps), label="limit, d / 2T")
    axes.set_xlim(lengths[0] * 0.9, lengths[-1] * 5)
    title = "One run without a plan, beside planned ones"
    plotting.finish(axes, title=title, x="steps T", y="mean loss after T steps")
    return figure


def batches(sizes: Sequence[int], found: Mapping[str, ArrayLike]) -> Figure:
    """Validation loss against the batch size, mean over seeds with its interval.

    Args: found: name -> (S, B).
    """
    figure, axes = plotting.subplots(size=(7.0, 3.6))
    for color, (name, losses) in zip((COLORS["Muon"], plotting.GREY), found.items(), strict=True):
        plotting.band(axes, sizes, losses, label=name, color=color)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlim(sizes[0] * 0.85, sizes[-1] * 4.5)
    title = "Muon's average pays in small batches only"
    plotting.finish(axes, title=title, x="images in a batch", y="validation loss")
    return figure
