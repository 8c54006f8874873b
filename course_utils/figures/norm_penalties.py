"""The figures of lesson 12."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import intervals, plotting
from course_utils.linear_models import elastic_net
from course_utils.regularizers import soft_threshold

L1, L2, NONE = plotting.VERMILION, plotting.BLUE, plotting.GREY
CYCLE = (plotting.BLUE, plotting.VERMILION, plotting.GREEN, plotting.PURPLE, plotting.ORANGE, plotting.SKY)

TARGET = torch.tensor([1.5, 0.6], dtype=torch.float64)  # where the plane's loss is least
HALF = torch.tensor(
    [[1.0, 0.0], [0.4, 0.8]], dtype=torch.float64
)  # its inputs; loss = mean (x (p - target))**2
STRENGTHS = torch.logspace(-2, 0.6, 131, dtype=torch.float64)


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


def small_weights(subgradient: ArrayLike, proximal: ArrayLike, *, bound: float) -> Figure:
    """Size of the weights that the lasso sets to zero, step by step, for both methods.

    Args: subgradient, proximal: (T, J). bound: the hovering height of theory.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    axes.set_yscale("log")
    for values, color in ((subgradient, NONE), (proximal, L1)):
        sizes = np.abs(np.asarray(values, float))
        sizes[sizes == 0] = np.nan  # a logarithm has no place for it: the line ends
        axes.plot(np.arange(1, len(sizes) + 1), sizes, color=color, linewidth=1.0, label="_weight")
        for j in range(sizes.shape[1]):
            last = np.flatnonzero(np.isfinite(sizes[:, j]))
            if len(last) and last[-1] + 1 < len(sizes):
                axes.plot(last[-1] + 1, sizes[last[-1], j], marker="v", color=color, label="_end")
    steps = len(np.asarray(subgradient))
    plotting.theory(axes, [1, steps], [bound, bound], label="2ηλ₁")
    axes.set_ylim(1e-5, 2)
    axes.text(0.3, 0.95, "proximal: a line ends where its weight is zero", color=L1, transform=axes.transAxes)
    axes.text(0.3, 0.88, "subgradient: no line ends", color=NONE, transform=axes.transAxes)
    title = "Proximal steps land on zero, subgradient steps hover"
    plotting.finish(axes, title=title, x="step", y="size of the weight")
    return figure


def coefficient_paths(
    ridge: tuple[ArrayLike, ArrayLike, ArrayLike],
    lasso: tuple[ArrayLike, ArrayLike, ArrayLike],
    names: Sequence[str],
) -> Figure:
    """Weights against strength, each argument (strengths (K,), ours (K, d), scikit-learn's (K, d))."""
    figure, axes = plotting.subplots(1, 2, size=(9.6, 4.2), sharey=True)
    titles = ("Ridge shrinks all and drops none", "The lasso drops one after another")
    for ax, (strengths, ours, theirs), title, symbol in zip(
        axes, (ridge, lasso), titles, ("λ₂", "λ₁"), strict=True
    ):
        x, p, q = (np.asarray(v, float) for v in (strengths, ours, theirs))
        largest = np.argsort(-np.abs(p).max(0))
        plotting.log_ticks(ax, "x")
        for rank, j in enumerate(largest):
            color = CYCLE[rank] if rank < 4 else plotting.LIGHT
            ax.plot(x, p[:, j], color=color, label=names[j] if rank < 4 else f"_{names[j]}", zorder=10 - rank)
            ax.plot(
                x[::4], q[::4, j], marker=".", linestyle="", color=color, label="_theirs", zorder=10 - rank
            )
        ax.invert_xaxis()
        plotting.finish(ax, title=title, x=f"strength {symbol} (weaker to the right)", y="weight")
    axes[1].set_ylabel("")
    return figure


