"""The figures of lesson 18."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.intervals import paired_interval
from course_utils.optimizers import ScheduleFreeSGD
from course_utils.optimizers.muon import QUINTIC
from course_utils.problems import noisy, quadratic
from course_utils.recorded import Record
from course_utils.seeds.muon import newton_schulz_batched

GRADIENT = (1.0, 0.45)  # of the first figure
ROWS = 64
WAYS = ("default", "foreach", "fused", "plain", "flat", "compiled", "moving")
MOVING = "moving the bytes"
WRITTEN = {"momentum": "momentum", "adamw": "AdamW", "lion": "Lion", "muon": "Muon"}


def three_balls() -> Figure:
    """The longest way down a plane within a round ball, a square one, and the ball of matrices."""
    figure, (left, middle, right) = plotting.subplots(1, 3, size=(9.6, 3.3))
    g = np.array(GRADIENT)
    angle = np.linspace(0, 2 * np.pi, 200)
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
    for axes, edge, step, color in (
        (left, np.column_stack([np.cos(angle), np.sin(angle)]), -g / np.linalg.norm(g), plotting.BLUE),
        (middle, square, -np.sign(g), plotting.colour("lion")),
    ):
        along = np.array([-g[1], g[0]]) / np.linalg.norm(g)  # level lines of the plane
        for height in np.linspace(-2, 2, 13):
            ends = np.array([g / np.linalg.norm(g) * height + side * 3 * along for side in (-1, 1)])
            axes.plot(ends[:, 0], ends[:, 1], color=plotting.LIGHT, linewidth=0.8, label="_level")
        axes.plot(edge[:, 0], edge[:, 1], color=color, label="_ball")
        axes.annotate("", tuple(step), (0, 0), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2})
        axes.plot(0, 0, marker="o", markersize=4, color=plotting.INK, label="_here")
        axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
        axes.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    plotting.finish(left, title="Round: along −g", x="step in θ₁", y="step in θ₂", names=False)
    plotting.finish(middle, title="Square: a corner", x="step in θ₁", y="step in θ₂", names=False)
    values = np.array([1.0, 0.45, 0.2, 0.06])
    at = np.arange(len(values))
    right.bar(at - 0.2, values, 0.38, color=plotting.LIGHT, label="gradient")
    right.bar(at + 0.2, np.ones(len(values)), 0.38, color=plotting.colour("muon"), label="step")
    right.text(-0.4, 1.07, "gradient", color=plotting.GREY)
    right.text(1.0, 1.07, "step", color=plotting.colour("muon"))
    right.set(xticks=at, xticklabels=[str(i + 1) for i in at], ylim=(0, 1.25))
    plotting.finish(
        right, title="Spectral: all ones", x="singular direction", y="singular value", names=False
    )
    return figure


def quintic(s: Tensor, steps: int, coefficients: tuple[float, float, float] = QUINTIC) -> Tensor:
    """What `steps` of Newton and Schulz make of a singular value."""
    a, b, c = coefficients
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return s


@functools.cache
def gaussian(columns: int) -> Tensor:
    """A matrix of 64 rows with independent normal entries, float64, always the same."""
    return torch.randn(ROWS, columns, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def spectrum(steps: int, columns: int) -> Figure:
    """Left what the iteration makes of any singular value, right of those of a random matrix."""
    steps, columns = int(steps), int(columns)
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.7))
    s = torch.logspace(-4, 0, 600, dtype=torch.float64)
    left.axhspan(0.68, 1.21, color=plotting.LIGHT, alpha=0.5, linewidth=0)
    left.plot(s, quintic(s, steps), color=plotting.colour("muon"), label="_map")
    plotting.log_ticks(left, "x")
    left.set(ylim=(0, 1.3))
    plotting.finish(
        left, title=f"{steps} steps: what becomes of s", x="singular value before", y="after", names=False
    )
    g = gaussian(columns)
    before = torch.linalg.svdvals(g / g.norm())
    after = torch.linalg.svdvals(newton_schulz_batched(g, steps=steps))
    right.axhspan(0.68, 1.21, color=plotting.LIGHT, alpha=0.5, linewidth=0)
    right.plot(np.arange(1, ROWS + 1), before, color=plotting.GREY, label="before")
    right.plot(np.arange(1, ROWS + 1), after, color=plotting.colour("muon"), label="after")
    right.set(ylim=(-0.07, 1.3), xlim=(0, 1.2 * ROWS))
    title = f"A random {ROWS} × {columns} matrix"
    plotting.finish(right, title=title, x="singular values, largest first", y="size")
    return figure


def race(losses: Mapping[str, ArrayLike], *, against: str) -> Figure:
    """Each method's validation loss minus that of `against`, seed by seed, with its interval.

    Args: losses: method -> (S,), the same seeds for all.
    """
    figure, axes = plotting.subplots(size=(6.8, 2.6))
    names = [name for name in losses if name != against]
    for row, name in enumerate(names):
        interval = paired_interval(losses[name], losses[against])
        color = plotting.colour(name)
        axes.plot(
            [interval.low, interval.high], [row, row], color=color, linewidth=6, alpha=0.3, label="_interval"
        )
        axes.plot(interval.mean, row, marker="o", color=color, label=f"_{name}")
    axes.axvline(0, color=plotting.INK, linewidth=1, linestyle=(0, (5, 3)))
    axes.set(
        yticks=range(len(names)), yticklabels=[WRITTEN[name] for name in names], ylim=(-0.6, len(names) - 0.4)
    )
    plotting.finish(
        axes,
        title="A short race: Muon ends below AdamW, Lion above",
        x=f"validation loss minus {WRITTEN[against]}'s (99% interval)",
        y="",
        names=False,
    )
    return figure


def sam(rhos: Sequence[float], sharp: ArrayLike, clean: ArrayLike, noisy_labels: ArrayLike) -> Figure:
    """Sharpness at the end, and accuracy with true and with noisy labels, against the radius of the climb.

    Args: sharp, clean, noisy_labels: (S, R).
    """
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.6))
    at = np.arange(len(rhos))
    plotting.band(left, at, sharp, label="_sharpness", color=plotting.colour("sam"))
    left.set(xticks=at, xticklabels=[f"{rho:g}" for rho in rhos], ylim=(0, None))
    plotting.finish(left, title="SAM ends where it is flatter", x="radius ρ", y="sharpness", names=False)
    accuracy = ((clean, "true labels", plotting.BLUE), (noisy_labels, "a fifth wrong", plotting.VERMILION))
    for values, name, color in accuracy:
        plotting.band(right, at, 100 * np.asarray(values), label=name, color=color)
    right.set(xticks=at, xticklabels=[f"{rho:g}" for rho in rhos], xlim=(-0.1, len(rhos) - 0.2))
    title = "It pays where labels are wrong"
    plotting.finish(right, title=title, x="radius ρ", y="validation accuracy, %")
    return figure


def planned_or_not(
    lengths: Sequence[int], cosine: ArrayLike, constant: ArrayLike, average: ArrayLike, default: ArrayLike,
    *, directions: int,
) -> Figure:  # fmt: skip
    """Mean loss after T steps: runs planned for T with a rate of their own, and single runs read at T.

    Args:
        cosine, constant: (K,), the last loss of the run planned for each of the lengths.
        average, default: (T + 1,), one Schedule-Free run with beta = 0 and with beta = 0.9.
        directions: d, for the limit d / (2 T).
    """
    figure, axes = plotting.subplots(size=(7.2, 4.2))
    steps = np.arange(lengths[0], lengths[-1] + 1)
    plotting.log_ticks(axes)
    axes.plot(lengths, constant, "o", color=plotting.GREY, label="best constant rate")
    axes.plot(lengths, cosine, "o", color=plotting.BLUE, label="cosine, planned")
    for path, name, color in (
        (default, "schedule-free, β = 0.9", plotting.colour("schedule-free")),
        (average, "schedule-free, β = 0", plotting.ORANGE),
    ):
        axes.plot(steps, np.asarray(path)[steps], color=color, label=name)
    plotting.theory(axes, steps, directions / (2 * steps), label="limit, d / 2T")
    axes.set_xlim(lengths[0] * 0.9, lengths[-1] * 5)
    title = "One run without a plan: near the planned ones, or below them"
    plotting.finish(axes, title=title, x="steps T", y="mean loss after T steps")
    return figure


def lengths_on_digits(steps: Sequence[int], free: ArrayLike, planned: ArrayLike) -> Figure:
    """Validation accuracy of one Schedule-Free run as it goes, and of cosine runs planned for each length.

    Args: free, planned: (S, K).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.6))
    for values, name, color in (
        (planned, "cosine, one run per length", plotting.BLUE),
        (free, "schedule-free, one run", plotting.colour("schedule-free")),
    ):
        plotting.band(axes, steps, 100 * np.asarray(values), label=name, color=color)
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.set_xlim(steps[0] * 0.93, steps[-1] * 2.4)
    plotting.finish(
        axes, title="On digits one run without a plan stays close", x="steps", y="validation accuracy, %"
    )
    return figure


