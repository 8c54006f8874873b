"""The figures of lesson 10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import intervals, plotting, schedules
from course_utils.seeds.rates import LRSweep

COLD, WARM, SHARP, FLAT = plotting.GREY, plotting.BLUE, plotting.VERMILION, plotting.GREEN
STILL = plotting.PURPLE
STEPS = 238  # 34 + 68 + 136: three periods of the restarts
START = 0.9  # of the quartic
SHAPES = {
    "cosine (lesson 09)": schedules.cosine_decay(STEPS),
    "triangular": schedules.triangular(40),
    "restarts": schedules.cosine_restarts(34, mult=2),
    "warm-up, cosine": schedules.linear_warmup(24, schedules.cosine_decay(STEPS - 24)),
    "one cycle": schedules.one_cycle(STEPS),
}
WAYS = {"without": COLD, "with warm-up": WARM, "standing still first": STILL}  # of the panels of rates

# What each figure shows, in words.
SHAPES_ALT = (
    "Six schedules of one run. A cosine falls from the peak. Triangular rises and falls three times. "
    "Restarts begin at the peak and jump back to it twice. Warm-up with cosine and one cycle rise once and "
    "fall. The last stays at the peak, with three branches down."
)
THRESHOLDS = (
    "Largest peak rate that settles against the steps before the peak, both axes logarithmic. On the quartic "
    "a climb lets it rise in proportion to its steps, parallel to the dashed line that is proved safe; steps "
    "at a tenth of the peak let it rise to a level; steps at a share that fits their number lead furthest, "
    "from 5 steps on. On the bowl it stays at two."
)
SHARPNESS = (
    "Largest curvature against the step for three nets at one small rate, logarithmic. Large weights start "
    "sharp and flatten. The default net with large inputs starts sharp and does not flatten for long. The "
    "default net starts flat and stays flat."
)
RATES = (
    "Validation accuracy against the peak rate in three panels, each falling off at high rates. For large "
    "weights the fall comes at a higher rate with warm-up. For the two default nets both curves fall off at "
    "about the same place."
)
BY_CURVATURE = (
    "Largest peak rate that trains against the curvature at the start, both logarithmic, for four nets, "
    "without and with warm-up. The dashed line 2/λ is above the dots of the default net and far below those "
    "of large weights. The two dots lie apart for large weights and together for large inputs."
)
CLIMBING = (
    "Peak rate times curvature along the first 40 steps, logarithmic. Runs that stay at a tenth of the peak "
    "end with the highest product. Those that climb come down to those that stay at four tenths."
)
ADAM_RATES = (
    "Validation accuracy against Adam's rate in two panels. With large weights the curve with warm-up falls "
    "off last, and to stand still first does not help. In the default net it falls off a little later, too."
)
STEM = (
    "Validation loss against the step, logarithmic. The stem at the peak flattens out. Each branch drops "
    "below it in its last steps. Beside them three cosines, one for each length."
)
BY_LENGTH = (
    "How far a warm-up moves the fall, in doublings, against its length of 10, 40 and 100 steps: about "
    "level. The quartic's dashed line rises on."
)
WARM_QUARTIC = (
    "Left, rate and edge against the step for a peak of 20 after 12 steps of warm-up: the rate climbs to its "
    "peak and the edge climbs ahead of it. Right, the point swings once across the minimum and comes in."
)


def shapes() -> Figure:
    """Six schedules of one run; the last with its branches."""
    figure, axes = plotting.subplots(2, 3, size=(9.0, 4.2), sharex=True, sharey=True)
    t = range(STEPS)
    for k, (axis, (name, rate)) in enumerate(zip(axes.flat, SHAPES.items(), strict=False)):
        axis.plot(t, [rate(s) for s in t], color=WARM)
        plotting.finish(axis, title=name, x="step" if k >= 3 else "", y="share of peak", names=False)
        axis.set_ylabel("share of peak" if k % 3 == 0 else "")
    last = axes.flat[-1]
    for total, color in ((80, COLD), (160, COLD), (STEPS, WARM)):
        rate = schedules.warmup_stable_decay(total, warmup=24, decay=total // 5)
        steps = range(total + 1)
        last.plot(steps, [rate(s) for s in steps], color=color, zorder=2 + (color == WARM))
    plotting.finish(last, title="warm-up, stable, decay", x="step", y="", names=False)
    return figure


def quartic_run(peak: float, warmup: int, steps: int = 60) -> tuple[Tensor, Tensor]:
    """Gradient descent on theta**4 / 4 from START: (rates used, (steps,); points, (steps + 1,)).

    A point that has left [-10**6, 10**6] stays at its border.

    Args: warmup: steps of linear warm-up; 0 is a constant rate.
    """
    rate = schedules.linear_warmup(warmup, schedules.constant())
    theta = torch.tensor(START, dtype=torch.float64)
    rates, points = [], [theta]
    for t in range(steps):
        rates.append(peak * rate(t))
        theta = (theta - rates[-1] * theta**3).clamp(-1e6, 1e6)
        points.append(theta)
    return torch.tensor(rates, dtype=torch.float64), torch.stack(points)


def warm_quartic(peak: float, warmup: float) -> Figure:
    """Left, the rate against the edge 2 / theta**2; right, where the point goes."""
    rates, points = quartic_run(peak, int(warmup))
    figure, (left, right) = plotting.subplots(1, 2, size=(9.0, 3.6))
    t = np.arange(len(rates))
    size = points[:-1].abs().numpy()
    edge = np.where(size < 1e6, 2 / size.clip(1e-2) ** 2, np.nan)
    plotting.log_ticks(left, "y")
    left.plot(t, rates.numpy(), color=WARM, label="rate η")
    plotting.theory(left, t, edge, label="edge 2/θ²")
    left.set(ylim=(1e-1, 1e5))
    plotting.finish(left, title="The rate must stay below the edge", x="step", y="step size")
    arrived = bool(points.abs().max() < 10)
    shown = len(points) if arrived else int((points.abs() >= 10).long().argmax()) + 1
    right.plot(np.arange(shown), points[:shown].numpy(), color=WARM if arrived else SHARP)
    right.axhline(0, color=plotting.LIGHT, zorder=0)
    right.set(xlim=(-3, len(points) + 2), ylim=(-3, 3))
    verdict = "arrives" if arrived else "runs away"
    plotting.finish(
        right, title=f"Peak {peak:g}, warm-up {warmup:g}: {verdict}", x="step", y="θ", names=False
    )
    return figure


def thresholds(
    lengths: Sequence[int], quartic: ArrayLike, held: ArrayLike, fitted: ArrayLike, bowl: ArrayLike
) -> Figure:
    """The largest peak that settles, against the steps before it, with what is proved.

    Args: quartic, bowl: after a climb of n steps. held, fitted: of the quartic, after n steps at a tenth of
        the peak, and at 1/(3n) of it.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    n = np.asarray(lengths, float)
    plotting.log_ticks(axes)
    plotting.measured(axes, n, quartic, color=SHARP, label="θ⁴/4, climb")
    plotting.measured(axes, n, held, color=plotting.ORANGE, label="θ⁴/4, at a tenth")
    plotting.measured(axes, n, fitted, color=STILL, label="θ⁴/4, at 1/(3n)")
    plotting.measured(axes, n, bowl, color=FLAT, label="√(1 + θ²), climb")
    plotting.theory(axes, n, n, label="proved safe")
    title = "Where curvature falls, a low start buys a higher peak"
    plotting.finish(
        axes, title=title, x="steps before the peak", y="largest peak rate that settles", names=False
    )
    plotting.label_lines(axes, gap=0.085)
    return figure


