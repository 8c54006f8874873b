"""The figures of lesson 14."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from course_utils import plotting

# Two inputs with covariance SIGMA and a standardised target, which the best weights explain to RHO².
SIGMA = torch.tensor([[3.25, 1.3], [1.3, 1.75]], dtype=torch.float64)
RHO = 0.9
BEST = torch.tensor([0.8, 0.6], dtype=torch.float64)  # a direction
BEST = RHO * BEST / (BEST @ SIGMA @ BEST).sqrt()
C = SIGMA @ BEST  # E[x t]
EDGE = 1 / float(
    torch.linalg.eigvalsh(SIGMA)[-1]
)  # largest stable rate of the plain loss: 2 over 2 * eigenvalue
START = torch.tensor([-1.15, 0.1], dtype=torch.float64)
STEPS = 40
SLIDERS = {  # of `path_and_loss`
    "rate": (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200),
    "length": (0.25, 0.5, 1, 2, 4, 8),
}
VIEW = ((-2.57, 3.43), (-2.2, 2.6))  # no point of its grid is the origin, where nothing is defined
NORM, PLAIN = plotting.colour("batch norm"), plotting.colour("plain")

# What each figure shows, in words.
BOWL = (
    "Two planes of weights with gradient descent at one rate. Left, the contours are ellipses and the "
    "path jumps from side to side, out of the picture. Right, they are rays, and the path bends round "
    "towards the best ray; its steps grow at first, then they get smaller and smaller."
)
ROWS = (
    "A table of accuracies, coloured: a row for the part of the net that is stepped at another rate, a "
    "column for each rate. The row of the weights before a norm fades beyond 256, nearly to frozen weights. "
    "The last norm and the last layer, each alone, are bright up to 16; moved together they are dark there. "
    "All but these two are bright up to 256."
)
PLANE = (
    "Left, gradient descent at rate 1 from weights of length 1: three long steps around the origin, then "
    "small ones to the best ray. Right, its loss falls far, while the plain loss goes off the "
    "top at once."
)
EFFECTIVE = (
    "Effective rate against the rate, both logarithmic. Weights of fixed length would give a straight "
    "rising line. The measured dots leave it, level off and fall far; the dashed bound has a peak, and no "
    "dot is above it."
)
MAP = (
    "A map of accuracies: rates of the last layer across, rates of the last norm's γ and β upwards. The "
    "bright part ends along a falling diagonal, on which the product of the two rates is constant; a "
    "dashed line marks it."
)
PLACES = (
    "The largest rate that trains a deep net, against where its norms stand. Left, four hidden layers: the "
    "rate rises from no norm over one in the first layer and three in the first three to one in the last, "
    "which comes near norms in all. Right, eight: one norm in the last stays far below norms in all."
)
TRANSFORMERS = (
    "Validation loss of two small transformers at four rates of Adam. Left, with one block, the three "
    "lines nearly coincide. Right, with four blocks, they do so at the two lower rates; at 0.05 norms last "
    "lie above the other two; at 0.1 the loss is lowest with norms first, higher with norms last, and "
    "without norms the line leaves the picture."
)
BATCHES = (
    "Two panels. Left, the root mean square difference of the two modes falls with the batch size, along "
    "the dashed theory. Right, validation accuracy against the examples that a norm sees at a time, with as "
    "many examples in all: layer norm's curve is level; batch norm joins it at 8 and 32 and lies far below "
    "at 2, and with accumulated gradients between the two."
)


def plain_loss(w: Tensor) -> Tensor:
    """E(w·x - t)² for weights (..., 2)."""
    return 1 - 2 * w @ C + ((w @ SIGMA) * w).sum(-1)


def normalised_loss(w: Tensor) -> Tensor:
    """E(w·x / std(w·x) - t)² for weights (..., 2): the loss behind a batch norm over all the data."""
    return 2 - 2 * w @ C / ((w @ SIGMA) * w).sum(-1).sqrt()


def plain_grad(w: Tensor) -> Tensor:
    return 2 * (w @ SIGMA - C)


def normalised_grad(w: Tensor) -> Tensor:
    s = ((w @ SIGMA) * w).sum(-1, keepdim=True).sqrt()
    return 2 * (((w @ C)[..., None] * (w @ SIGMA)) / s**3 - C / s)


def descend(rate: float | Tensor, w: Tensor, steps: int, *, normalised: bool) -> Tensor:
    """Points (steps + 1, ..., 2) of gradient descent; `rate` broadcasts with w (..., 2)."""
    grad, path = normalised_grad if normalised else plain_grad, [w]
    for _ in range(steps):
        path.append(path[-1] - rate * grad(path[-1]))
    return torch.stack(torch.broadcast_tensors(*path))


def bowl_and_rays(rate: float = 1.3 * EDGE, steps: int = 12) -> Figure:
    """One rate beyond the edge of stability: the plain loss throws the point out, the normalised does not."""
    figure, both = plotting.subplots(1, 2, size=(9.2, 4.0), sharex=True, sharey=True)
    cases = (
        ("Plain: every step goes further out", plain_loss, "plain", False),
        ("Batch norm: only the direction counts", normalised_loss, "batch norm", True),
    )
    for axes, (title, loss, key, normalised) in zip(both, cases, strict=True):
        plotting.contours(axes, loss, VIEW, levels=12)
        points = descend(rate, START, steps, normalised=normalised)
        plotting.path(axes, points, label="_path", color=plotting.colour(key))
        _start(axes, START, points[1])
        plotting.finish(axes, title=title, x="w₁", y="w₂", names=False)
    both[0].plot(*BEST.tolist(), marker="*", color=plotting.INK, markersize=11, label="_minimum")
    _best_ray(both[1], 10.0)
    both[1].annotate("least loss", (2.3, 1.85), rotation=37, ha="center", va="bottom", rotation_mode="anchor")
    both[1].set_ylabel("")
    return figure


def path_and_loss(rate: float, length: float = 1.0, steps: int = STEPS) -> Figure:
    """Gradient descent on the normalised loss: where it goes, and its loss beside that of the plain net."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.9))
    start = length * START / START.norm()
    points = descend(rate, start, steps, normalised=True)
    _plane(left, start, points)
    grown = float(points[-1].norm() / start.norm())
    across = f"w₁   (‖w‖ grows {_short(grown)}-fold)"
    plotting.finish(left, title=f"η = {_short(rate)}: the path", x=across, y="w₂", names=False)
    t = np.arange(steps + 1)
    plain = plain_loss(descend(rate, start, steps, normalised=False)) - (1 - RHO**2)
    right.plot(t, plain.clamp(max=1e30), color=plotting.colour("plain"), label="_plain")
    right.plot(t, _above(points), color=plotting.colour("batch norm"), label="batch norm")
    plotting.log_ticks(right, "y")
    right.set(ylim=(1e-6, 1e2), xlim=(0, steps))
    fate = "plain (grey): diverges" if rate > EDGE else "plain (grey): converges"
    right.text(0.97, 0.93, fate, transform=right.transAxes, ha="right", color=plotting.colour("plain"))
    plotting.finish(right, title="Loss above its minimum", x="step", y="loss − least loss")
    return figure


