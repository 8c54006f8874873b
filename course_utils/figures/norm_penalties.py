"""The figures of lesson 12."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.linear_models import elastic_net
from course_utils.regularizers import soft_threshold

L1, L2, NONE = plotting.VERMILION, plotting.BLUE, plotting.GREY
FOLLOWED = {"s1": plotting.BLUE, "s2": plotting.GREEN, "s3": plotting.VERMILION, "s6": plotting.PURPLE}

TARGET = torch.tensor([1.5, 0.6], dtype=torch.float64)  # where the plane's loss is least
HALF = torch.tensor(
    [[1.0, 0.0], [0.4, 0.8]], dtype=torch.float64
)  # its inputs; loss = mean (x (p - target))**2
STRENGTHS = torch.logspace(-2, 0.6, 131, dtype=torch.float64)
# Alt texts: what each figure says, at every profile.
ONE_WEIGHT = (
    "Left, a parabola with its minimum at 0.7; with z squared added the minimum moves part of the way "
    "to zero, with the size of z added it sits on the kink at zero. Right, the best weight against a: "
    "with the size of z it is zero for a from −1 to 1."
)
TWO_BALLS = (
    "Elliptical contours of a loss, twice, and a line from the minimum of the loss towards zero. On a "
    "diamond the lowest point is a corner, on an axis. On a disc it is beside the axis."
)
RIDGE_AND_LASSO = (
    "Ten weights against strength, which weakens to the right; s1, s2, s3 and s6 in colour. Left, under"
    " ridge, rings on the axis mark where weights cross zero; s3 goes down and turns, s1 and s2 run "
    "apart at the end. Right, under the lasso, lines lie on zero over ranges of strengths."
)
ONE_OF_EACH = (
    "Size of one weight against the step, logarithmic. Under proximal steps its line ends at a "
    "triangle: after that it is exactly zero. Under subgradient steps it goes up and down below a "
    "dashed line at 2ηλ₁ and does not end."
)
RADII = (
    "Left, the sum of sizes of the lasso's weights against the strength: it begins below that of least "
    "squares, a dashed line, and falls to zero. Right, one weight against the strength: it falls slowly, "
    "drops at once from above 1 to nearly zero, and stays there."
)
WIDE_ERRORS = (
    "Error on new patients against the number of patients to learn from, logarithmic, with the mean's "
    "error as 1. Least squares is above 1 and rises. Ridge and lasso are below 1, and ridge on ten "
    "columns is lowest."
)
WHO_IS_NEARER = (
    "Squared distance to the truth against the number of true weights that are not zero. Ridge and no "
    "penalty are level below 1, and lie on one another. The lasso begins near zero, rises, and ends "
    "above them."
)
CUT_OR_PENALISED = (
    "Accuracy against the share of weights that are zero, two lines with their bands: nets that took "
    "proximal steps, and nets without a penalty that were cut as far. A dashed line is the whole net."
)
BALL = (
    "Left, the elliptical contours of a loss and a diamond around zero; the solution is a corner of the"
    " diamond, on an axis. Right, both weights against strength: the second reaches zero first, well "
    "before the first."
)

SLIDERS = {  # of `ball`
    "strength": [0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0],
    "l1_share": [0.0, 0.25, 0.5, 0.75, 1.0],
}
BALL_AT = {1.0: 0.7, 0.0: 0.5}  # share of L1 -> strength


def shrunk(a: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Where (z - a)**2 / 2 + strength * |z| is least, and where (z - a)**2 / 2 + strength * z**2 is."""
    return soft_threshold(a, strength), a / (1 + 2 * strength)


