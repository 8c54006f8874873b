"""The figures of lesson 03."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import data, plotting
from course_utils.problems import quadratic
from course_utils.recorded import Record
from course_utils.theory import gradient_noise, quadratics
from course_utils.training import minibatches

CURVATURES = (1.0, 4.0)
START = torch.tensor([2.6, 1.7], dtype=torch.float64)
NOISE = 3.0  # standard deviation of one example's gradient, in each coordinate
CHAINS = 300

# What each figure shows, in words.
MANY_ARROWS = (
    "Contours of a loss over two weights, with arrows at two points. Far from the minimum most of the forty "
    "blue arrows fan out around one long dark arrow. Near the minimum they point in all directions, and the "
    "dark one is tiny."
)
VARIANCE_OF_ALL_BATCHES = (
    "Variance of a batch's gradient against its size, for all batches out of 12. The dots start at one, lie "
    "on the dashed line of the formula, a little below 1/b, and end at zero for the batch of all 12."
)
FLOOR_AGAINST_RATE = (
    "Mean loss at rest against the step size, both logarithmic. The dots follow a straight line while η is "
    "small, then bend upwards along the dashed theory, twice the line at 1 and far above it near 2."
)
RAMP = (
    "Loss above the lowest against epochs, logarithmic. All runs come to one floor. After epoch 10 those "
    "that go on stay there; those with an eighth of the step and those with eight times the batch fall "
    "together to a lower floor."
)
THROUGH_AN_EPOCH = (
    "Variance at rest through two epochs. Drawn with replacement it stays level at one. Reshuffled it is "
    "near zero at the ends of epochs and rises to a low arch between them, near the dashed line of theory."
)
BATCH_TRADEOFF = (
    "Above, steps to the loss against the batch size: nearly halved with each doubling at first, then flat. "
    "Below, examples to the loss: nearly level at first, then rising in proportion. A dashed curve of two "
    "numbers lies on the dots of both; a vertical line marks the critical batch."
)
QUICKEST = (
    "Passes to the loss against the batch size, for machines that take 8, 32 or 128 examples in a pass. "
    "Up to w all lines fall together; beyond w each rises. A star at w marks the lowest point of each."
)
VALLEYS = (
    "Above, loss after five epochs against the step size, one valley for each batch size; larger batches "
    "have theirs further right, up to a steep wall that the largest share. Below, the loss against the "
    "batch: with η in proportion it is level, rises, and jumps up at 128, away from that of the best η. Full "
    "batches at the same η are low at 32 and 64, and as high at 128."
)
NOISE_BALL = (
    "Above, a cloud of points around the minimum, nine in ten of them inside a dashed ellipse that is "
    "wider along the flat direction. Below, their mean loss falls for about ten steps and then stays on "
    "the dashed floor."
)
RECORDED_TIMES = (
    "Above, recorded milliseconds of a training step against the batch, for two nets: flat at first, then "
    "rising in proportion, with no stairs. Below, the small net's multiplied by the steps of the fitted "
    "curve: milliseconds to the loss, lowest between the critical batch 𝓑 and w, near the line at the root "
    "of their product."
)


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
        (
            torch.tensor([-0.6, -0.35], dtype=x.dtype),
            (-0.48, -0.5),
            "far from the minimum\nmost point the same way",
        ),
        (best + 0.03, (0.42, -0.28), "near it\nthey point\neverywhere"),
    ):
        for g in batch_gradients(place, batch_size, count):
            _arrow(axes, place, -0.5 * g, plotting.SKY, 0.9)
        _arrow(axes, place, -0.5 * x.T @ (x @ place - y) / len(x), plotting.INK, 2.2)
        axes.text(*where, words, color=plotting.INK)
    axes.plot(*best.tolist(), marker="*", color=plotting.VERMILION, markersize=12, zorder=6)
    title = "Where the gradient is long, most batches agree"
    plotting.finish(axes, title=title, x="weight of body-mass index", y="weight of s5", names=False)
    return figure


def _arrow(axes: Axes, start: Tensor, step: Tensor, color: str, width: float) -> None:
    (x, y), (end_x, end_y) = start.tolist(), (start + step).tolist()
    style = {"arrowstyle": "->", "color": color, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end_x, end_y), (x, y), arrowprops=style, zorder=4 if width < 2 else 5)


def variance_of_all_batches(variances: ArrayLike) -> Figure:
    """Variance of a batch's gradient over that of one example, over every batch of every size.

    Args: variances: (n,), E|g_batch - g|² / sigma² of the batches of 1, 2, ..., n.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    n = len(np.asarray(variances))
    b = np.arange(1, n + 1)
    dense = np.linspace(1, n, 300)
    plotting.measured(axes, b, variances, label="_measured", color=plotting.BLUE)
    plotting.theory(axes, dense, (n - dense) / dense / (n - 1), label="_exact")
    axes.plot(dense, 1 / dense, color=plotting.ORANGE, linewidth=1.1, label="1 / b")
    axes.set(xlim=(0.7, n + 0.1), ylim=(-0.03, 1.05))
    axes.set_xticks(b, [str(k) for k in b])
    title = "The noise falls a little faster than 1/b, and the full batch has none"
    plotting.finish(axes, title=title, x="batch size b", y="variance, one example = 1")
    return figure