def _plane(axes: Axes, start: Tensor, points: Tensor) -> None:
    """The rays, the best of them, and a path among them; the view grows with the path."""
    reach = 1.15 * float(points.abs().max())
    plotting.contours(axes, normalised_loss, ((-reach, reach), (-0.49 * reach, 1.1 * reach)), levels=12)
    _best_ray(axes, 3 * reach)
    plotting.path(axes, points, label="_path", color=plotting.colour("batch norm"))
    _start(axes, start, points[1])


def _above(points: Tensor) -> Tensor:
    """Normalised loss above its minimum."""
    return normalised_loss(points) - (2 - 2 * RHO)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _best_ray(axes: Axes, reach: float) -> None:
    """The weights of least normalised loss: a ray from the origin."""
    far = reach * BEST / BEST.norm()
    axes.plot([0, far[0]], [0, far[1]], **plotting.THEORY, label="_best")


def _start(axes: Axes, start: Tensor, after: Tensor) -> None:
    """A dot and its name, on the side that the first step does not take."""
    axes.plot(*start.tolist(), "o", color=plotting.INK, markersize=5, label="_start", zorder=6)
    side = -1 if float(after[1]) > float(start[1]) else 1
    axes.annotate(
        "start",
        (float(start[0]), float(start[1])),
        xytext=(0, 9 * side),
        textcoords="offset points",
        ha="center",
        va="center",
    )


def rate_rows(rows: Sequence[tuple[str, ArrayLike]], rates: Sequence[float]) -> Figure:
    """Mean accuracy at each rate, a row for each part of a net that has it.

    Args: rows: (name, (S, R) accuracies in [0, 1]).
    """
    figure, axes = plotting.subplots(size=(8.2, 0.46 * len(rows) + 1.7))
    means = np.stack([100 * np.asarray(values, float).mean(0) for _, values in rows])
    _cells(axes, means)
    axes.axhline(0.5, color="white", linewidth=5)
    axes.set_xticks(range(len(rates)), [_fraction(r) for r in rates])
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    title = "The last norm and the last layer limit each other"
    label = "learning rate η of this part  (cells: validation accuracy in %)"
    plotting.finish(axes, title=title, x=label, y="", names=False)
    return figure