def one_weight() -> Figure:
    """One weight under both penalties: the losses for a = 0.7, and the minimum against a."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.0, 3.7))
    z, a = torch.linspace(-1, 1.6, 261, dtype=torch.float64), 0.7
    for name, color, values, best in (
        ("loss alone", NONE, (z - a) ** 2 / 2, a),
        ("with |z|", L1, (z - a) ** 2 / 2 + z.abs(), 0.0),
        ("with z²", L2, (z - a) ** 2 / 2 + z**2, a / 3),
    ):
        low = values.min().item()
        left.plot(z[values < 1.6], values[values < 1.6], color=color, label=f"_{name}")
        left.plot(best, low, marker="o", color=color, label="_minimum")
    for x, y, text, color in (
        (1.13, 0.0, "loss alone", NONE),
        (-0.45, 1.3, "+ |z|", L1),
        (0.62, 0.2, "+ z²", L2),
    ):
        left.text(x, y, text, color=color)
    left.set_ylim(-0.05, 1.65)
    plotting.finish(left, title="|z| puts the minimum on its kink", x="weight z", y="loss", names=False)
    inputs = torch.linspace(-3, 3, 301, dtype=torch.float64)
    lasso, ridge = shrunk(inputs, 1.0)
    right.plot(inputs, inputs, color=NONE, linewidth=1.0, label="none")
    right.plot(inputs, lasso, color=L1, label="|z|")
    right.plot(inputs, ridge, color=L2, label="z²")
    plotting.finish(
        right, title="A whole range of a ends at zero", x="minimum a of the loss", y="best weight"
    )
    return figure


def two_balls() -> Figure:
    """The least loss on a diamond and on a disc that both keep the minimum of the loss out."""
    figure, axes = plotting.subplots(1, 2, size=(8.2, 3.9), sharey=True)
    for ax, share, name in zip(axes, (1.0, 0.0), ("Σ|θ|: a corner", "Σθ²: no corner"), strict=True):
        _draw_ball(ax, BALL_AT[share], share)
        plotting.finish(ax, title=name, x="θ₁", y="θ₂", names=False)
    axes[0].text(TARGET[0] - 0.1, TARGET[1] + 0.17, "least loss", color=plotting.INK, ha="center")
    axes[1].set_ylabel("")
    return figure


def ridge_and_lasso(
    ridge: tuple[Tensor, Tensor], lasso: tuple[Tensor, Tensor], zeros: Sequence[tuple[int, float]],
    features: Sequence[str],
) -> Figure:  # fmt: skip
    """Weights against strength, four of them in colour; a ring where a ridge weight is zero.

    Args:
        ridge, lasso: strengths (K,) and weights (K, d) each.
        zeros: (column, strength) of ridge.
        features: names of the d columns.
    """
    figure, axes = plotting.subplots(1, 2, size=(9.4, 4.3), sharey=True)
    titles = ("Ridge: weights cross zero and go on", "Lasso: weights rest at zero")
    for ax, (strengths, weights), title, symbol in zip(
        axes, (ridge, lasso), titles, ("λ₂", "λ₁"), strict=True
    ):
        plotting.log_ticks(ax, "x")
        ax.plot(strengths, 0 * strengths, color=plotting.GREY, linewidth=0.8, zorder=1, label="_axis")
        for j, name in enumerate(features):
            known = name in FOLLOWED
            color = FOLLOWED.get(name, plotting.LIGHT)
            ax.plot(
                strengths,
                weights[:, j],
                color=color,
                label=name if known else f"_{name}",
                zorder=3 if known else 2,
            )
        ax.invert_xaxis()
        plotting.finish(ax, title=title, x=f"strength {symbol} (weaker to the right)", y="weight")
    for column, strength in zeros:
        color = FOLLOWED.get(features[column], plotting.GREY)
        axes[0].plot(
            strength, 0, "o", mfc="white", mec=color, markersize=6.5, mew=1.6, label="_zero", zorder=6
        )
    axes[1].set_ylabel("")
    return figure


def one_of_each(subgradient: ArrayLike, proximal: ArrayLike, *, bound: float) -> Figure:
    """Size of one weight that the lasso sets to zero, step by step, for both methods.

    Args:
        subgradient, proximal: (T,).
        bound: twice the rate times the strength.
    """
    figure, axes = plotting.subplots(size=(6.6, 3.7))
    axes.set_yscale("log")
    for values, color, name in ((subgradient, L2, "subgradient"), (proximal, L1, "proximal")):
        size = np.abs(np.asarray(values, float))
        size[size == 0] = np.nan  # a logarithm has no place for it: the line ends
        axes.plot(np.arange(1, len(size) + 1), size, color=color, linewidth=1.3, label=f"_{name}")
        last = np.flatnonzero(np.isfinite(size))[-1]
        if last + 1 < len(size):
            axes.plot(last + 1, size[last], marker="v", markersize=9, color=color, label="_end")
            axes.text(last + 4, 0.3, "proximal: after the triangle it is zero", color=color, va="center")
    steps = len(np.asarray(subgradient))
    plotting.theory(axes, [1, steps], [bound, bound], label="_2ηλ₁")
    axes.text(steps, bound * 1.25, "2ηλ₁", color=plotting.INK, ha="right", va="bottom")
    axes.text(steps, bound / 60, "subgradient", color=L2, ha="right")
    axes.set_ylim(bound / 1e3, 3)
    title = "One lands on zero, the other keeps stepping over it"
    plotting.finish(axes, title=title, x="step", y="size of the weight", names=False)
    return figure


def radii(strengths: Tensor, lasso: Tensor, dented: tuple[Tensor, Tensor], least_squares: float) -> Figure:
    """The radius of the ball that does the same as a strength: on the diabetes data, and under a dented loss.

    Args:
        strengths, lasso: (K,), and the sum of sizes of the lasso's weights at each.
        dented: strengths (M,), and the one weight of least penalised loss at each.
        least_squares: the sum of sizes without a penalty.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.9))
    for ax in (left, right):
        plotting.log_ticks(ax, "x")
    left.plot(strengths, lasso, color=L1, label="_radius")
    left.axhline(least_squares, **plotting.THEORY)
    left.text(strengths[0], least_squares - 0.17, "least squares", color=plotting.INK, ha="right")
    left.set_ylim(-0.08, 1.1 * least_squares)
    plotting.finish(
        left, title="A convex loss: each radius once", x="strength λ₁", y="radius Σ|θ|", names=False
    )
    x, z = dented
    jump = int(z.diff().abs().argmax())
    right.plot(x[: jump + 1], z[: jump + 1], color=L1, label="_radius")
    right.plot(x[jump + 1 :], z[jump + 1 :], color=L1, label="_radius")
    right.plot(
        x[jump : jump + 2], z[jump : jump + 2], color=L1, linewidth=1, linestyle=(0, (1, 2)), label="_jump"
    )
    right.text(x[jump] * 0.7, 0.5, "no strength\ngives these", color=plotting.INK, ha="right", va="center")
    plotting.finish(right, title="A dented loss: a jump", x="strength λ₂", y="radius |z|", names=False)
    return figure


