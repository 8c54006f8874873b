"""The figures of lesson 03."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import data, plotting
from course_utils.problems import quadratic
from course_utils.theory import gradient_noise, quadratics
from course_utils.training import minibatches

CURVATURES = (1.0, 4.0)
START = torch.tensor([2.6, 1.7], dtype=torch.float64)
NOISE = 3.0  # standard deviation of one example's gradient, in each coordinate
CHAINS = 300


@functools.cache
def two_measurements() -> tuple[Tensor, Tensor]:
    """Body-mass index and s5, a blood measurement, of 353 patients, (353, 2), and the target (353,)."""
    x, y = data.diabetes().split(0, train=353, validation=1, dtype=torch.float64).train
    return x[:, [2, 8]], y


def batch_gradients(p: Tensor, batch_size: int, count: int) -> Tensor:
    """Gradients (count, 2) at `p` of half the mean squared error, each of a batch of its own."""
    x, y = two_measurements()
    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
    index = next(minibatches(len(x), batch_size, *generators))  # (count, b)
    return (x[index] * (x[index] @ p - y[index])[..., None]).mean(1)


def many_arrows(batch_size: int = 8, count: int = 40) -> Figure:
    """Steps along minus the gradient of many batches, far from the minimum and near it."""
    x, y = two_measurements()
    best = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    axes.set_aspect("equal")
    plotting.contours(axes, lambda p: (p @ x.T - y).square().mean(-1), ((-1.05, 1.05), (-0.62, 0.82)))
    for place, where, words in (
        (torch.tensor([-0.6, -0.35], dtype=x.dtype), (-0.48, -0.5), "far from the minimum\nbatches agree"),
        (best + 0.03, (0.42, -0.28), "near it\nthey point\neverywhere"),
    ):
        for g in batch_gradients(place, batch_size, count):
            _arrow(axes, place, -0.5 * g, plotting.SKY, 0.9)
        _arrow(axes, place, -0.5 * x.T @ (x @ place - y) / len(x), plotting.INK, 2.2)
        axes.text(*where, words, color=plotting.INK)
    axes.plot(*best.tolist(), marker="*", color=plotting.VERMILION, markersize=12, zorder=6)
    title = "Where the gradient is long, batches agree"
    plotting.finish(axes, title=title, x="weight of body-mass index", y="weight of s5", names=False)
    return figure


def _arrow(axes: Axes, start: Tensor, step: Tensor, color: str, width: float) -> None:
    (x, y), (end_x, end_y) = start.tolist(), (start + step).tolist()
    style = {"arrowstyle": "->", "color": color, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end_x, end_y), (x, y), arrowprops=style, zorder=4 if width < 2 else 5)


def variance_against_batch(sizes: ArrayLike, measured: ArrayLike, *, n: int) -> Figure:
    """Variance of a batch's gradient over one example's, and the formula with and without its last factor.

    Args: sizes: (B,). measured: (S, B), E|g_batch - g|² / sigma². n: examples in all.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    plotting.log_ticks(axes)
    b = np.asarray(sizes, float)
    dense = np.geomspace(1, 0.985 * n, 400)
    plotting.band(axes, b, measured, label="measured", color=plotting.BLUE)
    plotting.theory(axes, dense, (n - dense) / dense / (n - 1), label="_exact")
    axes.plot(dense, 1 / dense, color=plotting.ORANGE, linewidth=1.1, label="1 / b")
    axes.set_ylim(3e-5, 1.6)
    axes.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
    title = "The noise falls as 1/b, and at b = N it is gone"
    plotting.finish(axes, title=title, x="batch size b", y="variance, one example = 1")
    return figure