def product_map(rates: Sequence[float], accuracy: ArrayLike, product: float) -> Figure:
    """Mean accuracy for each pair of rates, and the line on which their product is `product`.

    Args: rates: (R,), evenly spaced in the logarithm. accuracy: (S, R, R) in [0, 1]; [s, i, j] is of
        rates[i] for the last norm and rates[j] for the last layer.
    """
    figure, axes = plotting.subplots(size=(6.4, 5.0))
    _cells(axes, 100 * np.asarray(accuracy, float).mean(0))
    axes.invert_yaxis()
    # a rate as a column
    place = np.log(np.asarray(rates) / rates[0]) / math.log(rates[1] / rates[0])
    across = (math.log(product) - 2 * math.log(rates[0])) / math.log(rates[1] / rates[0]) - place
    axes.plot(across, place, color="white", linewidth=2.6, label="_under")
    axes.plot(across, place, color=plotting.VERMILION, linewidth=1.3, linestyle=(0, (5, 2)), label="_product")
    axes.set(xlim=(-0.5, len(rates) - 0.5), ylim=(-0.5, len(rates) - 0.5))
    names = [_fraction(r) for r in rates]
    axes.set_xticks(range(len(rates)), names)
    axes.set_yticks(range(len(rates)), names)
    title = "The edge: a constant product of the two rates"
    plotting.finish(
        axes, title=title, x="rate of the last layer", y="rate of γ and β of the last norm", names=False
    )
    return figure


def edge_of_pairs(rates: Sequence[float], accuracy: Tensor, *, at_least: float) -> tuple[Tensor, float]:
    """How the largest rate of the second kind that trains falls with the rate of the first.

    For each seed and each first rate the edge is the largest second rate that reaches `at_least`. A line
    through its logarithm is fitted over the first rates at which every seed has an edge within the grid.

    Args: rates: (R,), evenly spaced in the logarithm. accuracy: (S, R, R), [s, i, j] at rates i and j.
    Returns: the slopes (S,), and the mean product (geometric) of the two rates half a step beyond the edge.
        Where fewer than two rates are left there is no edge to see: slopes 0, product 1.
    """
    log = torch.tensor(rates, dtype=torch.float64).log()
    edges = (log + torch.where(accuracy >= at_least, 0.0, -torch.inf)).amax(2)
    inside = ((edges < log[-1]) & (edges > -torch.inf)).all(0)
    if inside.sum() < 2:
        return torch.zeros(len(edges), dtype=torch.float64), 1.0
    first, second = log[inside], edges[:, inside]
    slopes = torch.linalg.lstsq((first - first.mean())[:, None], second.T).solution[0]
    product = float((second + first).mean() + (log[1] - log[0]) / 2)
    return slopes, math.exp(product)


