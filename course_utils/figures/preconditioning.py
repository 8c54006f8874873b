"""The figures of lesson 21."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils._checks import require

CURVATURES = (0.05, 1.0)  # of the valley in the plane
WAYS = {"gradient": plotting.ORANGE, "diagonal": plotting.PURPLE, "Newton": plotting.BLUE}
KINDS = {"minimum": "#BFD9EA", "saddle": "#E3A98C", "maximum": "#8F8F8F", "nowhere": "#FFFFFF"}

# What each figure shows, in words.
THREE_PATHS = (
    "Contours of one valley, left along the axes, right turned halfway between them, with three paths from "
    "one start. Left the diagonal rule and Newton's step both reach the bottom at once, and the gradient "
    "zigzags. Right only Newton's step does; the diagonal rule goes the gradient's way."
)
ENDINGS = (
    "Two maps of starts on Himmelblau's function, with its contours, coloured by where Newton's method ends. "
    "Left, the plain step: patches of minimum, saddle and maximum, torn at their borders. Right, with the "
    "eigenvalues' absolute values: every start ends at a minimum."
)
FITTING = (
    "Left, the loss against the cost in gradients, logarithmic, of small nets with targets free of noise: "
    "Levenberg-Marquardt falls by many orders, most below a dashed line at 1e-20, Adam at its best rate much "
    "less for the same cost. Right, how far Gauss-Newton's matrix is from the Hessian against the size of "
    "the residuals, logarithmic: the smaller they are, the nearer."
)
COORDINATES = (
    "How far the outputs of a net and of the same net in other coordinates are apart after the same steps, "
    "logarithmic, one row of dots for each case. Gradient descent is far apart in both coordinates; the "
    "natural gradient agrees to rounding in scaled ones, and nearly in bent ones, the nearer the smaller the "
    "rate."
)
VALLEYS = (
    "Steps to the bottom, logarithmic, in four panels: a valley along the axes, one whose rows and columns "
    "are turned, one turned like it with its curvatures shuffled, and one turned as a whole; a row of dots "
    "for each method. AdaGrad is fast in the first alone, Shampoo in the first two, the full matrix middling "
    "in all four, gradient descent slow in all."
)
RACE = (
    "The final loss of an autoencoder, a row of dots for each method, in two panels. At equal steps SOAP is "
    "lowest, then SOAP that keeps its first basis, then Shampoo, then Adam, alike along the weights and in a "
    "random basis, then AdaGrad. At equal operations SOAP is lowest still, and the gaps are smaller."
)
BATCHES = (
    "SOAP's final loss divided by Adam's at equal operations against the batch size, logarithmic, one dot "
    "for each seed. Small batches lie above one, large ones below."
)
DAMPED = (
    "Contours of Himmelblau's function, and from one start with a negative curvature the step for the chosen "
    "damping as an arrow, the ends of the others as grey dots: with little damping the loss rises, near the "
    "size of the negative curvature the step is far too long, and with more it points downhill and shortens "
    "along the gradient."
)


def three_paths(steps: int = 12) -> Figure:
    """One valley along the axes and turned by 45°: the gradient, the diagonal, Newton's step."""
    figure, panels = plotting.subplots(1, 2, size=(9.4, 4.1))
    low, high = CURVATURES
    for axes, angle in zip(panels, (0.0, np.pi / 4), strict=True):
        turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        H = turn @ torch.diag(torch.tensor(CURVATURES, dtype=torch.float64)) @ turn.T
        diagonal = H.diagonal()
        scaled = torch.linalg.eigvalsh(H / (diagonal[:, None] * diagonal).sqrt())
        # each at its best rate: 2 / (lowest + highest curvature that it sees)
        matrices = {
            "gradient": 2 / (low + high) * torch.eye(2, dtype=torch.float64),
            "diagonal": 2 / (scaled[0] + scaled[-1]) * (1 / diagonal).diag(),
            "Newton": torch.linalg.inv(H),
        }
        start = turn @ torch.tensor([-2.4, 0.75], dtype=torch.float64)
        xs = np.linspace(-2.9, 2.9, 121)
        grid = torch.tensor(np.stack(np.meshgrid(xs, xs), -1))
        height = ((grid @ H) * grid).sum(-1).numpy() / 2
        axes.contour(xs, xs, height, levels=np.geomspace(0.004, 3, 9), colors=plotting.LIGHT, linewidths=0.9)
        for name, P in matrices.items():
            path = [start]
            for _ in range(steps):
                path.append(path[-1] - P @ H @ path[-1])
            wide = 1.6 if name != "diagonal" else 4.5
            points = torch.stack(path).numpy()
            axes.plot(*points.T, "o-", color=WAYS[name], linewidth=wide, markersize=3.5, label=name,
                      alpha=0.45 if name == "diagonal" else 1.0)  # fmt: skip
        axes.plot(*start, "o", color=plotting.INK, markersize=5)
        axes.set(xlim=(-2.9, 2.9), ylim=(-2.9, 2.9))
        axes.set_aspect("equal")
        title = "Along the axes: the diagonal is enough" if angle == 0 else "Turned: it takes Newton's step"
        plotting.finish(axes, title=title, x="weight 1", y="weight 2", names=False)
    panels[0].legend(loc="upper right", fontsize=9)
    return figure


