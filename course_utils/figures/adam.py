"""The figures of lesson 07."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.averaging import ewma
from course_utils.optimizers import Adam
from course_utils.theory import adam_steps
from course_utils.theory.adam_steps import Betas

BETAS = (0.9, 0.999)
PHASE = 150  # steps of each phase of the first figure
LARGE = 1.5  # the tug's large gradient, in units of the sum of the small ones
MEMORIES = np.geomspace(1.05, 1e4, 50)  # 1 / (1 - beta2)
PERIODS = np.unique(np.geomspace(3, 1000, 44).astype(int))


@functools.cache
def three_phases() -> Tensor:
    """Gradients (450,): noise around 0, then around 1, then around -1."""
    noise = 0.8 * torch.randn(3 * PHASE, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return noise + torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64).repeat_interleave(PHASE)


def steps_of(gradients: Tensor, betas: Betas = BETAS) -> Tensor:
    """Adam's steps (T, ...) in units of lr under these gradients, with eps = 0; 0 while all are 0."""
    m, v = ewma(gradients, betas[0]), ewma(gradients**2, betas[1])
    return torch.where(v == 0, 0.0, m / torch.where(v == 0, 1.0, v).sqrt())


def two_averages() -> Figure:
    """One coordinate's gradients with both averages, and below them the step that these make."""
    figure, (above, below) = plotting.subplots(2, 1, size=(7.6, 5.2), sharex=True, height_ratios=(1.4, 1))
    g = three_phases()
    t = np.arange(1, len(g) + 1)
    size = ewma(g**2, BETAS[1]).sqrt().numpy()
    above.plot(t, g, ".", color=plotting.GREY, markersize=3, label="_g")
    above.fill_between(t, -size, size, color=plotting.colour("rmsprop"), alpha=0.15, linewidth=0)
    above.plot(t, size, color=plotting.colour("rmsprop"), label="√v: size")
    above.plot(t, ewma(g, BETAS[0]), color=plotting.colour("momentum"), label="m: direction")
    above.set_ylim(-3.2, 3.9)
    for start, name in ((0, "noise only"), (PHASE, "mean 1"), (2 * PHASE, "mean −1")):
        above.text(start + 4, 3.3, name, color=plotting.GREY)
        for axes in (above, below):
            axes.axvline(start, color=plotting.LIGHT, linewidth=1, zorder=0)
    below.plot(t, steps_of(g), color=plotting.colour("adam"), label="_step")
    for level in (-1, 1):
        below.axhline(level, color=plotting.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=0)
    below.set(xlim=(0, len(g)), ylim=(-1.4, 1.4), yticks=[-1, 0, 1])
    title = "Where gradients agree the step is near η, elsewhere shorter"
    plotting.finish(above, title=title, x="", y="gradient")
    plotting.finish(below, title="", x="step t", y="m / √v: step, in η", names=False)
    return figure