def floor_against_rate(rates: ArrayLike, losses: ArrayLike, *, noise: float) -> Figure:
    """Mean loss at rest against the step size, with η / (2 - η) and its linear beginning.

    Args: rates: (R,), curvature 1. losses: (S, R). noise: variance of one batch's gradient.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    plotting.log_ticks(axes)
    eta = np.asarray(rates, float)
    dense = np.geomspace(eta[0], eta[-1], 200)
    plotting.measured(axes, eta, np.asarray(losses, float).mean(0), color=plotting.BLUE, label="_measured")
    level = [quadratics.noise_level(e, 0.0, 1.0, math.sqrt(noise)) / 2 for e in dense]
    plotting.theory(axes, dense, level, label="_theory")
    axes.plot(dense, noise * dense / 4, color=plotting.ORANGE, linewidth=1.1, label="linear")
    axes.set_xticks([0.05, 0.1, 0.2, 0.5, 1, 2], ["0.05", "0.1", "0.2", "0.5", "1", "2"])
    axes.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    title = "The floor is proportional to η while η is small"
    plotting.finish(axes, title=title, x="step size η, curvature 1", y="mean loss at rest")
    return figure


def ramp(excess: Mapping[str, Tensor], change: int) -> Figure:
    """Loss above the lowest after each epoch, for each thing that one may do at the epoch `change`.

    Args: excess: "constant", "η / 8" and "8 b" -> (S, epochs), after each epoch.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    plotting.log_ticks(axes, "y")
    colours = (plotting.GREY, plotting.ORANGE, plotting.BLUE)
    for (name, losses), colour in zip(excess.items(), colours, strict=True):
        y = losses.mean(0).numpy()
        epoch = np.arange(1, len(y) + 1)
        after = epoch[change - 1 :]
        if name == "constant":
            axes.plot(epoch, y, color=colour, label=name)
        elif name == "η / 8":
            axes.plot(after, y[change - 1 :], color=colour, label=name, linewidth=5, alpha=0.45)
        else:
            axes.plot(after, y[change - 1 :], "o-", color=colour, label=name, markersize=3.5, linewidth=1)
    axes.axvline(change, color=plotting.LIGHT, linewidth=1, zorder=0)
    axes.set(xlim=(0, len(y)))
    axes.set_xticks(range(0, len(y) + 1, 5))
    axes.set(ylim=(0.0012, 0.03))
    axes.set_yticks([0.002, 0.005, 0.01, 0.02], ["0.002", "0.005", "0.01", "0.02"])
    title = "A larger batch lowers the floor as a smaller step does"
    plotting.finish(axes, title=title, x="epochs", y="loss above the lowest")
    return figure