def sharpness_curves(steps: Sequence[int], curves: Mapping[str, ArrayLike]) -> Figure:
    """The curvature of nets along a run at one small rate. Args: curves: name -> (S, T)."""
    figure, axes = plotting.subplots(size=(6.8, 3.6))
    plotting.log_ticks(axes, "y")
    for (name, values), color in zip(curves.items(), (SHARP, plotting.ORANGE, FLAT), strict=True):
        plotting.band(axes, np.asarray(steps), _logs(values), label=name, color=color)
    _back_to_values(axes)
    title = "Two nets start sharp, and one of them flattens"
    plotting.finish(axes, title=title, x="step, at one small rate", y="largest curvature λ")
    return figure


def rates(panels: Mapping[str, Mapping[str, LRSweep]], x: str = "peak rate η") -> Figure:
    """Validation accuracy against the rate, a panel for each net.

    Args: panels: title -> way, one of `WAYS` -> a sweep.
    """
    figure, axes = plotting.subplots(1, len(panels), size=(3.4 * len(panels), 3.6), sharey=True)
    for k, (axis, (name, ways)) in enumerate(zip(axes, panels.items(), strict=True)):
        plotting.log_ticks(axis, "x")
        for row, (way, sweep) in enumerate(ways.items()):
            lrs = sweep.lrs.tolist()
            plotting.band(axis, lrs, sweep.last_metric.numpy(), label=f"_{way}", color=WAYS[way])
            if k == 0:
                place = (0.04, 0.26 - 0.09 * row)
                axis.text(*place, way, color=WAYS[way], transform=axis.transAxes)
        axis.set_xticks(lrs[::3], [f"{lr:.2g}" for lr in lrs[::3]])
        axis.set_ylim(0, 1)
        plotting.finish(axis, title=name, x=x, y="" if k else "validation accuracy", names=False)
    return figure