def clipping(rates: Sequence[float], plain: ArrayLike, clipped: ArrayLike) -> Figure:
    """Validation accuracy against the step size, with and without clipping.

    Args: plain, clipped: (S, R).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.6))
    for values, name, color in ((plain, "not clipped", plotting.GREY), (clipped, "clipped", plotting.BLUE)):
        plotting.band(axes, rates, 100 * np.asarray(values), label=name, color=color)
    plotting.log_ticks(axes, "x")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.set_xlim(rates[0] * 0.9, rates[-1] * 1.9)
    axes.set(ylim=(0, 100))
    title = "A cap on the step keeps large rates alive"
    plotting.finish(axes, title=title, x="step size η", y="validation accuracy, %")
    return figure


def costs(ways: Sequence[str], operations: Sequence[int], memory: Sequence[float]) -> Figure:
    """What one step of Adam asks for: operations, and memory touched as a multiple of the least."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.2, 3.0), sharey=True)
    rows = np.arange(len(ways))[::-1]
    colors = [plotting.colour("adam") if way in ("plain", "flat") else plotting.GREY for way in ways]
    left.barh(rows, operations, 0.6, color=colors)
    left.set(xscale="log", yticks=rows, yticklabels=ways, xlim=(0.8, 3 * max(operations)))
    for row, count in zip(rows, operations, strict=True):
        left.text(count * 1.12, row, str(count), va="center")
    right.barh(rows, memory, 0.6, color=colors)
    right.axvline(1, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    right.set(xlim=(0, 1.25 * max(memory)))
    for row, share in zip(rows, memory, strict=True):
        right.text(share + 0.05, row, f"{share:.2g}", va="center")
    plotting.finish(left, title="Flat: as many calls as one tensor", x="operations", y="", names=False)
    plotting.finish(right, title="Fused: no byte twice", x="bytes touched, least = 1", y="", names=False)
    return figure


def recorded_steps(record: Record, optimizer: str = "Adam") -> Figure:
    """Milliseconds of one step for every way that the record has, one panel a workload."""
    rows = [row for row in record.rows if row["optimizer"] == optimizer]
    figure, panels = plotting.subplots(1, len(rows), size=(3.2 * len(rows), 3.2), squeeze=False)
    for axes, row in zip(panels[0], rows, strict=True):
        ways = [way for way in WAYS if way in row["median_s"]]
        values = [1e3 * row["median_s"][way] for way in ways]
        colors = [
            plotting.colour("adam") if way in ("plain", "flat", "compiled") else plotting.GREY for way in ways
        ]
        at = np.arange(len(ways))[::-1]
        axes.barh(at, values, 0.6, color=colors)
        for height, value in zip(at, values, strict=True):
            axes.text(value + 0.02 * max(values), height, f"{value:.3g}", va="center", fontsize=9)
        axes.set(yticks=at, yticklabels=[MOVING if way == "moving" else way for way in ways])
        axes.set(xlim=(0, 1.2 * max(values)))
        plotting.finish(axes, title=row["workload"], x="ms per step", y="", names=False)
    figure.supxlabel(f"{optimizer}, {record.provenance}", fontsize=9, color=plotting.GREY)
    return figure


BOWL = quadratic((1.0, 8.0), angle=0.5)
FILM_STEPS = 110


@functools.cache
def three_points() -> tuple[Tensor, Tensor]:
    """z and x of Schedule-Free SGD in a noisy bowl, each (FILM_STEPS + 1, 2)."""
    surface = noisy(BOWL, 2.5, generator=torch.Generator().manual_seed(0))
    p = torch.tensor([-3.4, 1.9], dtype=torch.float64, requires_grad=True)
    rule = ScheduleFreeSGD([p], lr=0.12, momentum=0.9)
    z, x = [p.detach().clone()], [p.detach().clone()]
    for _ in range(FILM_STEPS):
        p.grad = surface.grad(p.detach())
        rule.step()
        z.append(rule.state[p]["z"].clone())
        x.append(rule.state[p]["x"].clone())
    return torch.stack(z), torch.stack(x)


def iterate_and_average(upto: int = FILM_STEPS) -> Figure:
    """Where z hops and where x, the mean of all z, goes, up to a step."""
    figure, axes = plotting.subplots(size=(6.4, 3.6))
    plotting.contours(axes, BOWL, ((-4.2, 2.6), (-2.2, 2.4)))
    z, x = three_points()
    axes.plot(
        z[: upto + 1, 0],
        z[: upto + 1, 1],
        color=plotting.GREY,
        linewidth=0.6,
        marker="o",
        markersize=2.0,
        label="_z",
    )
    plotting.path(axes, x[: upto + 1], label="_x", color=plotting.colour("schedule-free"))
    axes.plot(0, 0, marker="*", color=plotting.INK, markersize=11, label="_minimum")
    axes.text(-4.0, -1.7, "z, the iterate", color=plotting.GREY)
    axes.text(-4.0, -2.05, "x, the mean of all z", color=plotting.colour("schedule-free"))
    plotting.finish(axes, title=f"After {upto} steps", x="θ₁", y="θ₂", names=False)
    return figure
