"""The figures of lesson 06."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.optimizers import SGD, Adagrad
from course_utils.optimizers.conventions import TABLE, Conventions, apart
from course_utils.problems import Problem, ravine
from course_utils.theory import quadratics
from course_utils.trajectories import trajectory

KAPPA, ADAGRAD_RATE = 100.0, 1.0
LAB = torch.logspace(-4, 0, 9, dtype=torch.float64)  # curvatures of the lab's quadratic
LAB_STEPS, LAB_HALVING = 60, 20
FIRST: tuple[Literal["zeros", "ones", "square"], ...] = ("zeros", "ones", "square")
DECAY: tuple[Literal["gradient", "before", "after"], ...] = ("gradient", "before", "after")


@functools.cache
def valley(degrees: float) -> Problem:
    """A ravine of condition 100 whose floor is turned by this much away from the first axis."""
    return ravine(KAPPA, angle=math.radians(degrees))


@functools.cache
def valley_path(method: str, degrees: float, steps: int = 600) -> Tensor:
    """Points (steps + 1, 2) of "gd" at its best step, or of "adagrad" at the rate 1, down that ravine."""
    problem = valley(degrees)
    if method == "gd":
        best = quadratics.best_gd(1.0, KAPPA)[0]
        return trajectory(problem.grad, problem.start, lambda p: SGD(p, lr=best), steps)
    return trajectory(problem.grad, problem.start, lambda p: Adagrad(p, lr=ADAGRAD_RATE), steps)


def steps_down(method: str, degrees: float, share: float = 1e-6) -> int:
    """Steps until the height stays below `share` of what it was at the start."""
    height = valley(degrees)(valley_path(method, degrees))
    return int((height > share * height[0]).nonzero().max()) + 1


def valley_paths(degrees: float) -> Figure:
    """Both methods in one ravine, for a film of it turning."""
    figure, axes = plotting.subplots(size=(5.2, 4.2))
    _draw_valley(axes, degrees)
    title = f"Floor turned by {degrees:g}°: AdaGrad takes {steps_down('adagrad', degrees)} steps"
    plotting.finish(axes, title=title, x="θ₁", y="θ₂", names=False)
    return figure


def two_valleys() -> Figure:
    """The ravine along the axes and turned by 45 degrees, side by side."""
    figure, panels = plotting.subplots(1, 2, size=(9.6, 4.2))
    for axes, degrees, title in zip(
        panels, (0.0, 45.0), ("Along the axes AdaGrad runs", "Turned by 45° it creeps"), strict=True
    ):
        _draw_valley(axes, degrees)
        plotting.finish(axes, title=title, x="θ₁", y="θ₂", names=False)
    return figure


def _draw_valley(axes: Axes, degrees: float) -> None:
    plotting.contours(axes, valley(degrees), ((-4.0, 1.6), (-3.6, 1.6)))
    for method, name, y in (("gd", "gradient descent", 0.95), ("adagrad", "AdaGrad", 0.89)):
        colour = plotting.colour(method)
        plotting.path(axes, valley_path(method, degrees)[:41], label=f"_{name}", color=colour)
        words = f"{name}: {steps_down(method, degrees)} steps to a millionth of the height"
        axes.text(0.02, y, words, color=colour, transform=axes.transAxes)
    axes.plot(0, 0, marker="*", color=plotting.INK, markersize=10, label="_minimum")


def effective_rates(rates: Mapping[str, tuple[str, Tensor]], theory: Mapping[str, Tensor]) -> Figure:
    """The step per unit of gradient against the step's number, under gradients of one kind.

    Args:
        rates: name -> (method, whose colour it has; (S, T) rates).
        theory: name -> (T,) what theory says of it.
    """
    figure, axes = plotting.subplots(size=(7.6, 4.2))
    plotting.log_ticks(axes)
    for name, (method, values) in rates.items():
        steps = np.arange(1, values.shape[1] + 1)
        shown = np.unique(np.geomspace(10, len(steps), 90).astype(int)) - 1  # before, 1/|g| has no mean
        plotting.band(axes, steps[shown], values[:, shown], label=name, color=plotting.colour(method))
        if name in theory:
            plotting.theory(axes, steps[shown], theory[name][shown], label="_theory")
    title = "AdaGrad slows down, RMSprop settles, Adadelta depends on the noise"
    plotting.finish(axes, title=title, x="step t", y="step per unit of gradient")
    return figure


def error_by_frequency(frequencies: ArrayLike, errors: Mapping[str, tuple[str, Tensor]]) -> Figure:
    """The error left in each weight against how often its feature is on.

    Args:
        frequencies: (F,). errors: name -> (colour, (S, F) absolute errors).
    """
    figure, axes = plotting.subplots(size=(7.4, 4.2))
    plotting.log_ticks(axes)
    often = np.asarray(frequencies, float)
    order = np.argsort(-often)  # rare features at the right, where the names go
    for name, (colour, values) in errors.items():
        plotting.band(axes, often[order], values[:, order.copy()], label=name, color=colour)
    axes.set_xlim(often.max(), often.min())
    ticks = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005]
    axes.set_xticks(ticks, [f"{100 * tick:g}%" for tick in ticks])
    axes.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"])
    title = "One step size for all leaves the rare features behind"
    plotting.finish(axes, title=title, x="how often the feature is on", y="error of its weight (truth: ±1)")
    return figure


def rate_sweep(losses: Mapping[str, tuple[ArrayLike, Tensor]]) -> Figure:
    """Validation loss against the step size, one line per method, each measured over seeds.

    Args:
        losses: method -> (rates (R,), losses (S, R)).
    """
    figure, axes = plotting.subplots(size=(7.0, 3.8))
    plotting.log_ticks(axes, "x")
    names = {"sgd": "SGD", "adagrad": "AdaGrad", "rmsprop": "RMSprop"}
    for method, (rates, values) in losses.items():
        colour = plotting.colour(method)
        plotting.band(axes, rates, values, label=f"_{method}", color=colour)
        x, y = np.asarray(rates, float), np.asarray(values, float).mean(0)
        axes.plot(x, y, "o", color=colour, markersize=4, label="_points")
        axes.annotate(names[method], (x[0], y[0]), (4, 8), textcoords="offset points", color=colour)
    lowest = min(float(values.mean(0).min()) for _, values in losses.values())
    axes.set_ylim(0.7 * lowest, 2.5 * lowest)  # a rate that diverges leaves at the top
    title = "Three methods, three best rates, much the same loss"
    plotting.finish(axes, title=title, x="step size η", y="validation loss", names=False)
    return figure


def step_against_gradient(eps: float = 1e-8) -> Figure:
    """The settled step in units of the rate against the gradient, with ε outside and inside the root."""
    figure, axes = plotting.subplots(size=(7.0, 3.6))
    g = np.geomspace(1e-12, 1, 200)
    plotting.log_ticks(axes)
    outside, inside = g / (g + eps), g / np.sqrt(g**2 + eps)
    axes.plot(g, outside, color=plotting.colour("rmsprop"), label="_outside")
    axes.plot(g, inside, color=plotting.VERMILION, label="_inside")
    axes.text(2.5e-9, 0.6, "√v + ε", color=plotting.colour("rmsprop"), ha="right", va="bottom")
    axes.text(2e-6, 3e-3, "√(v + ε)", color=plotting.VERMILION, ha="left")
    for at, name in ((eps, "ε"), (eps**0.5, "√ε")):
        axes.axvline(at, color=plotting.LIGHT, linewidth=1.0, zorder=0)
        axes.text(at, 1.6e-8, f" {name}", color=plotting.GREY)
    axes.set(xlim=(g[0], g[-1]), ylim=(1e-8, 3))
    title = "Inside the root the same ε stops far larger gradients"
    plotting.finish(axes, title=title, x="size of the gradient", y="step, in units of η", names=False)
    return figure


def lab_curvatures(p: Tensor) -> Tensor:
    """The gradient of the lab's quadratic: 9 curvatures from 1e-4 to 1."""
    return LAB.to(p) * p