def by_curvature(nets: Mapping[str, tuple[Tensor, Tensor, Tensor]]) -> Figure:
    """The largest peak that trains without and with warm-up, against the curvature at the start.

    Args: nets: name -> curvatures (S,), base-2 logarithms of the largest peak without (S,) and with (S,).
    """
    figure, axes = plotting.subplots(size=(6.8, 4.2))
    plotting.log_ticks(axes)
    for name, (curvature, cold, warm) in nets.items():
        at = float(curvature.double().log().mean().exp())
        marker = "s" if "inputs" in name else "o"
        for values, color in ((cold, COLD), (warm, WARM)):
            found = intervals.mean_interval(values)
            axes.plot([at, at], [2**found.low, 2**found.high], color=color, linewidth=2, alpha=0.6)
            axes.plot(at, 2**found.mean, marker, color=color, markersize=7)
        below = "inputs" in name
        edge = [2 ** float(values.mean()) for values in (cold, warm)]
        at_name, place = (at, min(edge)), (-8, -16)
        if not below:
            at_name, place = (at, max(edge)), (0, 34 if name.startswith("large") else 22)
        align = {"ha": "left", "va": "top"} if below else {"ha": "center", "va": "bottom"}
        axes.annotate(name, at_name, place, textcoords="offset points", fontsize=9, **align)
    curvatures = np.geomspace(0.4, 150, 50)
    plotting.theory(axes, curvatures, 2 / curvatures, label="_edge")
    axes.text(5.3, 0.4, "2/λ", color=plotting.INK)
    axes.text(0.45, 0.15, "without warm-up", color=COLD)
    axes.text(0.45, 0.11, "with warm-up", color=WARM)
    axes.set(xlim=(0.4, 150), ylim=(0.02, 2.5))
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes.set_yticks([0.02, 0.1, 0.5, 2], ["0.02", "0.1", "0.5", "2"])
    title = "Of these four nets a warm-up lifts the limit of one"
    plotting.finish(
        axes, title=title, x="curvature λ at the start", y="largest peak rate that trains", names=False
    )
    return figure


