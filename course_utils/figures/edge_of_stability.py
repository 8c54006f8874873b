"""The figures of lesson 20."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting

TWO_RATE = 0.5  # of the net of two weights
TWO_STARTS = {"comes in": (0.35, 1.5), "is thrown": (2.25, 0.1), "is lost": (2.88, 0.07)}
TWO_COLOURS = {"comes in": plotting.BLUE, "is thrown": plotting.PURPLE, "is lost": plotting.VERMILION}
RATE_COLOURS = (plotting.GREY, plotting.SKY, plotting.BLUE, plotting.PURPLE, plotting.ORANGE)

# What each figure shows, in words.
TWO_WEIGHTS = (
    "Left, the plane of two weights with two circles. Starts within the inner one come straight in, a start "
    "between the circles is thrown along the axis and lands within the inner one, starts outside of the "
    "outer one are lost. Right, the sharpness along the three paths: one stays, one falls below 2/η, one "
    "rises."
)
PRODUCTS = (
    "Relative error of the largest eigenvalue against the number of products, logarithmic. Lanczos's method "
    "falls steeply to rounding error; the power iteration falls slowly."
)
SAME_CURVE = (
    "Sharpness against steps times rate, logarithmic. All rates follow one rising curve. A small rate stays "
    "on it. Each larger rate leaves it where it meets its own dashed line at 2/η, and goes on along that "
    "line, or a little above it; the largest begins above its line and falls towards it."
)
WINDOW = (
    "ηλ/2 at the end against the rate, one dot for each seed, for the digits' own labels and for random "
    "ones. Dots rise along dashed lines of theory up to one and stay there; random labels come to one at a "
    "lower rate. At the highest rate a cross marks nets that are lost."
)
HELD = (
    "Sharpness against the step in two panels. Left, the rate is changed midway: raised, the sharpness drops "
    "to the new 2/η; lowered, it climbs. Right, the step is made with less of its part along one direction: "
    "with 0.1 of it along the sharpest the sharpness climbs past 4/η on average, with half it climbs to 4/η "
    "and stops, without the second sharpest it stays a little above 2/η."
)
THROWN = (
    "Left, ηλ and the loss of one net in the first steps after a start above the edge: ηλ falls from 3 to "
    "about 2 within a few steps, and the loss falls. Right, the highest ηλ at the start at which nets are "
    "caught, one row of dots for each kind of net: small weights lowest, below 2, with a warm-up as well; "
    "wide tanh nets between 4 and 6; large weights, and our net with a warm-up, far higher."
)
LIMITS = (
    "ηλ at the end, one row of dots for each way to step. Gradient descent lies near 2; momentum "
    "near its own marks, higher the larger β is; batches of 10 near 2, smaller ones below, the smaller the "
    "lower."
)
ENTROPY = (
    "ηλ/2 against the step under cross-entropy, logarithmic, at two rates. With one label for each digit "
    "the lines fall from the edge to a few hundredths of it, with smoothed labels to about a third. With "
    "two labels they stay at the edge."
)
ONE_RATE = (
    "Left, sharpness against the step at one rate, with a dashed line at 2/η: it rises to the line and "
    "stays. Right, the loss, logarithmic: it falls, and swings once the sharpness is at the line."
)


# --- two weights -----------------------------------------------------------------------------------


def two_weights_path(start: tuple[float, float], lr: float, steps: int) -> Tensor:
    """Points (steps + 1, 2) of gradient descent on (a b)**2 / 2; a point stays once it is far away."""
    p = torch.tensor(start, dtype=torch.float64)
    path = [p]
    for _ in range(steps):
        q = p - lr * p.prod() * p.flip(0)
        p = q if bool(q.abs().max() < 1e3) else p
        path.append(p)
    return torch.stack(path)


@functools.cache
def two_weights_ends(lr: float, half: float, *, grid: int = 161, steps: int = 400) -> Tensor:
    """a**2 + b**2 (grid, grid) where descent on (a b)**2 / 2 ends; NaN for a start that is lost."""
    xs = torch.linspace(-half, half, grid, dtype=torch.float64)
    a, b = torch.meshgrid(xs, xs, indexing="xy")
    for _ in range(steps):
        f = a * b
        a, b = (a - lr * f * b).clamp(-1e6, 1e6), (b - lr * f * a).clamp(-1e6, 1e6)
    return torch.where((a * b).abs() < 1, a**2 + b**2, torch.nan)


def two_weights(lr: float = TWO_RATE) -> Figure:
    """Where descent on (a b)**2 / 2 ends from each start, three paths, and their sharpness a**2 + b**2."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 4.3), width_ratios=(1, 1.15))
    half = 3.3
    ends = two_weights_ends(lr, half).numpy()
    xs = np.linspace(-half, half, len(ends))
    shades = colormaps["Greys"].with_extremes(bad="#555555")
    left.pcolormesh(xs, xs, ends * lr, cmap=shades, vmin=-0.2, vmax=5.5, shading="nearest")
    turn = np.linspace(0, 2 * np.pi, 200)
    for product in (2, 4):
        radius = (product / lr) ** 0.5
        left.plot(radius * np.cos(turn), radius * np.sin(turn), color=plotting.INK, linewidth=1)
    for name, start in TWO_STARTS.items():
        path = two_weights_path(start, lr, 24)
        sharp = (path**2).sum(1)
        near = sharp < 10
        shown = path[: int(near.long().cumprod(0).sum())]
        plotting.path(left, shown, label="_path", color=TWO_COLOURS[name])
        left.plot(*start, "o", color=plotting.INK, markersize=4.5, zorder=5)
        steps = np.arange(len(sharp))
        kept = sharp < 14
        right.plot(steps[kept], sharp[kept], "o-", markersize=3.5, color=TWO_COLOURS[name], label=name)
    left.set(xlim=(-half, half), ylim=(-half, half))
    left.set_aspect("equal")
    for product in (2, 4):
        right.axhline(product / lr, **plotting.THEORY)
        right.text(24, product / lr + 0.12, f"{product}/η", ha="right", va="bottom")
    right.set(ylim=(0, 11), xlim=(-0.5, 24.5))
    plotting.finish(left, title="Inner circle λ = 2/η, outer 4/η", x="weight a", y="weight b", names=False)
    plotting.finish(right, title="Thrown: to a flatter place", x="step", y="sharpness λ", names=False)
    for name, (x, y) in {"comes in": (15, 1.65), "is thrown": (5.2, 5.4), "is lost": (4.2, 10)}.items():
        right.text(x, y, name, color=TWO_COLOURS[name], va="center")
    return figure