@functools.cache
def table_distances(steps: int = 100) -> dict[str, Tensor]:
    """Name of each row of `conventions.TABLE` -> its distance, step by step, on the lab's quadratic."""
    return {pair.name: pair.apart(lab_curvatures, torch.ones_like(LAB), steps) for pair in TABLE}


def table_of_conventions() -> Figure:
    """One row per convention: who writes what, and the distance after one step and at its largest."""
    figure, (words, dots) = plotting.subplots(1, 2, size=(9.8, 3.9), width_ratios=(1.75, 1))
    words.set(xlim=(0, 1), ylim=(len(TABLE) - 0.4, -1.1))
    words.axis("off")
    columns = (0.0, 0.33, 0.57, 0.81)
    for x, head in zip(columns, ("convention", "PyTorch", "another form", "used by"), strict=True):
        words.text(x, -0.8, head, color=plotting.GREY, va="center")
    floor = 1e-17
    for row, pair in enumerate(TABLE):
        for x, text in zip(columns, (pair.name, pair.usual, pair.other, pair.used_by), strict=True):
            words.text(x, row, text, va="center")
        distance = table_distances()[pair.name]
        first, largest = max(float(distance[1]), floor), max(float(distance.max()), floor)
        dots.plot([first, largest], [row, row], color=plotting.LIGHT, linewidth=2, zorder=1)
        dots.plot(first, row, "o", color="white", markeredgecolor=plotting.GREY, markersize=6, zorder=2)
        dots.plot(largest, row, "o", color=plotting.VERMILION, markersize=6, zorder=3)
    dots.set(ylim=(len(TABLE) - 0.4, -1.1), yticks=[])
    plotting.log_ticks(dots, "x")
    dots.set_xlim(floor / 2, 10)
    dots.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    dots.spines["left"].set_visible(False)
    dots.text(floor / 2, -0.8, "○ after one step", color=plotting.GREY, va="center")
    dots.text(8, -0.8, "● largest of 100", color=plotting.VERMILION, va="center", ha="right")
    dots.set_xlabel("distance from PyTorch")
    title = "Every row goes by one name; most take other steps"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