def climbing(steps: Sequence[int], curves: Mapping[str, ArrayLike], peak: float) -> Figure:
    """Peak rate times curvature along the first steps. Args: curves: name -> curvatures (S, T)."""
    figure, axes = plotting.subplots(size=(6.8, 3.6))
    plotting.log_ticks(axes, "y")
    for (name, values), color in zip(curves.items(), (plotting.ORANGE, SHARP, WARM), strict=True):
        plotting.band(axes, np.asarray(steps), _logs(peak * np.asarray(values)), label=name, color=color)
    _back_to_values(axes)
    axes.axhline(2, color=plotting.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=0)
    axes.text(steps[-1], 1.9, "2: the edge of a quadratic", color=plotting.INK, va="top", ha="right")
    axes.set_ylim(1.3, 40)
    axes.set_yticks([2, 5, 10, 20], ["2", "5", "10", "20"])
    title = "A climb leads to flatter ground than a tenth of the peak"
    plotting.finish(axes, title=title, x="step", y="peak rate × curvature")
    return figure


def stem(held: LRSweep, branches: Sequence[LRSweep], cosines: Sequence[LRSweep]) -> Figure:
    """A run that stays at the peak, branches down from it, and a cosine for each length; geometric means.

    Args: sweeps of one rate each, branches and cosines in the order of their lengths.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.9))
    plotting.log_ticks(axes, "y")
    for color, runs in ((COLD, [held]), (SHARP, cosines), (WARM, branches)):
        for run in runs:
            x, y = np.asarray(run.steps), np.exp(run.validation_loss[:, 0].double().log().mean(0).numpy())
            # of a branch what it has for itself, the decay
            shown = x >= 0.75 * x[-1] if color == WARM else x > 0
            axes.plot(x[shown], y[shown], color=color, label="_run")
            axes.plot(x[-1:], y[-1:], "o" if color != COLD else "", color=color, markersize=5, label="_end")
    axes.text(88, 0.55, "cosines", color=SHARP)
    for height, name, color in ((0.13, "stem", COLD), (0.09, "branches", WARM)):
        axes.text(held.steps[-1] * 1.02, height, name, color=color)
    axes.set(ylim=(0.08, 2.5), xlim=(0, held.steps[-1] * 1.17))
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    title = "One stem, three branches, and a cosine for each length"
    plotting.finish(axes, title=title, x="step", y="validation loss", names=False)
    return figure


def by_length(lengths: Sequence[int], shifts: ArrayLike) -> Figure:
    """How far a warm-up moves the largest rate, against its length. Args: shifts: (S, L), in doublings."""
    figure, axes = plotting.subplots(size=(6.4, 3.5))
    plotting.log_ticks(axes, "x")
    _points(axes, lengths, shifts, WARM, "net, large weights")
    n = np.asarray(lengths, float)
    # of the quartic: 1.72 n / theta**2 instead of 2 / theta**2
    plotting.theory(axes, n, np.log2(1.72 * n / 2), label="quartic")
    axes.set(ylim=(0, 6.5), xlim=(lengths[0] * 0.9, lengths[-1] * 1.12))
    axes.minorticks_off()
    axes.set_xticks(list(lengths), [str(length) for length in lengths])
    title = "On the net a longer warm-up soon buys no more"
    plotting.finish(axes, title=title, x="steps of warm-up", y="fall moves by (doublings)", names=False)
    plotting.label_lines(axes, away=0.022)  # the last dot is wide
    return figure


def _points(axes: Axes, x: Sequence[int], values: ArrayLike, color: str, name: str) -> None:
    """The mean of each column of values (S, L) and its interval."""
    found = [intervals.mean_interval(column) for column in np.asarray(values, float).T]
    for at, one in zip(x, found, strict=True):
        axes.plot([at, at], [one.low, one.high], color=color, linewidth=2, alpha=0.5, label="_interval")
    axes.plot(list(x), [one.mean for one in found], "o-", color=color, markersize=6, label=name)


def _logs(values: ArrayLike) -> Tensor:
    return torch.from_numpy(np.asarray(values, float)).log()


def _back_to_values(axes: Axes) -> None:
    """Bands of logarithms (means are geometric) as the values themselves."""
    for line in axes.get_lines():
        line.set_ydata(np.exp(np.asarray(line.get_ydata(), float)))
    for band in axes.collections:
        for path in band.get_paths():
            vertices = np.array(path.vertices, float)
            vertices[:, 1] = np.exp(vertices[:, 1])
            path.vertices = vertices
    axes.relim()
    axes.autoscale_view()