def risk_against_strength(
    strengths: ArrayLike, worlds: Mapping[str, tuple[ArrayLike, ArrayLike]], *, prior: float
) -> Figure:
    """Squared distance to the truth for ridge and lasso in the dense and the sparse world.

    Args: strengths: (K,). worlds: title -> (ridge (S, K), lasso (S, K)). prior: the first world's strength.
    """
    figure, axes = plotting.subplots(1, len(worlds), size=(9.2, 3.9), sharey=True)
    x = np.asarray(strengths, float)
    for k, (title, (ridge, lasso)) in enumerate(worlds.items()):
        plotting.log_ticks(axes[k], "x")
        plotting.band(axes[k], x, ridge, label="_ridge", color=L2)
        plotting.band(axes[k], x, lasso, label="_lasso", color=L1)
        if k == 0:
            axes[k].axvline(prior, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
            axes[k].text(prior * 0.9, 0.6, "σ²/(nτ²)", ha="right", color=plotting.INK)
        for values, color in ((ridge, L2), (lasso, L1)):
            mean = intervals.band(values)[0]
            j = int(mean.argmin())
            axes[k].plot(x[j], mean[j], marker="o", color=color)
        axes[k].set_ylim(0, None)
        plotting.finish(
            axes[k], title=title, x="strength λ₁ or λ₂", y="squared distance to the truth", names=False
        )
    axes[0].text(0.03, 0.94, "ridge", color=L2, transform=axes[0].transAxes)
    axes[0].text(0.03, 0.86, "lasso", color=L1, transform=axes[0].transAxes)
    axes[1].set_ylabel("")
    return figure


def kept_against_ratio(ratios: ArrayLike, kept: ArrayLike) -> Figure:
    """How many of six size features are kept against scikit-learn's l1_ratio. Args: (K,) and (S, K)."""
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    x = np.asarray(ratios, float)
    plotting.band(axes, x, kept, label="_kept", color=L1)
    axes.plot(x, np.asarray(kept, float).mean(0), marker="o", linestyle="", color=L1, label="_points")
    axes.set(ylim=(0, 6.2), yticks=range(7))
    axes.invert_xaxis()
    title = "The lasso keeps one size feature, the elastic net more"
    plotting.finish(
        axes, title=title, x="l1_ratio (1 is the lasso)", y="size features kept, of 6", names=False
    )
    return figure


def zeros_and_accuracy(
    strengths: ArrayLike, zeros: Mapping[str, ArrayLike], accuracy: Mapping[str, ArrayLike], none: ArrayLike
) -> Figure:
    """A net under L1: share of exact zeros, and validation accuracy, by proximal and subgradient steps.

    Args: strengths: (K,). zeros, accuracy: method -> (S, K). none: (S,), accuracies without penalty.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.8))
    x, colors = np.asarray(strengths, float), {"proximal": L1, "subgradient": NONE}
    for method, color in colors.items():
        plotting.band(left, x, 100 * np.asarray(zeros[method]), label=f"_{method}", color=color)
        plotting.band(right, x, 100 * np.asarray(accuracy[method]), label=f"_{method}", color=color)
    left.text(x[1], 55, "proximal", color=L1, ha="center")
    left.text(x[-1], 4, "subgradient", color=NONE, ha="right")
    level = 100 * float(np.asarray(none).mean())
    right.axhline(level, color=plotting.INK, linewidth=1.0, linestyle=(0, (5, 3)))
    right.text(x[-1], level + 0.15, "no penalty", ha="right", color=plotting.INK)
    left.set_ylim(-2, 100)
    plotting.finish(
        left,
        title="Only the proximal step removes weights",
        x="strength λ₁",
        y="weights that are zero, %",
        names=False,
    )
    plotting.finish(
        right,
        title="Accuracy is nearly the same",
        x="strength λ₁",
        y="validation accuracy, %",
        names=False,
    )
    return figure


@functools.cache
def plane_path(l1_share: float) -> Tensor:
    """Minima of loss + strength * (share |p| + (1 - share) p²), one row per entry of STRENGTHS."""
    return elastic_net(HALF, HALF @ TARGET, l1_share * STRENGTHS, (1 - l1_share) * STRENGTHS, steps=400)


def ball(strength: float, l1_share: float) -> Figure:
    """A penalised minimum among the loss's contours and on the penalty's ball, and both weights' paths."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.9))
    path = plane_path(l1_share).numpy()
    k = int((STRENGTHS - strength).abs().argmin())

    def penalty(p: Tensor) -> Tensor:
        return l1_share * p.abs().sum(-1) + (1 - l1_share) * p.square().sum(-1)

    def loss(p: Tensor) -> Tensor:
        return ((p - TARGET) @ HALF.T).square().mean(-1)

    plotting.contours(left, loss, ((-1.3, 2.3), (-1.3, 1.5)))
    axis = torch.linspace(-2.5, 2.5, 401, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    level = float(penalty(torch.from_numpy(path[k])))
    if level > 1e-6:
        left.contourf(axis, axis, penalty(grid), levels=[0, level], colors=[plotting.SKY], alpha=0.25)
    left.plot(path[:, 0], path[:, 1], color=L1, label="_path")
    left.plot(*path[k], marker="o", markersize=8, color=L1, markeredgecolor="white", label="_here")
    left.plot(*TARGET.tolist(), marker="*", markersize=11, color=plotting.INK, label="_minimum")
    left.axhline(0, color=plotting.LIGHT, linewidth=0.8)
    left.axvline(0, color=plotting.LIGHT, linewidth=0.8)
    left.set_aspect("equal")
    zeros = int((path[k] == 0).sum())
    zeros_text = ("no weight is zero", "one weight is zero", "both are zero")[zeros]
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