# --- eigenvalues -----------------------------------------------------------------------------------


def products(errors: Mapping[str, ArrayLike]) -> Figure:
    """Relative errors against the number of products with H; name -> (K,), K products in the last."""
    figure, axes = plotting.subplots(size=(6.6, 3.5))
    plotting.log_ticks(axes, "y")
    for (name, values), color in zip(errors.items(), (plotting.ORANGE, plotting.BLUE), strict=True):
        y = np.maximum(np.asarray(values, float), 1e-16)
        axes.plot(np.arange(1, len(y) + 1), y, "o-", markersize=4, linewidth=1, color=color, label=name)
    title = "Lanczos needs far fewer products"
    plotting.finish(axes, title=title, x="products with H", y="relative error")
    return figure


# --- the edge --------------------------------------------------------------------------------------


def same_curve(every: int, sharp: Tensor, rates: Sequence[float], shown: Sequence[float]) -> Figure:
    """Sharpness against η times steps, mean over seeds, with the limit 2/η of each rate.

    Args: every: steps between measurements. sharp: (R, S, K), one block for each of `rates`.
    """
    figure, axes = plotting.subplots(size=(7.4, 4.3))
    plotting.log_ticks(axes)
    for lr, color in zip(shown, RATE_COLOURS, strict=False):
        mean = sharp[list(rates).index(lr)].nanmean(0).numpy()  # of the nets that are not lost
        t = lr * every * np.arange(len(mean))
        axes.plot(t[1:], mean[1:], color=color, linewidth=2, label=f"η = {lr:g}")
        if 2 / lr < 8:
            line = np.array([t[1], t[-1]])
            plotting.theory(axes, line, np.full(2, 2 / lr), label="_edge")
    axes.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    axes.set_ylim(0.6, 8)
    title = "One curve for all rates, until each meets its 2/η (dashed)"
    plotting.finish(axes, title=title, x="η × steps", y="sharpness λ")
    return figure


