"""The figures of lesson 14."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
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
VIEW = ((-2.57, 3.43), (-2.2, 2.6))  # no point of its grid is the origin, where nothing is defined
FILM = tuple(0.02 * 1e4 ** (k / 13) for k in range(14))  # rates from 0.02 to 200


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
    title = f"η = {_short(rate)}: ‖w‖ grows {_short(grown)}-fold"
    plotting.finish(left, title=title, x="w₁", y="w₂", names=False)
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


def path_frame(rate: float, steps: int = STEPS) -> Figure:
    """One frame of the film: the path at one rate, and how far its loss is above the minimum."""
    figure, axes = plotting.subplots(size=(5.8, 4.1))
    points = descend(rate, START, steps, normalised=True)
    _plane(axes, START, points)
    left = f"{float(_above(points)[-1]):.1g}".replace("e-0", "e-")
    title = f"η = {_short(rate)}: {left} above the least loss"
    plotting.finish(axes, title=title, x="w₁", y="w₂", names=False)
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
    axes.plot(
        [0, far[0]], [0, far[1]], color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)), label="_best"
    )


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
    """Mean accuracy at each rate, a row for each net. Args: rows: (name, (S, R) accuracies in [0, 1])."""
    figure, axes = plotting.subplots(size=(8.2, 0.48 * len(rows) + 1.5))
    means = np.stack([100 * np.asarray(values, float).mean(0) for _, values in rows])
    axes.imshow(means, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (i, j), value in np.ndenumerate(means):
        ink = "white" if value < 55 else plotting.INK
        axes.text(j, i, f"{value:.0f}", ha="center", va="center", color=ink)
    for i in range(2, len(rows), 2):
        axes.axhline(i - 0.5, color="white", linewidth=5)
    axes.set_xticks(range(len(rates)), [_fraction(r) for r in rates])
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    title = "Plain nets die sooner the deeper they are, batch norm keeps its range"
    plotting.finish(
        axes, title=title, x="learning rate η  (cells: validation accuracy in %)", y="", names=False
    )
    return figure


def what_limits(rates: Sequence[float], curves: Sequence[tuple[str, str, ArrayLike]]) -> Figure:
    """Accuracy against the rate. Args: curves: (name, colour, (S, R) accuracies in [0, 1])."""
    figure, axes = plotting.subplots(size=(7.8, 4.0))
    plotting.log_ticks(axes, "x")
    for name, colour, values in curves:
        plotting.band(axes, rates, 100 * np.asarray(values, float), label=name, color=colour)
    axes.set_xticks(list(rates), [_fraction(r) for r in rates])
    axes.minorticks_off()
    axes.set(ylim=(0, 100))
    title = "Weights before a norm stand any rate, the rest of the net does not"
    plotting.finish(axes, title=title, x="learning rate η", y="validation accuracy (%)")
    return figure


def effective_rates(rates: Sequence[float], measured: ArrayLike, cap: ArrayLike, start: ArrayLike) -> Figure:
    """η / ‖W‖² at the end, and the bound on it. Args: each (S, R): measured, cap; start: (S,) of ‖W₀‖²."""
    figure, axes = plotting.subplots(size=(7.4, 4.0))
    plotting.log_ticks(axes)
    eta = np.asarray(rates, float)
    first = np.asarray(start, float).mean()
    axes.plot(eta, eta / first, color=plotting.colour("plain"), label="weights of fixed length")
    plotting.theory(axes, eta, np.asarray(cap, float).mean(0), label="bound from the first step")
    plotting.band(axes, eta, measured, label="after training", color=plotting.colour("batch norm"))
    axes.set_xticks(eta, [_fraction(r) for r in rates])
    axes.minorticks_off()
    axes.set_ylim(top=2 * eta[-1] / first)
    title = "However large the step, the turn it makes is bounded"
    plotting.finish(axes, title=title, x="learning rate η", y="effective rate η/‖W‖²")
    return figure


def train_eval_gap(batches: Sequence[int], measured: ArrayLike, expected: Sequence[float]) -> Figure:
    """Distance of the two modes against the batch size. Args: measured: (S, B); expected: (B,)."""
    figure, axes = plotting.subplots(size=(6.8, 3.7))
    plotting.log_ticks(axes)
    plotting.band(axes, batches, measured, label="measured", color=plotting.colour("batch norm"))
    mean = np.asarray(measured, float).mean(0)
    axes.plot(batches, mean, "o", color=plotting.colour("batch norm"), markersize=5, label="_measured")
    plotting.theory(axes, batches, expected)
    axes.set_xticks(list(batches), [str(b) for b in batches])
    axes.minorticks_off()
    axes.set_yticks([0.1, 0.2, 0.5, 1.0], ["0.1", "0.2", "0.5", "1"])
    title = "The two modes differ by about √(1.5 / n)"
    plotting.finish(axes, title=title, x="batch size n", y="root mean square difference")
    return figure


def small_batches(batches: Sequence[int], curves: Sequence[tuple[str, str, ArrayLike]]) -> Figure:
    """Accuracy against the batch size. Args: curves: (name, colour, (S, B) accuracies in [0, 1])."""
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    plotting.log_ticks(axes, "x")
    for name, colour, values in curves:
        plotting.band(axes, batches, 100 * np.asarray(values, float), label=name, color=colour)
    axes.set_xticks(list(batches), [str(b) for b in batches])
    axes.minorticks_off()
    title = "At a batch of two, batch norm loses what layer norm keeps"
    plotting.finish(axes, title=title, x="batch size", y="validation accuracy (%)")
    return figure


def expected_gap(n: int) -> float:
    """Root mean square distance of (x_i - mean) / std of a batch of n standard normal numbers from x_i.

    sqrt(2 - 2 E[std]),    E[std] = sqrt(2 / n) * gamma(n / 2) / gamma((n - 1) / 2)
    """
    spread = math.sqrt(2 / n) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))
    return math.sqrt(2 - 2 * spread)


def _fraction(rate: float) -> str:
    return f"1/{1 / rate:.0f}" if rate < 1 else f"{rate:.0f}"