def _cells(axes: Axes, percent: NDArray[np.float64]) -> None:
    """A coloured table of numbers from 0 to 100."""
    axes.imshow(percent, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (i, j), value in np.ndenumerate(percent):
        ink = "white" if value < 55 else plotting.INK
        axes.text(j, i, f"{value:.0f}", ha="center", va="center", color=ink)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def places(edges: Mapping[tuple[int, str], ArrayLike]) -> Figure:
    """The largest rates that train, by depth and where norms stand.

    Args: edges: (hidden layers, names of those with a norm) -> (S,), logarithms to base 2.
    """
    names: dict[int, list[str]] = {}
    for depth, name in edges:
        names.setdefault(depth, []).append(name)
    widths = [1 + len(of_depth) for of_depth in names.values()]
    figure, panels = plotting.subplots(1, len(names), size=(9.0, 3.9), sharey=True, width_ratios=widths)
    for axes, (depth, of_depth) in zip(panels, names.items(), strict=True):
        values = np.stack([np.asarray(edges[depth, name], float) for name in of_depth], 1)
        jitter = np.linspace(-0.12, 0.12, len(values))
        for k in range(len(of_depth)):
            axes.plot(k + jitter, values[:, k], ".", color=PLAIN, alpha=0.6, markersize=5, label=f"_{k}")
        axes.plot(range(len(of_depth)), values.mean(0), "o", color=NORM, markersize=8, label="_mean")
        axes.set(xlim=(-0.5, len(of_depth) - 0.5))
        axes.set_xticks(range(len(of_depth)), of_depth)
        plotting.finish(axes, title=f"{depth} hidden layers", x="layers with a norm", y="", names=False)
    every = np.concatenate([np.asarray(values, float).ravel() for values in edges.values()])
    low, high = math.floor(every.min()), math.ceil(every.max())
    panels[0].set_yticks(range(low, high + 1), [_fraction(2.0**k) for k in range(low, high + 1)])
    panels[0].set_ylabel("largest rate that trains\n(dots: seeds; circles: means)")
    return figure


def transformers(lrs: Sequence[float], panels: Mapping[int, Mapping[str, ArrayLike]]) -> Figure:
    """Validation loss against the rate; of a loss that is far above guessing, the line leaves the picture.

    Args: panels: blocks -> name of a curve -> (S, R) losses.
    """
    figure, both = plotting.subplots(1, len(panels), size=(7.8, 3.8), sharey=True)
    colours = (NORM, plotting.VERMILION, PLAIN)
    low = min(
        float(np.asarray(v, float).mean(0).min()) for curves in panels.values() for v in curves.values()
    )
    for axes, (blocks, curves) in zip(both, panels.items(), strict=True):
        plotting.log_ticks(axes, "x")
        for (name, values), colour, mark in zip(curves.items(), colours, "os^", strict=True):
            mean = np.asarray(values, float).mean(0)
            axes.plot(lrs, mean, "-", marker=mark, markersize=5, color=colour, label=name)
        axes.set_xticks(list(lrs), [f"{lr:g}" for lr in lrs])
        axes.minorticks_off()
        axes.set_ylim(low - 0.1, max(2.5, low + 0.3))
        title = {1: "One block", 4: "Four blocks"}.get(blocks, f"{blocks} blocks")
        plotting.finish(axes, title=title, x="Adam's learning rate", y="", names=False)
    both[0].set_ylabel("validation loss")
    both[0].legend(loc="upper right")
    return figure


def effective_rates(rates: Sequence[float], measured: ArrayLike, cap: ArrayLike, start: ArrayLike) -> Figure:
    """η / ‖W‖² at the end, and the bound on it. Args: each (S, R): measured, cap; start: (S,) of ‖W₀‖²."""
    figure, axes = plotting.subplots(size=(7.4, 4.0))
    plotting.log_ticks(axes)
    eta = np.asarray(rates, float)
    first = np.asarray(start, float).mean()
    axes.plot(eta, eta / first, color=PLAIN, label="weights of fixed length")
    mean = np.asarray(measured, float).mean(0)
    plotting.measured(axes, eta, mean, label="after training", color=NORM)
    plotting.theory(axes, eta, np.asarray(cap, float).mean(0), label="bound from the first step")
    axes.set_xticks(eta, [_fraction(r) for r in rates])
    axes.minorticks_off()
    axes.set_ylim(top=2 * eta[-1] / first)
    title = "After the first step the effective rate is bounded"
    plotting.finish(axes, title=title, x="learning rate η", y="effective rate η/‖W‖²")
    return figure


def gap_and_batches(
    batches: Sequence[int],
    gaps: ArrayLike,
    expected: Sequence[float],
    sizes: Sequence[int],
    curves: Mapping[str, ArrayLike],
) -> Figure:
    """What a norm over few numbers costs: the distance of the two modes, and a net's accuracy.

    Args:
        gaps: (S, B) measured at `batches`. expected: (B,). curves: name -> (S, K) accuracies at `sizes`.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.9), width_ratios=(1, 1.15))
    plotting.log_ticks(left)
    plotting.measured(left, batches, np.asarray(gaps, float).mean(0), label="measured", color=NORM)
    plotting.theory(left, batches, expected)
    left.set_yticks([0.1, 0.2, 0.5, 1.0], ["0.1", "0.2", "0.5", "1"])
    label = "root mean square difference"
    plotting.finish(left, title="Train and eval differ by about √(3/(2n))", x="batch size n", y=label)
    plotting.log_ticks(right, "x")
    for (name, values), colour in zip(curves.items(), (plotting.PURPLE, NORM, plotting.BLUE), strict=True):
        mean = 100 * np.asarray(values, float).mean(0)
        right.plot(sizes, mean, "o-", markersize=4, color=colour, label=name)
    title, label = "Batch norm over two costs accuracy", "examples that a norm sees at a time"
    plotting.finish(right, title=title, x=label, y="validation accuracy (%)", names=False)
    right.legend(loc="lower right")
    for axes, ticks in ((left, batches), (right, sizes)):
        axes.set_xticks(list(ticks), [str(b) for b in ticks])
        axes.minorticks_off()
    return figure


def expected_gap(n: int) -> float:
    """Root mean square distance of (x_i - mean) / std of a batch of n standard normal numbers from x_i.

    sqrt(2 - 2 E[std]),    E[std] = sqrt(2 / n) * gamma(n / 2) / gamma((n - 1) / 2)
    """
    spread = math.sqrt(2 / n) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))
    return math.sqrt(2 - 2 * spread)


def _fraction(rate: float) -> str:
    return f"1/{1 / rate:.0f}" if 0 < rate < 1 else f"{rate:.0f}"