def window(
    shares: Mapping[str, tuple[Sequence[float], Tensor]], predicted: Mapping[str, ArrayLike]
) -> Figure:
    """ηλ/2 at the end against η: dots for each seed, theory as thin lines, crosses for nets that are lost.

    Args:
        shares: labels -> rates (R,) and shares (R, S), NaN where a net is lost.
        predicted: labels -> rates (P,) and predicted means (P,), stacked as (2, P).
    """
    figure, axes = plotting.subplots(size=(7.0, 4.1))
    plotting.log_ticks(axes, "x")
    colours = dict(zip(shares, (plotting.BLUE, plotting.ORANGE), strict=True))
    for shift, (name, (rates, values)) in zip((0.98, 1.02), shares.items(), strict=True):
        x = np.repeat(np.asarray(rates) * shift, values.shape[1])
        plotting.measured(axes, x, values.flatten(), label=f"_{name}", color=colours[name])
        lost = values.isnan().any(1).numpy()
        axes.plot(
            np.asarray(rates)[lost] * shift, np.full(lost.sum(), 1.3), "x", color=colours[name], markersize=9
        )
        line = np.asarray(predicted[name])
        plotting.theory(axes, *line, label="_theory")
    axes.text(0.33, 0.42, "the digits' own labels", color=colours["own"], va="center")
    axes.text(0.13, 0.86, "random labels", color=colours["random"], va="center")
    axes.text(2.05, 1.3, "nets lost", ha="right", va="center")
    axes.set_ylim(0, 1.42)
    axes.set_xticks([0.1, 0.2, 0.4, 0.8, 1.6, 3.2], ["0.1", "0.2", "0.4", "0.8", "1.6", "3.2"])
    title = "Rates in a window reach the edge; labels move its lower end"
    plotting.finish(axes, title=title, x="rate η", y="ηλ/2 at the end", names=False)
    return figure


def held(
    every: int,
    changed: Mapping[str, Tensor],
    removed: Mapping[str, Tensor],
    lr: float,
    change: int,
    begin: int,
) -> Figure:
    """Sharpness against the step: left the rate is changed at `change`, right a direction is left out.

    Args: changed, removed: name -> (S, K), measured every `every` steps; of `removed` from `begin` on.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 3.9), sharey=True)
    colours = (plotting.BLUE, plotting.ORANGE, plotting.GREY)
    for axes, curves, first in ((left, changed, 0), (right, removed, begin)):
        for (name, values), color in zip(curves.items(), colours, strict=False):
            mean = values.mean(0).numpy()
            x = first + every * np.arange(len(mean))
            axes.plot(x, mean, color=color, linewidth=1.8, label=f"_{name}")
            below = name.startswith("half")  # the limit at 4/η is above it
            place = {"y": mean[-1] - 0.4, "va": "top"} if below else {"y": mean[-1] + 0.3, "va": "bottom"}
            axes.text(x[-1], s=name, color=color, ha="right", **place)
    plotting.theory(left, [0, change], [2 / lr, 2 / lr], label="_edge")
    for name, values in changed.items():
        ends, limit = [change, every * (values.shape[1] - 1)], 2 / float(name.split()[-1])
        plotting.theory(left, ends, [limit, limit], label="_edge")
    right.axhline(2 / lr, **plotting.THEORY)
    right.axhline(4 / lr, **plotting.THEORY)
    right.text(begin, 2 / lr - 0.25, "2/η", va="top")
    right.text(begin, 4 / lr + 0.15, "4/η", va="bottom")
    left.axvline(change, color=plotting.GREY, linewidth=0.9)
    left.set_ylim(0, 10)
    left.text(change / 2, 3.4, f"η = {lr:g}", ha="center", va="bottom")
    plotting.finish(left, title="Another rate midway", x="step", y="sharpness λ", names=False)
    plotting.finish(right, title="Less of the step, along one direction", x="step", y="", names=False)
    return figure


def thrown(losses: Tensor, sharp: Tensor, lr: float, caught: Mapping[str, Tensor]) -> Figure:
    """One net's first steps after a start above the edge; and up to where nets of each kind are caught.

    Args: losses, sharp: (T,), at each step. caught: kind -> (S,), the highest ηλ that is caught.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(10.0, 4.1), width_ratios=(1, 1.25))
    steps = np.arange(len(losses))
    left.plot(steps, sharp * lr, color=plotting.BLUE, linewidth=1.8, label="_sharp")
    left.plot(steps, losses / losses[0], color=plotting.VERMILION, linewidth=1.8, label="_loss")
    left.axhline(2, **plotting.THEORY)
    top = float(torch.cat([sharp * lr, losses / losses[0]]).max())
    left.text(
        steps[-1], float(sharp[-1]) * lr + 0.03 * top, "ηλ", color=plotting.BLUE, ha="right", va="bottom"
    )
    left.text(
        steps[-1], float(losses[-1] / losses[0]) + 0.03 * top, "loss / first loss", color=plotting.VERMILION,
        ha="right", va="bottom",
    )  # fmt: skip
    left.set_ylim(0, 1.1 * top)
    plotting.finish(left, title="Caught: ηλ falls to about 2", x="step", y="", names=False)
    plotting.log_ticks(right, "x")
    _rows(right, caught, {})
    for limit in (2, 4):
        right.axvline(limit, **plotting.THEORY)
    right.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    right.set_xlim(0.55, 29)
    title = "How far up depends on the net (dashed: 2, 4)"
    plotting.finish(right, title=title, x="highest ηλ at the start that is caught", y="", names=False)
    return figure