@functools.cache
def lab_distances(eps: float, inside: int, first: int, decay: int, rate_inside: int) -> Tensor:
    """The distance from torch's RMSprop, (61,), both with momentum, decay and a rate that is halved."""
    ours = Conventions(
        lr=1e-2, momentum=0.9, weight_decay=1e-2, eps=eps, eps_place="inside" if inside else "outside",
        first=FIRST[first], decay=DECAY[decay], rate="inside" if rate_inside else "outside",
    )  # fmt: skip

    def halve(optimizer: torch.optim.Optimizer, step: int) -> None:
        if step == LAB_HALVING:
            optimizer.param_groups[0]["lr"] *= 0.5

    def reference(p: list[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(p, lr=1e-2, momentum=0.9, weight_decay=1e-2)

    return apart(ours.optimizer, reference, lab_curvatures, torch.ones_like(LAB), LAB_STEPS, schedule=halve)


def lab(eps: float, inside: int, first: int, decay: int, rate_inside: int) -> Figure:
    """The conventions lab: what is chosen, and how far it leads from PyTorch, step by step."""
    figure, (axes, words) = plotting.subplots(1, 2, size=(9.4, 3.9), width_ratios=(1.6, 1))
    distance = lab_distances(eps, inside, first, decay, rate_inside).clamp(min=1e-17).numpy()
    axes.axvline(LAB_HALVING, color=plotting.LIGHT, linewidth=1.0, zorder=0)
    axes.text(LAB_HALVING + 0.5, 3e-18, "η is halved", color=plotting.GREY)
    for level, name in ((1.1e-16, "rounding in float64"), (1.3e-6, "default tolerance of a float32 test")):
        axes.axhline(level, color=plotting.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
        axes.text(LAB_STEPS, level / 2, name, color=plotting.GREY, ha="right", va="top")
    axes.plot(np.arange(1, LAB_STEPS + 1), distance[1:], color=plotting.VERMILION)
    axes.set(yscale="log", ylim=(1e-18, 10), xlim=(1, LAB_STEPS))
    axes.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    places, decays = ("outside", "inside"), ("in the gradient", "before the step", "after the step")
    choices = (
        ("size of ε", f"{eps:g}", "1e-08"),
        ("ε and the root", places[inside], "outside"),
        ("v before step 1", ("0", "1", "g²")[first], "0"),
        ("decay", decays[decay], decays[0]),
        ("η and the velocity", places[rate_inside], "outside"),
    )
    words.axis("off")
    changed = 0
    for row, (name, chosen, usual) in enumerate(choices):
        other = chosen != usual
        changed += other
        words.text(0.0, 0.82 - 0.16 * row, name, color=plotting.GREY, transform=words.transAxes)
        words.text(
            0.52, 0.82 - 0.16 * row, chosen, transform=words.transAxes,
            color=plotting.VERMILION if other else plotting.INK, fontweight="bold" if other else "normal",
        )  # fmt: skip
    words.text(0.0, 0.0, "orange: not as in PyTorch", color=plotting.VERMILION, transform=words.transAxes)
    count = ("Nothing", "One convention", "Two conventions", "Three", "Four", "All five")[changed]
    y = "distance from PyTorch, relative"
    plotting.finish(axes, title=f"{count} changed", x="step", y=y, names=False)
    return figure