def wide_errors(sizes: Sequence[int], errors: Mapping[str, Tensor]) -> Figure:
    """Error on new patients, with that of the mean as 1, against the number of patients to learn from.

    Args:
        sizes: (N,).
        errors: name -> (S, N), of "least squares", "ridge", "lasso" on all columns, "ridge, ten columns".
    """
    figure, axes = plotting.subplots(size=(6.8, 4.1))
    plotting.log_ticks(axes)
    colours = {"least squares": plotting.INK, "ridge": L2, "lasso": L1, "ridge, ten columns": plotting.GREEN}
    for name, color in colours.items():
        plotting.band(axes, sizes, errors[name], label=f"_{name}", color=color)
        plotting.measured(axes, sizes, errors[name].mean(0), label="_mean", color=color)
    axes.axhline(1, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    middle = sizes[len(sizes) // 2]
    axes.text(sizes[0], 1.07, "predicting the mean", color=plotting.GREY)
    axes.text(middle * 0.97, 4.4, "least squares", color=plotting.INK, ha="right")
    named = [name for name in colours if name != "least squares"]
    handles = [Line2D([], [], color=colours[name], marker="o", markersize=5, label=name) for name in named]
    axes.legend(handles=handles, frameon=False, loc="upper left")
    axes.set_ylim(0.4, 20)
    axes.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    title = "285 columns: least squares is worse than the mean"
    plotting.finish(axes, title=title, x="patients to learn from", y="error, the mean's = 1", names=False)
    return figure


def who_is_nearer(counts: Sequence[int], errors: Mapping[str, Tensor]) -> Figure:
    """Squared distance to the true weights, zero weights' = 1, against how many of them are not zero.

    Args:
        counts: (K,).
        errors: name -> (S, K), of "ridge", "lasso" and "no penalty".
    """
    figure, axes = plotting.subplots(size=(6.6, 3.9))
    plotting.log_ticks(axes, "x")
    for name, color in (("no penalty", plotting.INK), ("ridge", L2), ("lasso", L1)):
        plotting.band(axes, counts, errors[name], label=f"_{name}", color=color)
        plotting.measured(axes, counts, errors[name].mean(0), label="_mean", color=color)
    axes.axhline(1, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.text(counts[0], 1.03, "all weights zero", color=plotting.GREY)
    axes.text(counts[1], 0.73, "ridge, and no penalty", color=L2, ha="center")
    axes.text(counts[2] * 1.25, 0.3, "lasso", color=L1)
    axes.set_ylim(0, 1.2)
    axes.set_xticks(list(counts), [str(count) for count in counts])
    title = "60 examples: the lasso needs a truth with few weights"
    x, y = "true weights that are not zero, of 400", "squared distance to the truth"
    plotting.finish(axes, title=title, x=x, y=y, names=False)
    return figure


def cut_or_penalised(
    shares: Sequence[Tensor], scores: Mapping[str, Sequence[Tensor]], none: Tensor
) -> Figure:
    """Accuracy of nets against the share of their weights that are zero, two ways to get there.

    Args:
        shares: of zeros under proximal steps, (S,) for each strength.
        scores: name -> (S,) for each strength, of "proximal" and "no penalty, then cut".
        none: (S,), the accuracies of whole nets without a penalty.
    """
    figure, axes = plotting.subplots(size=(6.6, 4.0))
    x = [100 * float(share.mean()) for share in shares]
    for name, color in (("proximal", L1), ("no penalty, then cut", plotting.INK)):
        y = 100 * torch.stack(list(scores[name]), 1)
        plotting.band(axes, x, y, label=f"_{name}", color=color)
        plotting.measured(axes, x, y.mean(0), label=name, color=color)
    whole = 100 * float(none.mean())
    axes.axhline(whole, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.text(x[-1], whole + 0.06, "the whole net", color=plotting.GREY, ha="right")
    axes.margins(y=0.12)
    axes.legend(frameon=False, loc="lower left")
    title = "Zeros by a penalty, and zeros by a cut"
    plotting.finish(axes, title=title, x="weights that are zero, %", y="validation accuracy, %", names=False)
    return figure


@functools.cache
def plane_path(l1_share: float) -> Tensor:
    """Minima of loss + strength * (share |p| + (1 - share) p²), one row per entry of STRENGTHS."""
    return elastic_net(HALF, HALF @ TARGET, l1_share * STRENGTHS, (1 - l1_share) * STRENGTHS, steps=400)


def ball(strength: float, l1_share: float) -> Figure:
    """A penalised minimum among the loss's contours and on the penalty's ball, and both weights' paths."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.9))
    path = plane_path(l1_share).numpy()
    zeros = int((path[_nearest(strength)] == 0).sum())
    zeros_text = ("no weight is zero", "one weight is zero", "both are zero")[zeros]
    _draw_ball(left, strength, l1_share)
    plotting.finish(
        left, title=f"Strength {strength:g}, share {l1_share:g}: {zeros_text}", x="θ₁", y="θ₂", names=False
    )
    plotting.log_ticks(right, "x")
    for j, (name, color) in enumerate((("θ₁", plotting.BLUE), ("θ₂", plotting.PURPLE))):
        right.plot(STRENGTHS[path[:, j] != 0], path[path[:, j] != 0, j], color=color, label=f"_{name}")
        right.text(STRENGTHS[0], path[0, j] - 0.12, name, color=color)
    right.axvline(strength, color=L1, linewidth=1.2)
    right.set_ylim(-0.05, 1.65)
    title = "A line ends where its weight is zero" if (path == 0).any() else "No line ends: no weight is zero"
    plotting.finish(right, title=title, x="strength", y="weight", names=False)
    return figure


def _nearest(strength: float) -> int:
    return int((STRENGTHS - strength).abs().argmin())


def _draw_ball(axes: Axes, strength: float, l1_share: float) -> None:
    """The loss's contours, the path of solutions, and the ball of the one at this strength."""
    path = plane_path(l1_share).numpy()
    here = path[_nearest(strength)]

    def penalty(p: Tensor) -> Tensor:
        return l1_share * p.abs().sum(-1) + (1 - l1_share) * p.square().sum(-1)

    def loss(p: Tensor) -> Tensor:
        return ((p - TARGET) @ HALF.T).square().mean(-1)

    plotting.contours(axes, loss, ((-1.3, 2.3), (-1.3, 1.5)))
    axis = torch.linspace(-2.5, 2.5, 401, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    level = float(penalty(torch.from_numpy(here)))
    if level > 1e-6:
        axes.contourf(axis, axis, penalty(grid), levels=[0, level], colors=[plotting.SKY], alpha=0.25)
    axes.plot(path[:, 0], path[:, 1], color=L1, label="_path")
    axes.plot(*here, marker="o", markersize=8, color=L1, markeredgecolor="white", label="_here")
    axes.plot(*TARGET.tolist(), marker="*", markersize=11, color=plotting.INK, label="_minimum")
    axes.axhline(0, color=plotting.LIGHT, linewidth=0.8)
    axes.axvline(0, color=plotting.LIGHT, linewidth=0.8)
    axes.set_aspect("equal")