def endings(
    xs: ArrayLike, kinds: Mapping[str, Tensor], f: Callable[[Tensor], Tensor] | None = None
) -> Figure:
    """Maps of where starts end: rule -> (len(xs), len(xs)) of 0 minimum, 1 saddle, 2 maximum, 3 nowhere.

    The first dimension of each map is x, the second y. With `f`, a function of points (..., 2), its contours.
    """
    figure, panels = plotting.subplots(1, len(kinds), size=(9.4, 4.4), sharey=True)
    x = np.asarray(xs, float)
    for axes, (name, kind) in zip(panels, kinds.items(), strict=True):
        axes.pcolormesh(x, x, kind.numpy().T, cmap=ListedColormap(list(KINDS.values())), vmin=-0.5, vmax=3.5,
                        shading="nearest", rasterized=True)  # fmt: skip
        if f is not None:
            fine = torch.linspace(float(x.min()), float(x.max()), 121, dtype=torch.float64)
            heights = f(torch.cartesian_prod(fine, fine)).view(121, 121).T
            axes.contour(fine, fine, heights, levels=np.geomspace(4, 700, 9), colors="white", linewidths=0.8)
        axes.set_aspect("equal")
        plotting.finish(axes, title=name, x="weight 1", y="", names=False)
    panels[0].set_ylabel("weight 2")
    handles = [
        panels[0].plot([], [], "s", color=color, markersize=9, label=name, markeredgecolor=plotting.GREY)[0]
        for name, color in list(KINDS.items())[:3]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def fitting(
    cost: int, losses: Tensor, rival: Tensor, rival_cost: int, residuals: Tensor, gaps: Tensor
) -> Figure:
    """Loss against cost, and the gap of two matrices against the residual.

    Args:
        cost: gradients that one step of Levenberg-Marquardt costs. losses: (S, T) of it.
        rival: (S,) final losses of Adam, at `rival_cost` gradients.
        residuals, gaps: (S, K), roots of the mean square and relative distances.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 4.0))
    plotting.log_ticks(left, "y")
    for one in losses:
        left.plot(cost * np.arange(1, len(one) + 1), one.clamp(min=1e-26), color=plotting.BLUE, linewidth=0.9)
    x = np.full(len(rival), rival_cost)
    plotting.measured(left, x, rival, label="_adam", color=plotting.VERMILION)
    left.text(
        0.97 * rival_cost, float(rival.max()) * 4, "Adam, at its end", ha="right", color=plotting.VERMILION
    )
    # right of the curves, between Adam's dots and the line
    left.text(1.04 * rival_cost, 1e-16, "Levenberg–\nMarquardt", ha="right", va="center", color=plotting.BLUE)
    left.axhline(1e-20, **plotting.THEORY)
    left.set_ylim(1e-26, 30)
    plotting.finish(
        left, title="A small net, targets without noise", x="cost in gradients", y="loss", names=False
    )
    plotting.log_ticks(right)
    right.plot(residuals.flatten(), gaps.flatten(), "o", color=plotting.BLUE, markersize=3, alpha=0.5)
    title = "No residuals, no difference"
    plotting.finish(right, title=title, x="root mean square of residuals", y="|H − G| / |G|", names=False)
    return figure


def rows(axes: Axes, values: Mapping[str, ArrayLike], colours: Mapping[str, str] | None = None) -> None:
    """One row of dots for each name, the first on top, with its mean as a tick."""
    heights = list(range(len(values)))[::-1]
    for height, (name, one) in zip(heights, values.items(), strict=True):
        color = (colours or {}).get(name, plotting.BLUE)
        x = np.asarray(one, float)
        axes.axhline(height, color=plotting.LIGHT, linewidth=0.9, zorder=0)
        plotting.measured(axes, x, np.full(len(x), height), label=f"_{name}", color=color)
        axes.plot(x.mean(), height, "|", color=plotting.INK, markersize=15, mew=1.6, zorder=5)
    axes.set_yticks(heights, list(values))
    axes.set_ylim(-0.6, len(values) - 0.4)


def coordinates(gaps: Mapping[str, Tensor]) -> Figure:
    """How far outputs are apart in two coordinates: case -> (S,), on a logarithmic axis."""
    figure, axes = plotting.subplots(size=(7.4, 3.4))
    plotting.log_ticks(axes, "x")
    rows(axes, {name: one.clamp(min=1e-17) for name, one in gaps.items()})
    axes.set_xlim(1e-17, 10)
    title = "The natural gradient hardly minds the coordinates"
    plotting.finish(axes, title=title, x="distance of the outputs", y="", names=False)
    return figure


def valleys(steps: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """Steps to the bottom: valley -> method -> (S,)."""
    figure, panels = plotting.subplots(1, len(steps), size=(11.4, 3.2), sharey=True, sharex=True)
    for axes, (name, methods) in zip(panels, steps.items(), strict=True):
        plotting.log_ticks(axes, "x")
        rows(axes, methods)
        axes.set_xticks([5, 20, 80, 320], ["5", "20", "80", "320"])
        plotting.finish(axes, title=name, x="steps", y="", names=False)
    return figure


def race(
    losses: Mapping[str, Mapping[str, Tensor]], basis: Sequence[str] = ("first basis", "Shampoo", "SOAP")
) -> Figure:
    """Final losses: panel -> method -> (S,); methods in `basis` turn their coordinates, and are darker."""
    figure, panels = plotting.subplots(1, len(losses), size=(10.0, 3.7), sharex=True)
    for axes, (name, methods) in zip(panels, losses.items(), strict=True):
        rows(axes, methods, {one: plotting.BLUE if one in basis else plotting.ORANGE for one in methods})
        plotting.finish(axes, title=name, x="final loss", y="", names=False)
    return figure


def batches(sizes: Sequence[int], ratios: Tensor) -> Figure:
    """SOAP's loss over Adam's at equal operations against the batch size; ratios: (B, S)."""
    require(
        len(sizes) == len(ratios), "a row of ratios for each batch size", sizes=len(sizes), rows=len(ratios)
    )
    figure, axes = plotting.subplots(size=(6.6, 3.7))
    plotting.log_ticks(axes)
    x = np.repeat(np.asarray(sizes, float), ratios.shape[1])
    plotting.measured(axes, x, ratios.flatten(), label="_ratio", color=plotting.BLUE)
    axes.plot(sizes, ratios.log().mean(1).exp(), "_", color=plotting.INK, markersize=16, mew=1.6)
    axes.axhline(1, **plotting.THEORY)
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    axes.set_yticks([0.8, 1, 1.25, 1.6], ["0.8", "1", "1.25", "1.6"])
    title = "Equal work: who ends lower depends on the batch"
    plotting.finish(axes, title=title, x="batch size", y="SOAP's loss / Adam's", names=False)
    return figure


def damped(
    f: Callable[[Tensor], Tensor], start: Tensor, steps: Mapping[float, Tensor], damping: float
) -> Figure:
    """The step from `start` for one damping, beside those of all: damping -> (2,), what is subtracted."""
    figure, axes = plotting.subplots(size=(6.0, 4.8))
    xs = np.linspace(-5, 5, 161)
    grid = torch.tensor(np.stack(np.meshgrid(xs, xs), -1))
    heights = torch.vmap(torch.vmap(f))(grid).numpy()
    axes.contour(xs, xs, heights, levels=np.geomspace(2, 700, 12), colors=plotting.LIGHT, linewidths=0.9)
    ends = torch.stack([start - step for step in steps.values()])
    axes.plot(ends[:, 0], ends[:, 1], "o-", color=plotting.GREY, markersize=3, linewidth=0.8)
    x, y = start.tolist()
    dx, dy = (-steps[damping]).tolist()
    axes.annotate(
        "", (x + dx, y + dy), (x, y), arrowprops={"arrowstyle": "-|>", "color": plotting.BLUE, "lw": 2}
    )
    axes.plot(x, y, "o", color=plotting.INK, markersize=6)
    axes.set(xlim=(-5, 5), ylim=(-5, 5))
    axes.set_aspect("equal")
    fall = float(f(start) - f(start - steps[damping]))
    title = f"Damping {damping:g}: the loss {'falls' if fall > 0 else 'rises'}"
    plotting.finish(axes, title=title, x="weight 1", y="weight 2", names=False)
    return figure
