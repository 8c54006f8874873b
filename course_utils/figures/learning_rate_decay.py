"""The figures of lesson 09, and the quadratic behind them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import ArrayLike
from torch import Tensor
from torch.optim import lr_scheduler

from course_utils import plotting, schedules
from course_utils.intervals import Interval
from course_utils.theory import noisy_quadratic

STEPS, DROP = 400, 10.0  # length of the runs drawn here; what a drop divides the rate by
LARGE = 0.5
HIGHEST = 2.0  # of the rates that are drawn or searched: 2 / (largest curvature), beyond which steps diverge
PEAKS = torch.logspace(-3.2, 0.5, 36, dtype=torch.float64)
COLOURS = {
    "constant": plotting.GREY,
    "stairs": plotting.ORANGE,
    "exponential": plotting.GREEN,
    "linear": plotting.PURPLE,
    "polynomial": plotting.VERMILION,
    "cosine": plotting.BLUE,
}

# What each figure shows, in words.
FIRST_IDEA = (
    "Mean loss against steps, logarithmic. The large rate falls at first and goes flat. The "
    "small rate falls slowly and ends somewhat lower. Large, then small follows the first, falls when the "
    "rate does, and ends lowest."
)
SHAPES = (
    "Five decays over 100 steps, on a linear and on a logarithmic axis. Stairs fall twice. Linear, "
    "polynomial and cosine reach zero. The exponential is a straight line on the logarithmic axis, down to "
    "0.01."
)
CROWD = (
    "Mean loss against steps in one direction, both axes logarithmic. Rates of 0.5, 0.1 and 0.02 each fall "
    "and go flat, the smaller the later and the lower. The schedule 1/t lies below all three and falls on. "
    "The dots of the crowd lie on the lines of theory."
)
GAINS = (
    "Last loss over that of the best constant rate against the length of the run, for five decays, in two "
    "panels. Above, with noise in proportion to the curvature, all five fall below one as runs get longer. "
    "Below, with equal noise in all directions, they stay near one or above it, and the linear decay is "
    "among the lowest."
)
BEST_SCHEDULES = (
    "Rates against the step, logarithmic, in two panels. Left, with noise in proportion to the curvature, "
    "the best schedule stays at its upper limit for a while and then falls, at first faster than the "
    "exponential beside it, at last more slowly. Right, with equal noise, it starts much lower and stays "
    "close to the linear decay for most of the run."
)
FILM_OF_DROPS = (
    "A drop of the rate moves through a run of 400 steps. Dropped early, the loss creeps; dropped late, it "
    "has no time to settle. The dashed line of the ends is lowest for a drop near the middle."
)
NET_PEAKS = (
    "Excess risk of the net against the peak rate, both axes logarithmic. The constant rate has a wide "
    "valley at small rates. Five decays go on falling to larger rates, and their valleys are deeper."
)
CONTROL = (
    "Excess risk against the step, logarithmic. Three curves are one until the middle of the run. Then the "
    "one with the unchanged rate stays high, and those with a lower rate and with a larger batch "
    "fall at once."
)
PLATEAUS = (
    "Excess risk at the end over the best constant rate's, as dots with intervals, for four plateau rules "
    "and for the best decay; a dashed line at one."
)
POOLS = (
    "Excess risk of the linear decay over the best constant rate's, as dots with intervals: with 120 "
    "examples, with 120 whose targets have no noise, and where all examples are new; a dashed line at one."
)
MISTAKES = (
    "Panels of rates against steps, each with what was meant as a dashed line and what the run used: one "
    "step early; a fall in every batch; a ramp for stairs; a rate that dies; a cosine that rises again; a "
    "drop that comes late."
)
DRAWN = (
    "Left, a schedule: 0.5 for half of the run, then 0.1. Right, the mean loss that follows: it falls, goes "
    "nearly flat, falls again at the drop, and ends below the best constant rate and above the best schedule."
)

Shapes = Mapping[str, Callable[[int], schedules.Schedule]]


def valley(start: float = 10.0, *, even: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Curvatures, noise and V at the start of the quadratic that is drawn: 20 directions, κ = 100.

    Args: even: s² = 1 in all directions; otherwise s² = λ.
    """
    lam = torch.logspace(-2, 0, 20, dtype=torch.float64)
    return lam, torch.ones_like(lam) if even else lam, torch.full_like(lam, start)