def left_out() -> Figure:
    """How much longer a step is without one correction or both, against its number."""
    figure, axes = plotting.subplots(size=(7.0, 4.0))
    t = np.unique(np.geomspace(1, 10_000, 160).astype(int))
    plotting.log_ticks(axes)
    lines = [
        ("m only", {"of_m": True}, plotting.colour("rmsprop"), (1.15, 38), "only m corrected"),
        ("neither", {}, plotting.colour("adam"), (1.7, 2.5), "neither"),
        ("v only", {"of_v": True}, plotting.colour("momentum"), (1.5, 0.115), "only v corrected"),
    ]
    for name, made, colour, place, words in lines:
        axes.plot(
            t, [adam_steps.uncorrected(int(k), BETAS, **made) for k in t], color=colour, label=f"_{name}"
        )
        axes.text(*place, words, color=colour)
    axes.axhline(1, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.text(1.1, 1.12, "both: Adam", color=plotting.INK)
    axes.set(xlim=(1, 10_000), ylim=(0.07, 60))
    axes.set_yticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30"])
    title = "Without correction the first steps are too long, not too short"
    plotting.finish(axes, title=title, x="step t", y="length of the step, Adam's = 1", names=False)
    return figure


def three_streams(steps: int = 60, quiet: int = 8000) -> dict[str, Tensor]:
    """Adam's last steps (steps,) under gradients that are steady, one alone after zeros, and growing."""
    growth = BETAS[1] / BETAS[0]
    ages = torch.arange(quiet + steps - 1, -1, -1, dtype=torch.float64)
    lone = (ages == steps // 2).double()
    growing = torch.where(ages < steps, growth ** (-ages), 0.0)
    streams = {"steady": torch.ones_like(ages), "lone": lone, "growing": growing}
    return {name: steps_of(gradients)[-steps:] for name, gradients in streams.items()}


def longest_steps() -> Figure:
    """The three streams' steps, with the bound of Cauchy and Schwarz."""
    figure, axes = plotting.subplots(size=(7.6, 4.0))
    looks = {
        "steady": ("steady", plotting.GREY),
        "lone": ("one gradient\nafter 8,000 zeros", plotting.SKY),
        "growing": ("growing by 11%\nper step", plotting.colour("adam")),
    }
    for name, steps in three_streams().items():
        words, colour = looks[name]
        t = np.arange(1, len(steps) + 1)
        axes.plot(t, steps, color=colour, label=f"_{name}")
        at = 30 if name == "lone" else len(steps) - 1
        shift = (0, 6) if name == "lone" else (6, 0)
        where = {"ha": "right", "va": "bottom"} if name == "lone" else {"ha": "left", "va": "center"}
        axes.annotate(
            words, (t[at], float(steps[at])), shift, textcoords="offset points", color=colour, **where
        )
    bound = adam_steps.longest_step(BETAS)
    axes.axhline(bound, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.text(1, bound + 0.12, "no step is longer", color=plotting.INK)
    axes.set(xlim=(0, 60), ylim=(0, 8.2))
    title = "Growing gradients make the longest steps there are"
    plotting.finish(axes, title=title, x="step, of the last 60", y="step, in units of η", names=False)
    return figure


def step_against_noise(ratios: ArrayLike, both: Tensor, v_only: Tensor) -> Figure:
    """The typical step against signal over noise, with m and without.

    Args:
        ratios: (R,) mean over deviation of the gradients. both, v_only: (S, R) steps.
    """
    figure, axes = plotting.subplots(size=(7.0, 3.9))
    s = np.asarray(ratios, float)
    dense = np.geomspace(s.min(), s.max(), 80)
    plotting.log_ticks(axes, "x")
    for values, beta1, method in ((v_only, 0.0, "rmsprop"), (both, BETAS[0], "adam")):
        plotting.band(axes, s, values, label=f"_{method}", color=plotting.colour(method))
        axes.plot(s, values.mean(0), "o", color=plotting.colour(method), markersize=4, label="_points")
        plotting.theory(axes, dense, adam_steps.noisy_step(torch.from_numpy(dense), beta1), label="_theory")
    axes.text(s[0], 1.04, "v only: β₁ = 0", color=plotting.colour("rmsprop"))
    axes.text(s[0], 0.29, "both: β₁ = 0.9", color=plotting.colour("adam"))
    axes.set(ylim=(0, 1.15))
    ticks = [0.03, 0.1, 0.3, 1, 3]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    title = "v sets the unit of the step; m shortens it where noise rules"
    plotting.finish(
        axes, title=title, x="mean of the gradients / their deviation", y="typical step, in η", names=False
    )
    return figure


def loss_in_other_units(multipliers: ArrayLike, losses: Mapping[str, Tensor]) -> Figure:
    """Validation loss against the factor by which the training loss was multiplied.

    Args:
        multipliers: (F,). losses: "adam" and "momentum" -> (S, F), measured in the loss's old units.
    """
    figure, axes = plotting.subplots(size=(7.2, 3.9))
    x = np.asarray(multipliers, float)
    plotting.log_ticks(axes)
    for method, values in losses.items():
        capped = values.double().nan_to_num(1e6, 1e6).clamp(max=1e3)
        colour = plotting.colour(method)
        axes.plot(x, capped.mT, color=colour, alpha=0.25, linewidth=0.8, label="_seeds")
        axes.plot(x, capped.mean(0), "o-", color=colour, markersize=4, label=f"_{method}")
    axes.text(x[0], 0.7, "Adam", color=plotting.colour("adam"))
    axes.text(x[0], 3.1, "momentum", color=plotting.colour("momentum"))
    axes.set_ylim(0.07, max(200.0, axes.get_ylim()[1]))
    axes.set_yticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1000"])
    title = "Adam does not see the units of the loss, until ε is in the way"
    plotting.finish(
        axes, title=title, x="the loss is multiplied by", y="validation loss, old units", names=False
    )
    return figure


def tugs(paths: Mapping[str, Tensor]) -> Figure:
    """Three runs on the tug of war, with the ends of the interval; the minimum is at -1.

    Args:
        paths: names -> (T,) points.
    """
    figure, axes = plotting.subplots(size=(7.6, 3.9))
    looks = {"Adam, β₁ = 0, short memory": plotting.colour("adam"), "AMSGrad": plotting.GREEN}
    for end, words in ((-1, "the minimum"), (1, "the wrong end")):
        axes.axhline(end, color=plotting.LIGHT, linewidth=1, zorder=0)
        axes.text(1.1, end + 0.05, words, color=plotting.GREY)
    for name, path in paths.items():
        axes.plot(
            np.arange(1, len(path) + 1), path, color=looks.get(name, plotting.SKY), label=name, linewidth=1.3
        )
    axes.set(xscale="log", xlim=(1, len(next(iter(paths.values())))), ylim=(-1.12, 1.25))
    title = "With a memory shorter than a round, Adam goes to the wrong end"
    plotting.finish(axes, title=title, x="step t", y="θ")
    return figure


@functools.cache
def drift_map(beta1: float) -> Tensor:
    """The mean step to the minimum in units of lr, (PERIODS, MEMORIES); negative where Adam walks away."""
    beta2 = torch.from_numpy(1 - 1 / MEMORIES)
    rows = [adam_steps.cycle_drift(LARGE * (n - 1), n, beta1, beta2) / n for n in PERIODS.tolist()]
    return torch.stack(rows)


@functools.cache
def tug_path(period: int, betas: Betas, amsgrad: bool, lr: float, steps: int) -> Tensor:
    """Points (steps,) of Adam on [-1, 1] from 0, rate lr / sqrt(t), under the gradients C, -1, ..., -1."""
    p = torch.zeros(1, dtype=torch.float64)
    optimizer = Adam([p], lr=lr, betas=betas, amsgrad=amsgrad)
    visited = []
    for t in range(steps):
        p.grad = torch.full_like(p, LARGE * (period - 1) if t % period == 0 else -1.0)
        optimizer.param_groups[0]["lr"] = lr / (t + 1) ** 0.5
        optimizer.step()
        p.clamp_(-1, 1)
        visited.append(p.item())
    return torch.tensor(visited, dtype=torch.float64)


def _draw_map(axes: Axes, beta1: float) -> None:
    drift = drift_map(beta1).numpy()
    shown = np.where(drift > 0, drift, np.nan)
    plotting.heat(axes, MEMORIES, PERIODS, shown, label="mean step to the minimum, in η", low=0.0, high=0.3)
    plotting.log_ticks(axes)
    axes.plot(PERIODS / 2, PERIODS, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
    axes.set(xlim=(MEMORIES[0], MEMORIES[-1]), ylim=(PERIODS[0], PERIODS[-1]))
    axes.set_yticks([3, 10, 30, 100, 300, 1000], ["3", "10", "30", "100", "300", "1000"])
    axes.text(1.5, 400, "walks away", color=plotting.GREY)


def map_film(beta1: float) -> Figure:
    """The map alone, for a film over beta1."""
    figure, axes = plotting.subplots(size=(4.9, 3.5))
    _draw_map(axes, beta1)
    title = f"β₁ = {beta1:.2f}"
    plotting.finish(axes, title=title, x="memory of v, 1 / (1 − β₂)", y="steps in a round", names=False)
    return figure


def map_and_path(period: float, memory: float, beta1: float) -> Figure:
    """Left the map for this beta1, right where Adam and AMSGrad go with this period and memory."""
    figure, (left, right) = plotting.subplots(1, 2, size=(9.6, 3.9), width_ratios=(1.15, 1))
    n, betas = int(period), (beta1, 1 - 1 / memory)
    _draw_map(left, beta1)
    left.plot(memory, n, marker="o", markersize=9, color=plotting.VERMILION, markeredgecolor="white")
    title = "White: Adam walks away from the minimum"
    plotting.finish(left, title=title, x="memory of v, 1 / (1 − β₂)", y="steps in a round", names=False)
    for name, amsgrad, colour in (
        ("Adam", False, plotting.colour("adam")),
        ("AMSGrad", True, plotting.GREEN),
    ):
        path = tug_path(n, betas, amsgrad, 0.5, 800)
        colour = plotting.GREEN if amsgrad else plotting.colour("adam")
        right.plot(np.arange(1, len(path) + 1), path, color=colour, label=name, linewidth=1.1)
    right.set(xscale="log", xlim=(1, 800), ylim=(-1.1, 1.1))
    drift = adam_steps.cycle_drift(LARGE * (n - 1), n, *betas)
    end = "to the minimum" if drift > 0 else "to the wrong end"
    plotting.finish(right, title=f"Adam drifts {end}", x="step t", y="θ (minimum at −1)")
    return figure
