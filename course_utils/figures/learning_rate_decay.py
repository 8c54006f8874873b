"""The figures of lesson 09, and the quadratic behind them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting, schedules
from course_utils.theory import noisy_quadratic

STEPS, DROP = 400, 10.0  # length of the runs drawn here; what a drop divides the rate by
LARGE = 0.5
FILM = (0, 25, 50, 100, 150, 200, 300, 350, 400)  # where the drop is, frame by frame
PEAKS = torch.logspace(-2.6, 0.5, 24, dtype=torch.float64)
COLOURS = {
    "constant": plotting.GREY,
    "stairs": plotting.ORANGE,
    "exponential": plotting.GREEN,
    "linear": plotting.PURPLE,
    "polynomial": plotting.SKY,
    "cosine": plotting.BLUE,
}

Shapes = Mapping[str, Callable[[int], schedules.Schedule]]


def valley(start: float = 10.0) -> tuple[Tensor, Tensor, Tensor]:
    """Curvatures, noise and V at the start of the quadratic that is drawn: 20 directions, κ = 100, s² = λ."""
    lam = torch.logspace(-2, 0, 20, dtype=torch.float64)
    return lam, lam, torch.full_like(lam, start)


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


DECAYS: Shapes = {
    "stairs": lambda n: schedules.multistep_decay(_milestones(n), 0.1),
    "exponential": lambda n: schedules.exponential_decay(0.01 ** (1 / n)),
    "linear": lambda n: schedules.polynomial_decay(n),
    "polynomial": lambda n: schedules.polynomial_decay(n, power=2.0),
    "cosine": lambda n: schedules.cosine_decay(n),
}
"""Name -> total -> schedule; stairs at a half and three quarters, exponential to a hundredth, polynomial of
power 2. All have a peak of 1 at step 0."""


def envelope(steps: int = 1000, rates: Sequence[float] = (0.5, 0.1, 0.02)) -> Figure:
    """One direction: what constant rates reach, and the greedy 1 / t beneath them."""
    figure, axes = plotting.subplots(size=(6.8, 3.7))
    one, start = torch.ones(1, dtype=torch.float64), torch.full((1,), 100.0, dtype=torch.float64)
    at = np.arange(1, steps + 1)
    hues = (plotting.ORANGE, plotting.PURPLE, plotting.GREEN)
    for rate, color in zip(rates, hues, strict=True):
        path = noisy_quadratic.loss_path(torch.full((steps,), rate), one, one, start)
        axes.plot(at, path[1:].numpy(), color=color, label=f"η = {rate:g}")
    greedy = noisy_quadratic.greedy_rates(steps, one, one, start)
    lowest = noisy_quadratic.loss_path(greedy, one, one, start).numpy()
    axes.plot(at, lowest[1:], color=plotting.BLUE, label="best, 1 / t")
    plotting.theory(axes, at, 0.5 / (at + 0.01), label="_1 / t")
    plotting.log_ticks(axes)
    title = "Every constant rate stops at its floor; 1 / t does not stop"
    plotting.finish(axes, title=title, x="steps taken", y="mean loss")
    return figure


def gain(totals: ArrayLike, ratios: Mapping[str, ArrayLike]) -> Figure:
    """Loss relative to the best constant rate's, against the length of the run.

    Args: totals: (K,) steps. ratios: schedule -> (Q, K), one row per quadratic.
    """
    figure, axes = plotting.subplots(size=(6.8, 4.0))
    x = np.asarray(totals, float)
    for name, values in ratios.items():
        plotting.band(axes, x, values, label=name, color=COLOURS[name])
    axes.axhline(1.0, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.text(x[-1], 1.02, "best constant rate", ha="right", va="bottom")
    plotting.log_ticks(axes, "x")
    axes.set(ylim=(0, None))
    axes.set_xticks(x, [f"{int(v):,}" for v in x])
    title = "The longer the run, the more a falling rate is worth"
    plotting.finish(axes, title=title, x="steps of the run", y="last loss / that of the best constant rate")
    return figure


def sweep(rates: ArrayLike, found: Mapping[str, ArrayLike], *, title: str, y: str) -> Figure:
    """Something measured after training, against the peak rate, for several schedules.

    Args: rates: (K,). found: schedule -> (S, K).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.8))
    x = np.asarray(rates, float)
    plotting.log_ticks(axes)
    for name, values in found.items():
        plotting.band(axes, x, values, label=name, color=COLOURS[name])
    axes.set_xticks(x, [f"{v:g}" for v in x])
    _plain_ticks(axes)
    plotting.finish(axes, title=title, x="peak rate η", y=y)
    return figure


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
    constant, linear = (best_end(name) for name in ("constant", "linear"))
    right.plot(np.arange(STEPS + 1), np.minimum(path, 1e3), color=plotting.VERMILION)
    for value, name in ((constant, "best constant"), (linear, "best linear decay")):
        right.axhline(value, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
        right.text(0, value, name, va="bottom")
    plotting.log_ticks(right, "y")
    right.set_ylim(0.03, 30)
    for axes in (left, right):
        _plain_ticks(axes)
    plotting.finish(left, title="The rate that you draw", x="step", y="rate η", names=False)
    title = f"Loss at the end: {path[-1]:.3g}" if path[-1] < 1e3 else "It diverges"
    plotting.finish(right, title=title, x="step", y="mean loss", names=False)
    return figure


@functools.cache
def best_end(name: str) -> float:
    """The lowest mean loss after STEPS steps in the valley, over PEAKS, of a schedule by name."""
    schedule = schedules.constant() if name == "constant" else DECAYS[name](STEPS)
    return float(noisy_quadratic.best_peak(schedule, STEPS, PEAKS, *valley())[0])


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


def _plain_ticks(axes: object) -> None:
    """0.1 and 2 instead of powers of ten, where the axis spans little more than one of them."""
    from matplotlib.axes import Axes
    from matplotlib.ticker import FuncFormatter, LogLocator

    assert isinstance(axes, Axes)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