def floor_against_rate(rates: ArrayLike, losses: ArrayLike, *, noise: float) -> Figure:
    """Mean loss at rest against the step size, with η / (2 - η) and its linear beginning.

    Args: rates: (R,), curvature 1. losses: (S, R). noise: variance of one batch's gradient.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    plotting.log_ticks(axes)
    eta = np.asarray(rates, float)
    dense = np.geomspace(eta[0], eta[-1], 200)
    plotting.band(axes, eta, losses, label="measured", color=plotting.BLUE)
    axes.plot(eta, np.asarray(losses, float).mean(0), "o", color=plotting.BLUE, markersize=4, label="_points")
    level = [quadratics.noise_level(e, 0.0, 1.0, math.sqrt(noise)) / 2 for e in dense]
    plotting.theory(axes, dense, level, label="_theory")
    axes.plot(dense, noise * dense / 4, color=plotting.ORANGE, linewidth=1.1, label="linear")
    axes.set_xticks([0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
    title = "The floor is proportional to η only while η is small"
    plotting.finish(axes, title=title, x="step size η, curvature 1", y="mean loss at rest")
    return figure


def through_an_epoch(
    replaced: ArrayLike, shuffled: ArrayLike, *, lr: float, noise: float, steps: int
) -> Figure:
    """Variance at rest through two epochs, batches drawn with replacement and reshuffled.

    Args:
        replaced, shuffled: (S, 2 * steps + 1), from an epoch's end on.
        noise: variance of one batch's gradient.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    t = np.arange(2 * steps + 1) / steps
    level = quadratics.noise_level(lr, 0.0, 1.0, math.sqrt(noise))
    bridge = gradient_noise.shuffled_noise_level(lr, 1.0, noise, steps).numpy()
    for values, theory, label, color in (
        (replaced, np.full(len(t), level), "with replacement", plotting.ORANGE),
        (shuffled, np.concatenate([bridge, bridge[1:]]), "reshuffled", plotting.BLUE),
    ):
        plotting.band(axes, t, np.asarray(values, float) / level, label=label, color=color)
        plotting.theory(axes, t, theory / level, label="_theory")
    axes.set_ylim(0, 1.2)
    axes.set_xticks([0, 0.5, 1, 1.5, 2])
    title = "Within an epoch the noise comes and goes"
    plotting.finish(axes, title=title, x="epochs", y="variance at rest, with replacement = 1")
    return figure


def batch_tradeoff(sizes: Sequence[int], steps: ArrayLike, *, fewest: float, critical: float) -> Figure:
    """Steps and examples to one loss against the batch size, with S_min (1 + B / b).

    Args: sizes: (B,). steps: (S, B). fewest, critical: S_min and B of the fitted curve.
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.8))
    b, s = np.asarray(sizes, float), np.asarray(steps, float)
    dense = np.geomspace(b[0], b[-1], 200)
    curve = fewest * (1 + critical / dense)
    for axes, values, line in ((left, s, curve), (right, s * b, curve * dense)):
        plotting.log_ticks(axes)
        plotting.band(axes, b, values, label="_measured", color=plotting.BLUE)
        axes.plot(b, values.mean(0), "o", color=plotting.BLUE, markersize=4, label="_points")
        plotting.theory(axes, dense, line, label="_curve")
        axes.axvline(critical, color=plotting.GREY, linewidth=0.8)
        axes.set_xticks(b, [f"{x:g}" for x in b])
    left.set_yticks([30, 100, 300], ["30", "100", "300"])
    right.set_yticks([1000, 3000, 10000], ["1,000", "3,000", "10,000"])
    left.text(critical * 1.1, left.get_ylim()[1] * 0.7, "critical batch", color=plotting.GREY)
    plotting.finish(left, title="Steps fall, then stop falling", x="batch size b", y="steps to the loss")
    plotting.finish(right, title="Examples stay, then rise", x="batch size b", y="examples to the loss")
    return figure


def time_on_machine(sizes: Sequence[int], steps: ArrayLike, *, workers: int) -> Figure:
    """Time to one loss where a step of b examples takes ceil(b / workers).

    Args: sizes: (B,). steps: (S, B).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    b, s = np.asarray(sizes, float), np.asarray(steps, float)
    rounds = np.ceil(b / workers)
    plotting.log_ticks(axes)
    plotting.band(axes, b, s * rounds, label="_time", color=plotting.BLUE)
    axes.plot(b, (s * rounds).mean(0), "o", color=plotting.BLUE, markersize=4, label="_points")
    best = int((s * rounds).mean(0).argmin())
    axes.plot(b[best], (s * rounds).mean(0)[best], "*", color=plotting.VERMILION, markersize=14, zorder=6)
    axes.set_xticks(b, [f"{x:g}" for x in b])
    axes.set_ylim(15, 2e4)
    title = f"{workers} examples at a time: a batch of {b[best]:g} is quickest"
    plotting.finish(axes, title=title, x="batch size b", y="time to the loss, passes", names=False)
    return figure