def limits(products: Mapping[str, Tensor], marks: Mapping[str, float]) -> Figure:
    """ηλ at the end, a row of dots for each way to step, with its limit as a mark.

    Args: products: name -> (S,). marks: name -> its limit.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.9))
    _rows(axes, products, marks)
    axes.axvline(2, **plotting.THEORY)
    axes.set_xlim(0, 4.2)
    title = "Momentum lifts the sharpness, small batches lower it"
    plotting.finish(axes, title=title, x="ηλ at the end (marks: 2 + 2β)", y="", names=False)
    return figure


def _rows(axes: Axes, rows: Mapping[str, Tensor], marks: Mapping[str, float]) -> None:
    heights = range(len(rows))[::-1]
    for height, (name, values) in zip(heights, rows.items(), strict=True):
        axes.axhline(height, color=plotting.LIGHT, linewidth=0.9, zorder=0)
        plotting.measured(axes, values, np.full(len(values), height), label=f"_{name}", color=plotting.BLUE)
        if name in marks:
            axes.plot(marks[name], height, "|", color=plotting.INK, markersize=17, mew=1.6, zorder=5)
    axes.set_yticks(list(heights), list(rows))
    axes.set_ylim(-0.6, len(rows) - 0.4)


def entropy(every: int, shares: Mapping[str, Tensor]) -> Figure:
    """ηλ/2 under cross-entropy against the step, mean over seeds; labels -> (2, S, K), higher rate thin."""
    figure, axes = plotting.subplots(size=(7.2, 3.9))
    plotting.log_ticks(axes, "y")
    colours = (plotting.BLUE, plotting.PURPLE, plotting.ORANGE)
    for (name, blocks), color in zip(shares.items(), colours, strict=True):
        for block, width, label in zip(blocks, (2.2, 1), (name, f"_{name}"), strict=True):
            mean = block.nanmean(0).numpy()
            axes.plot(every * np.arange(len(mean)), mean, color=color, linewidth=width, label=label)
    plotting.theory(axes, [0, every * (len(mean) - 1)], [1, 1], label="_edge")
    axes.set_ylim(0.01, 4)
    title = "Cross-entropy leaves the edge; with two labels each it stays"
    plotting.finish(axes, title=title, x="step (thick: η = 0.8, thin: 1.6)", y="ηλ/2 (dashed: the edge)")
    return figure


def one_rate(lr: float, every: int, sharp: Tensor, losses: Tensor) -> Figure:
    """Sharpness (S, K) and loss (S, T) at one rate, beside each other; one line for each seed."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.7))
    for one in sharp:
        left.plot(every * np.arange(len(one)), one, color=plotting.BLUE, linewidth=0.9, alpha=0.7)
    left.axhline(2 / lr, **plotting.THEORY)
    left.set_ylim(0, 9)
    plotting.log_ticks(right, "y")
    for one in losses:
        right.plot(np.arange(len(one)), one, color=plotting.VERMILION, linewidth=0.8, alpha=0.7)
    right.set_ylim(1e-5, 1)
    title = f"η = {lr:g}: sharpness (dashed: 2/η)"
    plotting.finish(left, title=title, x="step", y="sharpness λ", names=False)
    plotting.finish(right, title="The loss meanwhile", x="step", y="loss", names=False)
    return figure