DECAYS: Shapes = {
    "stairs": lambda n: schedules.multistep_decay(_milestones(n), 0.1),
    "exponential": lambda n: schedules.exponential_decay(0.01 ** (1 / n)),
    "linear": lambda n: schedules.polynomial_decay(n),
    "polynomial": lambda n: schedules.polynomial_decay(n, power=2.0),
    "cosine": lambda n: schedules.cosine_decay(n),
}
"""Name -> total -> schedule; stairs at a half and three quarters, exponential to a hundredth, polynomial of
power 2. All have a peak of 1 at step 0."""


def schedule(name: str, total: int) -> schedules.Schedule:
    """The schedule of this name, "constant" or one of `DECAYS`, for a run of `total` steps."""
    return schedules.constant() if name == "constant" else DECAYS[name](total)


def multipliers(name: str, total: int) -> Tensor:
    """What this schedule multiplies the peak by at steps 0, 1, ..., total - 1: (total,), float64."""
    rate = schedule(name, total)
    return torch.tensor([rate(t) for t in range(total)], dtype=torch.float64)


@functools.cache
def dropped(step: int, start: float = 10.0) -> Tensor:
    """Mean loss (STEPS + 1,) with the large rate up to `step` and a tenth of it from there on."""
    rates = torch.full((STEPS,), LARGE, dtype=torch.float64)
    rates[step:] /= DROP
    return noisy_quadratic.loss_path(rates, *valley(start))