def linear_scaling(factors: Sequence[int], runs: dict[str, Any], *, batch_size: int) -> Figure:
    """Training loss after equal epochs against the batch, its step size scaled by each rule.

    Args: factors: (K,), how many times the smallest batch. runs: rule -> losses (S, K).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    k = np.asarray(factors, float)
    plotting.log_ticks(axes)
    for (rule, losses), color in zip(
        runs.items(), (plotting.BLUE, plotting.GREEN, plotting.GREY), strict=True
    ):
        plotting.band(axes, k * batch_size, losses, label=rule, color=color)
    axes.set_ylim(0.05, 12)
    axes.set_xticks(k * batch_size, [f"{x:g}" for x in k * batch_size])
    title = "η in proportion to b keeps the loss, up to a point"
    plotting.finish(axes, title=title, x="batch size b, equal epochs", y="training loss at the end")
    return figure


@functools.cache
def chains(lr: float, batch_size: int, steps: int = 60) -> Tensor:
    """SGD on a quadratic with additive noise from one start, many times: (steps + 1, CHAINS, 2)."""
    generator = torch.Generator().manual_seed(3)
    curvature = torch.tensor(CURVATURES, dtype=torch.float64)
    p = START.expand(CHAINS, 2)
    visited = [p]
    for _ in range(steps):
        noise = torch.randn(CHAINS, 2, generator=generator, dtype=p.dtype) * NOISE / batch_size**0.5
        p = p - lr * (curvature * p + noise)
        visited.append(p)
    return torch.stack(visited)


def noise_ball(lr: float, batch_size: float) -> Figure:
    """Left where the chains end, with the ellipse that should hold 90% of them; right their mean loss."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.4, 3.9), width_ratios=(1.15, 1))
    path = chains(lr, int(batch_size))
    _draw_cloud(left, lr, int(batch_size), len(path) - 1)
    loss = (0.5 * path.square() * torch.tensor(CURVATURES)).sum(-1)
    floor = sum(c * v for c, v in zip(CURVATURES, rest_variances(lr, int(batch_size)), strict=True)) / 2
    right.plot(np.arange(len(path)), loss.mean(1).numpy(), color=plotting.BLUE)
    plotting.theory(right, [0, len(path) - 1], [floor, floor])
    right.set(yscale="log", xlim=(0, len(path) - 1), ylim=(0.01, 30))
    title = f"η = {lr:g}, b = {batch_size:g}: the floor of the loss"
    plotting.finish(right, title=title, x="steps", y="mean loss", names=False)
    return figure


def cloud(lr: float, batch_size: int, *, upto: int) -> Figure:
    """Where the chains are after `upto` steps: a frame of a film."""
    figure, axes = plotting.subplots(size=(5.4, 3.9))
    _draw_cloud(axes, lr, batch_size, upto)
    return figure


def rest_variances(lr: float, batch_size: int) -> list[float]:
    """Variance at rest along each of the two directions."""
    return [quadratics.noise_level(lr, 0.0, c, NOISE / batch_size**0.5) for c in CURVATURES]


def _draw_cloud(axes: Axes, lr: float, batch_size: int, step: int) -> None:
    plotting.contours(axes, quadratic(CURVATURES), ((-3.2, 3.2), (-2.2, 2.2)))
    axes.plot(*chains(lr, batch_size)[step].T.numpy(), "o", color=plotting.BLUE, markersize=2.2, alpha=0.55)
    axes.plot(*START.tolist(), "o", color=plotting.VERMILION, markersize=6)
    reach = 2 * math.sqrt(
        2 * math.log(10)
    )  # across a circle with 90% of a normal distribution, in deviations
    width, height = (reach * math.sqrt(v) for v in rest_variances(lr, batch_size))
    axes.add_patch(Ellipse((0, 0), width, height, fill=False, color=plotting.INK, linestyle=(0, (5, 3))))
    title = f"Step {step}: where {CHAINS} runs are"
    plotting.finish(axes, title=title, x="θ₁, curvature 1", y="θ₂, curvature 4", names=False)