def through_an_epoch(
    replaced: ArrayLike, shuffled: ArrayLike, *, lr: float, noise: float, steps: int
) -> Figure:
    """Variance at rest through two epochs, batches drawn with replacement and reshuffled.

    Args:
        replaced, shuffled: (S, 2 * steps + 1), from an epoch's end on.
        noise: variance of one batch's gradient.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    t = np.arange(2 * steps + 1) / steps
    level = quadratics.noise_level(lr, 0.0, 1.0, math.sqrt(noise))
    bridge = gradient_noise.shuffled_noise_level(lr, 1.0, noise, steps).numpy()
    for values, theory, label, color in (
        (replaced, np.full(len(t), level), "with replacement", plotting.ORANGE),
        (shuffled, np.concatenate([bridge, bridge[1:]]), "reshuffled", plotting.BLUE),
    ):
        mean = np.asarray(values, float).mean(0) / level
        plotting.measured(axes, t, mean, label=f"_{label}", color=color)
        plotting.theory(axes, t, theory / level, label="_theory")
        axes.text(1, mean[steps // 2] + 0.09, label, color=color, ha="center")
    axes.set_ylim(0, 1.25)
    axes.set_xticks([0, 0.5, 1, 1.5, 2])
    title = "Reshuffled, the noise comes and goes within an epoch"
    plotting.finish(axes, title=title, x="epochs", y="variance, independent draws = 1", names=False)
    return figure


def batch_tradeoff(sizes: Sequence[int], steps: ArrayLike, *, fewest: float, critical: float) -> Figure:
    """Steps and examples to one loss against the batch size, with S_min (1 + B / b).

    Args: sizes: (B,). steps: (S, B). fewest, critical: S_min and B of the fitted curve.
    """
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 6.0), sharex=True)
    b, s = np.asarray(sizes, float), np.asarray(steps, float)
    dense = np.geomspace(b[0], b[-1], 200)
    curve = fewest * (1 + critical / dense)
    for axes, values, line in ((above, s, curve), (below, s * b, curve * dense)):
        plotting.log_ticks(axes)
        plotting.measured(axes, b, values.mean(0), label="_points", color=plotting.BLUE)
        plotting.theory(axes, dense, line, label="_curve")
        axes.axvline(critical, color=plotting.GREY, linewidth=0.8)
        axes.set_xticks(b, [f"{x:g}" for x in b])
    above.set_yticks([30, 100, 300], ["30", "100", "300"])
    below.set_yticks([1000, 3000, 10000], ["1,000", "3,000", "10,000"])
    above.text(critical * 1.1, 250, r"$\mathcal{B}$, the critical batch", color=plotting.GREY)
    plotting.finish(above, title="The steps fall, then stop falling …", x="", y="steps to the loss")
    title = "… and the examples stay, then rise"
    plotting.finish(below, title=title, x="batch size b", y="examples to the loss")
    return figure


def quickest(sizes: Sequence[int], steps: ArrayLike, workers: Sequence[int]) -> Figure:
    """Time to one loss, in passes, where a step of b examples takes ceil(b / w) passes; a star at the least.

    Args: sizes: (B,). steps: (S, B). workers: up to four values of w, one line each.
    """
    figure, axes = plotting.subplots(size=(6.4, 4.2))
    plotting.log_ticks(axes)
    b, mean = np.asarray(sizes, float), np.asarray(steps, float).mean(0)
    colours = (plotting.GREY, plotting.ORANGE, plotting.GREEN, plotting.BLUE)
    for w, colour in zip(workers, colours, strict=False):
        time = mean * np.ceil(b / w)
        axes.plot(b, time, "o-", color=colour, markersize=4, linewidth=1.2, label=f"w = {w}")
        best = int(time.argmin())
        axes.plot(b[best], time[best], "*", color=colour, markersize=15, zorder=6, label="_best")
    axes.set_xticks(b, [f"{x:g}" for x in b])
    axes.set_yticks([30, 100, 300, 1000], ["30", "100", "300", "1,000"])
    title = "With w examples at once the quickest batch is w"
    plotting.finish(axes, title=title, x="batch size b", y="passes to the loss")
    return figure


def valleys(
    sizes: Sequence[int],
    rates: Sequence[float],
    losses: Mapping[int, Tensor],
    rule: Tensor,
    best: Tensor,
    full: Tensor,
) -> Figure:
    """Above, loss after equal epochs against the rate, one curve a batch; below, the rule and the best rate.

    Args:
        sizes: (K,) batch sizes. rates: (R,), rising. losses: batch size -> (S, R).
        rule, best: (K, C), losses at the rate of the rule and at the best rate, on seeds of their own.
        full: (k, C), full batches at the rate of the rule for the largest k batch sizes, in as many steps.
    """
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 6.6), height_ratios=(1.2, 1))
    b, eta = np.asarray(sizes, float), np.asarray(rates, float)
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.85, len(b)))
    means = [losses[size].mean(0).numpy() for size in sizes]
    height = 3.2
    for size, mean, shade in reversed(list(zip(sizes, means, shades, strict=True))):
        above.plot(eta, mean, "o-", color=shade, linewidth=1.4, markersize=3, label=f"_{size}")
        # a name beside its curve, or below the name before it
        height = min(mean[0], height / 1.28)
        above.text(eta[0] * 0.93, height, f"{size}", color=shade, ha="right", va="center", fontsize=8)
    for axes in (above, below):
        plotting.log_ticks(axes)
        axes.set(ylim=(0.03, 4))
        axes.set_yticks([0.05, 0.1, 0.3, 1, 3], ["0.05", "0.1", "0.3", "1", "3"])
    above.set(xlim=(eta[0] * 0.7, eta[-1] * 1.05))
    above.set_xticks([0.025, 0.1, 0.4, 1.6], ["0.025", "0.1", "0.4", "1.6"])
    for found, name, colour in (
        (rule, "η ∝ b", plotting.VERMILION),
        (best, "best η", plotting.BLUE),
        (full, "full batches", plotting.GREY),
    ):
        mean = found.log().mean(1).exp().numpy()
        below.plot(b[-len(mean) :], mean, "D--" if found is full else "o-", color=colour, label=name)
    below.set_xticks(b, [f"{x:g}" for x in b])
    title = "A larger batch moves the valley right, up to a wall"
    plotting.finish(
        above, title=title, x="step size η, one curve for each b", y="loss after 5 epochs", names=False
    )
    title = "η ∝ b keeps the loss, then fades, then breaks"
    plotting.finish(below, title=title, x="batch size b", y="loss after 5 epochs")
    return figure


def line_of(sizes: ArrayLike, values: ArrayLike) -> tuple[float, float]:
    """(a, w) of the line a (1 + b / w) that is nearest to `values` by relative errors.

    Args: sizes: (B,) batch sizes b. values: (B,) > 0.
    """
    b, v = np.asarray(sizes, float), np.asarray(values, float)
    a, slope = np.linalg.lstsq(np.stack([1 / v, b / v], 1), np.ones(len(b)), rcond=None)[0]
    return float(a), float(a / slope)


def recorded_times(record: Record, fewest: float, critical: float) -> Figure:
    """Above, the recorded time of a step against the batch; below, the time to a loss that follows from it.

    Args:
        record: of the kind "throughput".
        fewest, critical: S and B of steps = S (1 + B / b), for the lower panel's small net.
    """
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 6.6), sharex=True)
    times: dict[str, dict[int, float]] = {}
    for row in record.rows:
        times.setdefault(row["net"], {})[row["batch"]] = 1e3 * row["median_s"]
    for (name, of_batch), colour in zip(times.items(), (plotting.BLUE, plotting.ORANGE), strict=True):
        b, ms = np.array(list(of_batch), float), np.array(list(of_batch.values()))
        a, w = line_of(b, ms)
        dense = np.geomspace(b[0], b[-1], 200)
        plotting.measured(above, b, ms, label=f"_{name}", color=colour)
        plotting.theory(above, dense, a * (1 + dense / w), label="_line")
        above.text(1.0, ms[0] * 1.45, name, color=colour)
        if name == "small net":
            total = fewest * (1 + critical / b) * ms
            plotting.measured(below, b, total, label="_total", color=colour)
            plotting.theory(
                below, dense, fewest * (1 + critical / dense) * a * (1 + dense / w), label="_line"
            )
            below.axvline(math.sqrt(critical * w), color=plotting.INK, linewidth=0.9)
            below.text(
                math.sqrt(critical * w) * 1.1,
                total.max() * 0.6,
                r"$\sqrt{\mathcal{B}\,w}$",
                color=plotting.INK,
            )
            for at, mark in ((critical, r"$\mathcal{B}$"), (w, "w")):
                below.axvline(at, color=plotting.GREY, linewidth=0.8, linestyle=(0, (1, 2)))
                below.text(at * 1.08, total.max() * 0.25, mark, color=plotting.GREY)
    for axes in (above, below):
        plotting.log_ticks(axes)
        axes.set_xticks(b, [f"{x:g}" for x in b])
    above.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    below.set_yticks([10, 30, 100], ["10", "30", "100"])
    title = "A step's time is no staircase: flat at first, then a line"
    plotting.finish(above, title=title, x="", y="ms per step", names=False)
    title = r"Time to the loss: least between $\mathcal{B}$ and w"
    plotting.finish(below, title=title, x="batch size b", y="ms to the loss, small net", names=False)
    figure.supxlabel(record.provenance, fontsize=9, color=plotting.GREY)
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
    """Above where the chains end, with the ellipse that should hold 90% of them; below their mean loss."""
    figure, (left, right) = plotting.subplots(2, 1, size=(6.4, 6.6), height_ratios=(1.5, 1))
    path = chains(lr, int(batch_size))
    _draw_cloud(left, lr, int(batch_size), len(path) - 1)
    loss = (0.5 * path.square() * torch.tensor(CURVATURES)).sum(-1)
    floor = sum(c * v for c, v in zip(CURVATURES, rest_variances(lr, int(batch_size)), strict=True)) / 2
    right.plot(np.arange(len(path)), loss.mean(1).numpy(), color=plotting.BLUE)
    plotting.theory(right, [0, len(path) - 1], [floor, floor])
    right.set(yscale="log", xlim=(0, len(path) - 1), ylim=(0.001, 30))
    title = f"η = {lr:g}, b = {batch_size:g}: the floor of the loss"
    plotting.finish(right, title=title, x="steps", y="mean loss", names=False)
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
    title = f"Step {step}: where the runs are"
    plotting.finish(axes, title=title, x="θ₁, curvature 1", y="θ₂, curvature 4", names=False)