@functools.cache
def drop_ends(start: float = 10.0) -> Tensor:
    """The loss after the last step, for a drop at step 0, 5, ..., STEPS."""
    rates = torch.full((STEPS, STEPS // 5 + 1), LARGE, dtype=torch.float64)
    for column, step in enumerate(range(0, STEPS + 1, 5)):
        rates[step:, column] /= DROP
    return noisy_quadratic.loss_path(rates, *valley(start))[-1]


@functools.cache
def best_end(name: str, *, even: bool = False) -> tuple[float, float]:
    """The lowest mean loss of a schedule after STEPS steps in the valley over PEAKS, and its peak."""
    loss, peak = noisy_quadratic.best_peak(schedule(name, STEPS), STEPS, PEAKS, *valley(even=even))
    return float(loss), float(peak)


@functools.cache
def best_schedule(*, even: bool = False) -> tuple[Tensor, float]:
    """The best rates (STEPS,) in the valley, none above HIGHEST, and the mean loss that they end with."""
    return noisy_quadratic.best_rates(STEPS, HIGHEST, *valley(even=even))


def first_idea() -> Figure:
    """A large rate, a small one, and one after the other."""
    figure, axes = plotting.subplots(size=(6.8, 3.7))
    for name, at, color in (
        ("large rate", STEPS, plotting.GREY),
        ("small rate", 0, plotting.ORANGE),
        ("large, then small", STEPS // 2, plotting.BLUE),
    ):
        axes.plot(np.arange(STEPS + 1), dropped(at).numpy(), label=name, color=color)
    plotting.log_ticks(axes, "y")
    _plain_ticks(axes)
    title = "A large rate covers distance, a small one settles"
    plotting.finish(axes, title=title, x="step", y="mean loss")
    return figure


def shapes(total: int) -> Figure:
    """Five ways down from 1, on a linear and on a logarithmic axis."""
    figure, both = plotting.subplots(1, 2, size=(9.2, 3.6))
    steps = np.arange(total + 1)
    for axes, log in zip(both, (False, True), strict=True):
        for name, make in DECAYS.items():
            rate = make(total)
            values = np.array([rate(t) for t in range(total + 1)])
            drawn = np.where(values > 0, values, np.nan) if log else values
            style = "steps-post" if name == "stairs" else "default"
            axes.plot(steps, drawn, label=f"_{name}", color=COLOURS[name], drawstyle=style)
    for row, name in enumerate(DECAYS):  # where no curve goes: all lines end together
        both[0].text(0.58 * total, 0.95 - 0.085 * row, name, color=COLOURS[name])
    both[1].set(yscale="log", ylim=(1e-3, 1.5))
    plotting.finish(both[0], title="Five ways from 1 downwards", x="step", y="rate / peak", names=False)
    plotting.finish(both[1], title="The same, logarithmic", x="step", y="rate / peak", names=False)
    return figure


def crowd_losses(rates: Tensor, start: float, count: int, generator: torch.Generator) -> Tensor:
    """Mean loss (T,) after each step of `count` runs of SGD, one direction, λ = s² = 1, θ² = `start`."""
    p, seen = torch.full((count,), start**0.5, dtype=torch.float64), []
    for lr in rates:
        p = p - lr * (p + torch.randn(p.shape, generator=generator, dtype=p.dtype))
        seen.append((p**2).mean() / 2)
    return torch.stack(seen)


def crowd(rates: Mapping[str, Tensor], seen: Mapping[str, Tensor], start: float) -> Figure:
    """One direction, λ = s² = 1: the mean loss of many runs as dots, and what the recursion says.

    Args:
        rates: name -> (T,). seen: the same names -> (T,), mean loss of the runs after each step.
        start: V before the first step.
    """
    figure, axes = plotting.subplots(size=(6.8, 3.7))
    one = torch.ones(1, dtype=torch.float64)
    hues = (plotting.ORANGE, plotting.PURPLE, plotting.GREEN, plotting.BLUE)
    for (name, lrs), color in zip(rates.items(), hues, strict=False):
        path = noisy_quadratic.loss_path(lrs, one, one, start * one)[1:].numpy()
        at = np.unique(np.geomspace(1, len(lrs), 22).astype(int))
        plotting.measured(axes, at, seen[name][at - 1].numpy(), label=name, color=color)
        plotting.theory(axes, np.arange(1, len(lrs) + 1), path, label=f"_theory of {name}")
    plotting.log_ticks(axes)
    title = "Every constant rate stops at its floor; 1/t does not stop"
    plotting.finish(axes, title=title, x="steps taken", y="mean loss")
    return figure


def gains(totals: ArrayLike, ratios: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Loss relative to the best constant rate's, against the length of the run, a panel for each noise.

    Args: totals: (K,) steps. ratios: noise -> schedule -> (Q, K), one row per quadratic.
    """
    figure, panels = plotting.subplots(len(ratios), 1, size=(6.8, 3.2 * len(ratios)), sharex=True)
    x = np.asarray(totals, float)
    for axes, (noise, found) in zip(panels, ratios.items(), strict=True):
        for name, values in found.items():
            plotting.band(axes, x, values, label=name, color=COLOURS[name])
        axes.axhline(1.0, **plotting.THEORY)
        axes.text(x[0], 0.3, "below the dashed line the decay is ahead", ha="left", va="bottom")
        plotting.log_ticks(axes, "x")
        axes.set(xlim=(x[0] * 0.85, x[-1]), ylim=(0.2, 1.5))
        axes.set_xticks(x, [f"{int(v):,}" for v in x])
        plotting.finish(axes, title=noise, x="steps of the run", y="loss / best constant's", names=False)
        plotting.label_lines(axes, gap=0.085)
    return figure


def best_schedules() -> Figure:
    """The best rates for the two kinds of noise, beside two shapes at their best peaks."""
    figure, both = plotting.subplots(1, 2, size=(9.2, 3.9), sharey=True)
    steps = np.arange(STEPS)
    for axes, even, title in (
        (both[0], False, "Noise in proportion to λ"),
        (both[1], True, "Equal noise in all directions"),
    ):
        for name in ("exponential", "linear"):
            rates = multipliers(name, STEPS) * best_end(name, even=even)[1]
            axes.plot(steps, rates.numpy(), color=COLOURS[name], label=f"_{name}")
        best = best_schedule(even=even)[0].numpy()
        axes.plot(steps, best, color=plotting.INK, label="_best", linewidth=2.4)
        plotting.log_ticks(axes, "y")
        axes.set_ylim(0.003, 4)
        _plain_ticks(axes)
        plotting.finish(axes, title=title, x="step", y="rate η", names=False)
    hues = {"best there is": plotting.INK} | {name: COLOURS[name] for name in ("exponential", "linear")}
    for row, (name, color) in enumerate(hues.items()):
        both[0].text(12, 0.021 / 1.75**row, name, color=color)
    return figure


def net_peaks(peaks: Sequence[float], losses: Mapping[str, Tensor]) -> Figure:
    """Excess risk against the peak rate, a line for each schedule.

    Args: peaks: (P,). losses: schedule -> (P,), a mean over seeds; infinite where runs diverged.
    """
    figure, axes = plotting.subplots(size=(6.8, 4.1))
    x = np.asarray(peaks, float)
    plotting.log_ticks(axes)
    for name, values in losses.items():
        y = values.double().numpy()
        y = np.where(y < 1, y, np.nan)
        beside = "_" if name == "constant" else ""  # another line would cross its name
        axes.plot(x, y, "o-", color=COLOURS[name], markersize=4.5, label=beside + name)
        for last in np.flatnonzero(np.isfinite(y))[-1:] if beside else ():
            axes.annotate(
                name, (x[last], y[last]), (-6, 6), textcoords="offset points", ha="right", color=COLOURS[name]
            )
    axes.set_ylim(0.024, 0.2)
    _plain_ticks(axes)
    axes.set_xticks(x, [f"{v:g}" for v in x])
    title = "On the net every decay wants a larger rate, and ends lower"
    plotting.finish(axes, title=title, x="peak rate η", y="excess risk at the end")
    return figure


def control(steps: ArrayLike, curves: Mapping[str, ArrayLike]) -> Figure:
    """Excess risk against the step, after a change half way.

    Args: steps: (K,). curves: what was changed -> (S, K).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    hues = (plotting.GREY, plotting.BLUE, plotting.VERMILION)
    x = np.asarray(steps)
    for (name, values), color in zip(curves.items(), hues, strict=False):
        plotting.band(axes, x, values, label=name, color=color)
    axes.axvline(x[-1] / 2, color=plotting.LIGHT, linewidth=1, zorder=0)
    plotting.log_ticks(axes, "y")
    _plain_ticks(axes)
    title = "A lower rate or a larger batch: both silence the noise"
    plotting.finish(axes, title=title, x="step", y="excess risk")
    return figure


def plateaus(shares: Mapping[str, Interval]) -> Figure:
    """What plateau rules end with, over the best constant rate's; and the best decay, by name."""
    return _over_constant(shares, plotting.VERMILION, "Plateau rules, and the best decay")


def pools(shares: Mapping[str, Interval]) -> Figure:
    """The linear decay's excess risk over the best constant rate's, by what is trained on."""
    return _over_constant(shares, COLOURS["linear"], "The linear decay, with few examples and with new ones")


def _over_constant(shares: Mapping[str, Interval], color: str, title: str) -> Figure:
    """A dot with its interval for each name, the first on top, and the level of the best constant rate."""
    figure, axes = plotting.subplots(size=(6.8, 1.3 + 0.5 * len(shares)))
    rows = np.arange(len(shares))[::-1]
    mean = np.array([one.mean for one in shares.values()])
    spread = np.array([[one.mean - one.low, one.high - one.mean] for one in shares.values()]).T
    axes.errorbar(mean, rows, xerr=spread, fmt="o", color=color, markersize=6.5, capsize=3)
    axes.axvline(1.0, **plotting.THEORY)
    axes.text(1.01, len(shares) - 0.55, "best constant rate", ha="left", va="center")
    axes.set(xlim=(0.5, 1.25), ylim=(-0.5, len(shares) - 0.2))
    axes.set_yticks(rows, list(shares))
    plotting.finish(axes, title=title, x="excess risk / best constant rate's", y="", names=False)
    return figure


def mistakes() -> Figure:
    """Six mistakes, each as the rates that the run used beside those that were meant."""
    figure, panels = plotting.subplots(2, 3, size=(9.4, 5.5))
    figure.set_layout_engine("constrained", hspace=0.08)  # a title stands clear of the label above it
    for axes, (name, (meant, used)) in zip(panels.flat, mistaken_rates().items(), strict=True):
        steps = np.arange(len(used))
        axes.plot(steps, used.numpy(), color=plotting.VERMILION, drawstyle="steps-post", label="_used")
        axes.plot(
            steps, meant.numpy(), **plotting.THEORY,
            drawstyle="steps-post", label="_meant", zorder=5,
        )  # fmt: skip
        axes.set(ylim=(-0.05, 1.1))
        plotting.finish(axes, title=name, x="step", y="rate / peak", names=False)
    panels[0, 0].text(10.5, 0.95, "used", color=plotting.VERMILION)
    panels[0, 0].text(10.5, 0.8, "meant", color=plotting.INK)
    return figure


@functools.cache
def mistaken_rates() -> Mapping[str, tuple[Tensor, Tensor]]:
    """Mistake -> the rates that were meant, and those that a run with the mistake uses."""
    per_epoch, epochs = 10, 6
    whole = range(epochs * per_epoch)
    short = [0.5 ** (t // 5) for t in range(20)]
    stairs = [0.1 ** (t // per_epoch // 2) for t in whole]
    again = [1.0]
    for epoch in range(1, 18):
        again.append(again[-1] * 0.5 ** (epoch // 5))
    found = {
        "The scheduler first": (short, used_rates(lambda o: lr_scheduler.StepLR(o, 5, 0.5), 20, early=True)),
        "Called in each batch": (stairs, used_rates(lambda o: lr_scheduler.StepLR(o, 2), len(whole))),
        "One slash": (short, [0.5 ** (t / 5) for t in range(20)]),
        "The factor again": ([0.5 ** (t // 5) for t in range(18)], again),
        "Past T_max": (
            multipliers("cosine", 20).tolist() + [0.0] * 20,
            used_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 20), 40),
        ),
        "Resumed without state": ([0.1 ** (t // 20) for t in range(60)], _resumed(20, 30, 60)),
    }
    return {name: (torch.tensor(meant), torch.tensor(used)) for name, (meant, used) in found.items()}


def used_rates(
    make: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], steps: int, *, early: bool = False
) -> list[float]:
    """The rates that each step uses under PyTorch's scheduler, of a peak of 1.

    Args: early: `scheduler.step()` comes before `optimizer.step()`.
    """
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, used = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(steps):
            if early:
                scheduler.step()
            used.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if not early:
                scheduler.step()
    return used


def _resumed(step_size: int, stop: int, total: int) -> list[float]:
    """Rates of `StepLR`, stopped after `stop` steps and resumed with the optimizer's state alone."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, used = lr_scheduler.StepLR(optimizer, step_size), []
    for t in range(total):
        if t == stop:
            saved = optimizer.state_dict()
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
            scheduler = lr_scheduler.StepLR(optimizer, step_size)
            optimizer.load_state_dict(saved)
        used.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return used


def drawn_schedule(first: float, second: float, third: float, fourth: float) -> Figure:
    """A rate for each quarter of the run, and the mean loss that follows from it."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.7))
    chosen = torch.tensor([first, second, third, fourth], dtype=torch.float64)
    rates = chosen.repeat_interleave(STEPS // 4)
    left.plot(
        np.arange(STEPS + 1),
        np.append(rates.numpy(), rates[-1]),
        color=plotting.VERMILION,
        drawstyle="steps-post",
    )
    plotting.log_ticks(left, "y")
    left.set_ylim(0.006, 2.4)
    path = noisy_quadratic.loss_path(rates, *valley()).numpy()
    right.plot(np.arange(STEPS + 1), np.minimum(path, 1e3), color=plotting.VERMILION)
    levels = {"best constant": best_end("constant")[0], "best exponential": best_end("exponential")[0]}
    for name, value in levels.items():
        right.axhline(value, **plotting.THEORY)
        right.text(0, value * 1.04, name, va="bottom")
    best = best_schedule()[1]
    right.axhline(best, color=plotting.INK, linewidth=1.1)
    right.text(0, best / 1.06, "best there is", va="top")
    plotting.log_ticks(right, "y")
    right.set_ylim(0.03, 30)
    for axes in (left, right):
        _plain_ticks(axes)
    plotting.finish(left, title="The rate that you draw", x="step", y="rate η", names=False)
    end = f"ends at {path[-1]:.3g}" if path[-1] < 1e3 else "diverges"
    right.text(STEPS, 18, end, color=plotting.VERMILION, ha="right")
    plotting.finish(right, title="The loss that follows", x="step", y="mean loss", names=False)
    return figure


def drop_at(step: int) -> Figure:
    """One frame of the film: the run with a drop at `step`, and below each step where a drop there ends."""
    figure, axes = plotting.subplots(size=(6.4, 3.6))
    steps, at = np.arange(STEPS + 1), np.arange(0, STEPS + 1, 5)
    plotting.theory(axes, at, drop_ends().numpy(), label="_ends")
    axes.text(0, 0.042, "below each step: where a run ends that drops there", va="bottom")
    axes.plot(steps, dropped(STEPS).numpy(), color=plotting.LIGHT, label="_no drop")
    axes.plot(steps, dropped(step).numpy(), color=plotting.BLUE, label="_run")
    axes.plot([step, step], [drop_ends()[step // 5], dropped(step)[step]], color=plotting.GREY, linewidth=0.8)
    axes.plot(step, float(drop_ends()[step // 5]), marker="o", markersize=8, color=plotting.BLUE)
    plotting.log_ticks(axes, "y")
    axes.set_ylim(0.035, 30)
    _plain_ticks(axes)
    plotting.finish(axes, title=f"Drop at step {step}", x="step", y="mean loss", names=False)
    return figure


def _milestones(total: int) -> list[int]:
    return [max(total // 2, 1), max(3 * total // 4, 2)]


def _plain_ticks(axes: Axes) -> None:
    """0.1 and 2 instead of powers of ten, where the axis spans little more than one of them."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
