"""The figures of lesson 08."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike
from torch import Tensor

from course_utils import plotting
from course_utils.optimizers import Adam, AdamW
from course_utils.problems import Problem, quadratic
from course_utils.schedules import cosine_decay
from course_utils.seeds.decay import DecayGrid
from course_utils.theory import weight_decay
from course_utils.trajectories import trajectory

RULES: dict[str, type[Adam] | type[AdamW]] = {"adam": Adam, "adamw": AdamW}
NAMES = {"adam": "Adam + L2", "adamw": "AdamW"}
SIZES = {10.0: "size 10", 1.0: "size 1", 0.1: "size 0.1"}  # of the gradients in the first figure
SHADES = {10.0: plotting.BLUE, 1.0: plotting.INK, 0.1: plotting.ORANGE}
TARGET = torch.tensor([2.4, 0.9], dtype=torch.float64)  # the minimum of the plane's loss
PLANE_STEPS, PLANE_RATE, CHAINS = 600, 0.1, 64
BOUNDS = ((-0.6, 3.4), (-0.6, 2.2))


# What each figure shows, in words.
TWO_DECAYS = (
    "Three weights against the step, under two methods. Under Adam with L2 the quiet weight falls almost to "
    "zero within 600 steps, the middle one to less than a half, and the loud one hardly moves. Under AdamW "
    "all three fall together."
)
DECAY_AGAINST_SIZE = (
    "Share of a weight taken per step and unit of rate against the size of its gradients, both axes "
    "logarithmic. AdamW is flat at 0.1. Adam with L2 starts ten times higher, bends where the size equals "
    "λθ, then falls along the line of theory through AdamW's."
)
REST_AGAINST_NOISE = (
    "Mean weight at rest against the noise in its gradient; the loss has its minimum at 1. Adam with L2 is "
    "flat. AdamW begins near the minimum and falls with the noise, along the dashed line of theory."
)
INTO_THE_BOX = (
    "A bias at η = 1 against the number of steps, logarithmic, with a line at the edge of the box, 100, and "
    "one at the mean, 152. With β₂ = 0.95 it is at the edge after 1,000 steps; with 0.999 it still creeps up."
)
WHICH_NUMBER = (
    "Four panels: above AdamW, below Adam with L2; validation loss against λ on the left and against η·λ on "
    "the right, one valley for each of three rates, its lowest point marked. In runs of 600 steps "
    "the marks stand nearly over one another on the left and lie apart on the right."
)
WHICH_NUMBER_NORMED = (
    "Four panels: validation loss of AdamW against λ and against η·λ, and of Adam with L2 against λ and "
    "against η²·λ, one valley for each of three rates, its lowest point marked. In runs of 600 steps "
    "the marks lie far apart on the left and nearer to one another on the right."
)
CONVNET = (
    "Validation accuracy of the convnet against the rate, logarithmic: without decay, with AdamW and with "
    "Adam and L2, each at one λ. After 300 steps the line without decay is the lowest at the highest rates, "
    "and the other two lie close to each other."
)
ENDINGS = (
    "A plane with its minimum outside a shaded box of half width 2. Adam with L2 ends on the dashed line of "
    "penalised minima. AdamW ends on the box's right edge."
)


def left_of_twins(
    method: str,
    sizes: Sequence[float],
    *,
    decay: float,
    lr: float,
    steps: int,
    shape: tuple[int, ...],
    generator: torch.Generator,
    mean: float = 0.0,
) -> Tensor:
    """What weight decay leaves of twins at +1 and -1 that see the same gradients, noise around a mean.

        left_t = (p_t of the upper twin - p_t of the lower one) / 2

    Without decay the twins keep their distance, whatever the noise, and `left` stays at 1.

    Args:
        method: "adam" (L2, decay / 2 * p**2) or "adamw" (decoupled).
        sizes: standard deviations of the gradients, (K,), >= 0.
        shape: independent pairs for each size, as (seeds, pairs).
        mean: of the gradients.
    Returns: (steps + 1, K, *shape), float64.
    """
    sigma = torch.tensor(sizes, dtype=torch.float64).reshape(-1, *(1 for _ in shape))
    upper = torch.ones(len(sizes), *shape, dtype=torch.float64)

    def grad(p: Tensor) -> Tensor:
        g = mean + sigma * torch.randn(upper.shape, generator=generator, dtype=p.dtype)
        return torch.stack([g, g])

    rule = partial(RULES[method], lr=lr, weight_decay=decay)
    path = trajectory(grad, torch.stack([upper, -upper]), rule, steps)
    return (path[:, 0] - path[:, 1]) / 2


@functools.cache
def shrinking(method: str, steps: int = 600) -> Tensor:
    """Mean of 64 pairs at each step for each of `SIZES`, (steps + 1, 3)."""
    generator = torch.Generator().manual_seed(8)
    left = left_of_twins(
        method, list(SIZES), decay=0.5, lr=3e-3, steps=steps, shape=(64,), generator=generator
    )
    return left.mean(-1)


def two_decays() -> Figure:
    """How three weights shrink, under L2 in the gradient and under decoupled decay."""
    figure, axes = plotting.subplots(1, 2, size=(9.0, 3.6), sharey=True)
    for method, ax in zip(NAMES, axes, strict=True):
        left = shrinking(method).numpy()
        for k, size in enumerate(SIZES):
            style = "-" if method == "adam" else [(0, (1, 0)), (0, (4, 4)), (0, (1, 3))][k]
            label = SIZES[size] if method == "adam" else "_alike"
            ax.plot(left[:, k], color=SHADES[size], label=label, linestyle=style, linewidth=2.2)
        ax.set_ylim(-0.05, 1.05)
    axes[1].text(250, 0.74, "all three sizes", color=plotting.INK)
    plotting.finish(axes[0], title="Adam + L2: quiet weights lose most", x="step", y="weight, 1 at first")
    plotting.finish(axes[1], title="AdamW: all lose the same", x="step", y="", names=False)
    return figure


def decay_against_size(sizes: ArrayLike, adam: ArrayLike, adamw: ArrayLike, *, decay: float) -> Figure:
    """Decay per step and unit of η against the size of the gradients, with theory.

    Args: sizes: (K,). adam (with L2), adamw: (S, K).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    x = np.asarray(sizes, float)
    plotting.log_ticks(axes)
    for key, values in (("adam", adam), ("adamw", adamw)):
        plotting.band(axes, x, values, label=NAMES[key], color=plotting.colour(key))
    dense = np.geomspace(x[0], x[-1], 80)
    plotting.theory(
        axes, dense, weight_decay.penalty_decay(decay, torch.from_numpy(dense), 1.0), label="_penalty"
    )
    plotting.theory(axes, dense, np.full(80, decay), label="_decoupled")
    axes.axvline(decay, color=plotting.LIGHT, linewidth=1, zorder=0)
    axes.text(decay * 1.08, 0.012, "size = λθ", color=plotting.GREY)
    title = "The louder the gradients, the weaker Adam's L2"
    plotting.finish(axes, title=title, x="size of the gradients", y="share of θ taken, per step and η")
    return figure


def rest_against_noise(noises: ArrayLike, adam: ArrayLike, adamw: ArrayLike, *, decay: float) -> Figure:
    """Mean weight at rest against the noise, minimum of the loss at 1, with theory.

    Args: noises: (K,). adam (with L2), adamw: (S, K).
    """
    figure, axes = plotting.subplots(size=(6.8, 3.9))
    x = np.asarray(noises, float)
    plotting.log_ticks(axes, "x")
    for key, values in (("adam", adam), ("adamw", adamw)):
        plotting.band(axes, x, values, label=NAMES[key], color=plotting.colour(key))
    dense = np.geomspace(x[0], x[-1], 80)
    plotting.theory(axes, dense, np.full(80, float(weight_decay.penalty_rest(1.0, decay))), label="_penalty")
    rest = weight_decay.decoupled_rest(1.0, decay, noise=torch.from_numpy(dense))
    plotting.theory(axes, dense, rest, label="_decoupled")
    axes.set_ylim(0.4, 1.0)
    axes.set_xticks(x, [f"{k:g}" for k in x])
    title = "One place of rest for L2; for AdamW noise decides"
    plotting.finish(axes, title=title, x="noise in the gradient", y="weight at rest, minimum at 1")
    return figure


def into_the_box(paths: Mapping[float, Tensor], *, edge: float, mean: float) -> Figure:
    """A bias that does not fit into AdamW's box, against the number of steps.

    Args:
        paths: beta2 -> the bias after 0, 1, ... steps, (T,).
        edge: 1 / weight_decay. mean: where the loss is lowest.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.5))
    plotting.log_ticks(axes, "x")
    for (beta2, path), colour in zip(paths.items(), (plotting.colour("adamw"), plotting.ORANGE), strict=True):
        t = np.unique(np.geomspace(1, len(path) - 1, 200).astype(int))
        axes.plot(t, path.numpy()[t], color=colour, label=f"β₂ = {beta2:g}")
    for level, words in ((edge, "edge of the box, 1/λ"), (mean, "mean: the minimum")):
        axes.axhline(level, color=plotting.INK, linewidth=1.0, linestyle=(0, (5, 3)), label=f"_{words}")
        axes.text(1.2, level + 3, words, color=plotting.INK, va="bottom")
    axes.set(xlim=(1, len(path) - 1), ylim=(0, mean * 1.15))
    title = "At η = 1 a long memory in v holds the bias back"
    plotting.finish(axes, title=title, x="steps", y="bias")
    return figure


POWERS = {0: "λ", 1: "η·λ", 2: "η²·λ"}


def lowest(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The lowest point of a valley measured at x > 0: of a parabola in log x, or the end that is lowest.

    The parabola goes through the lowest of the points and its neighbours, evenly spaced in log x.
    """
    k = int(y.argmin())
    if k in (0, len(y) - 1) or not np.isfinite(y[k - 1 : k + 2]).all():
        return float(x[k]), float(y[k])
    before, here, after = y[k - 1 : k + 2]
    bend = before - 2 * here + after
    if bend <= 0:
        return float(x[k]), float(here)
    shift = (before - after) / (2 * bend)
    return float(x[k] * (x[k + 1] / x[k]) ** shift), float(here - bend * shift**2 / 2)


def which_number(grid: DecayGrid, *, power_of_l2: int = 1) -> Figure:
    """Mean validation loss of a grid, one line for each rate: against λ on the left, η·λ on the right.

    Args:
        grid: of three rates. power_of_l2: of η, for Adam with L2 on the right; among `POWERS`.
    """
    figure, panels = plotting.subplots(2, 2, size=(7.0, 6.1), sharey=True)
    figure.set_layout_engine("constrained", hspace=0.08)  # a title stands clear of the label above it
    colours = (plotting.ORANGE, plotting.BLUE, plotting.INK)
    rows = (("AdamW", grid.decoupled, 1), ("Adam + L2", grid.l2, power_of_l2))
    for row, (name, half, last) in zip(panels, rows, strict=True):
        for axes, power in zip(row, (0, last), strict=True):
            plotting.log_ticks(axes, "x")
            for lr, losses, colour in zip(grid.lrs.tolist(), half.loss.mean(0), colours, strict=True):
                x, y = half.strengths.numpy() * lr**power, losses.numpy()
                axes.plot(x, y, color=colour, label=f"η = {lr:g}", linewidth=1.4)
                axes.plot(*lowest(x, y), "o", color=colour, markersize=8, label="_lowest")
            axes.set(ylim=(0.4, 1.6), yticks=[0.5, 1.0, 1.5])
            y_name = "validation loss" if power == 0 else ""
            title = f"{name}, against {POWERS[power]}"
            plotting.finish(axes, title=title, x=POWERS[power], y=y_name, names=False)
    panels[0, 0].legend(loc="upper left", fontsize=9, handlelength=1.2, frameon=False)
    return figure


def accuracy_of_rates(lrs: Sequence[float], accuracies: Mapping[str, ArrayLike]) -> Figure:
    """Validation accuracy against the rate.

    Args: accuracies: "no decay", "AdamW" and "Adam + L2" -> (S, R).
    """
    figure, axes = plotting.subplots(size=(6.4, 3.6))
    plotting.log_ticks(axes, "x")
    colours = {
        "no decay": plotting.GREY,
        "AdamW": plotting.colour("adamw"),
        "Adam + L2": plotting.colour("adam"),
    }
    for name, values in accuracies.items():
        mean = 100 * np.asarray(values).mean(0)
        axes.plot(lrs, mean, color=colours[name], label=name, marker="o", markersize=5)
    axes.set_xticks(lrs, [f"{lr:g}" for lr in lrs])
    axes.set_ylim(top=94)
    title = "The convnet at each rate, with and without decay"
    plotting.finish(axes, title=title, x="η", y="validation accuracy, %", names=False)
    plotting.label_lines(axes, gap=0.09)
    return figure


@functools.cache
def plane() -> Problem:
    """A bowl with curvatures 1 and 4, its axes turned a little; its minimum is moved to `TARGET` below."""
    return quadratic((1.0, 4.0), angle=0.4)


@functools.cache
def plane_path(method: str, decay: float, noise: float) -> Tensor:
    """Mean path (steps + 1, 2) of 64 chains from zero, under a falling rate, seen through noise."""
    generator = torch.Generator().manual_seed(80)
    chains = CHAINS if noise > 0 else 1

    def grad(p: Tensor) -> Tensor:
        return plane().grad(p - TARGET) + noise * torch.randn(p.shape, generator=generator, dtype=p.dtype)

    fall = cosine_decay(PLANE_STEPS)

    def schedule(optimizer: torch.optim.Optimizer, step: int) -> None:
        optimizer.param_groups[0]["lr"] = PLANE_RATE * fall(step)

    rule = partial(RULES[method], lr=PLANE_RATE, betas=(0.9, 0.95), weight_decay=decay)
    start = torch.zeros(chains, 2, dtype=torch.float64)
    return trajectory(grad, start, rule, PLANE_STEPS, schedule=schedule).mean(1)


def penalty_ends(decays: Sequence[float]) -> Tensor:
    """Minima of the plane's loss plus λ/2 · |θ|², (K, 2): (H + λ)⁻¹ H target."""
    h = torch.stack([plane().grad(e) for e in torch.eye(2, dtype=torch.float64)])
    eye = torch.eye(2, dtype=torch.float64)
    return torch.stack([torch.linalg.solve(h + decay * eye, h @ TARGET) for decay in decays])


def endings(weight_decay: float, noise: float = 0.0) -> Figure:
    """Where Adam with L2 and AdamW go in a plane with the box |θ| <= 1 / λ."""
    figure, axes = plotting.subplots(size=(6.4, 4.3))
    plotting.contours(axes, lambda p: plane()(p - TARGET), BOUNDS)
    _box(axes, weight_decay)
    trace = penalty_ends(np.geomspace(1e-3, 1e3, 120).tolist()).numpy()
    axes.plot(trace[:, 0], trace[:, 1], **plotting.THEORY, label="_penalty")
    for key, height in (("adam", 0.05), ("adamw", 0.12)):
        points = plane_path(key, weight_decay, noise)
        axes.plot(points[:, 0], points[:, 1], color=plotting.colour(key), linewidth=1.6, label=f"_{key}")
        axes.plot(*points[-1].tolist(), "o", color=plotting.colour(key), markersize=7, label="_end")
        axes.text(0.97, height, NAMES[key], color=plotting.colour(key), ha="right", transform=axes.transAxes)
    axes.plot(*TARGET.tolist(), marker="*", color=plotting.INK, markersize=11, label="_minimum")
    holds = "holds" if float(TARGET.abs().max()) <= 1 / weight_decay else "shuts out"
    title = f"λ = {weight_decay:.2g}: AdamW's box {holds} the minimum" + (
        f"; noise {noise:g}" if noise else ""
    )
    plotting.finish(axes, title=title, x="θ₁", y="θ₂", names=False)
    return figure


def _box(axes: Axes, decay: float) -> None:
    half = 1 / decay
    axes.add_patch(
        Rectangle(
            (-half, -half), 2 * half, 2 * half, facecolor=plotting.colour("adamw"), alpha=0.07, zorder=-1
        )
    )
    axes.plot(
        [half, half, -half], [-half, half, half], color=plotting.colour("adamw"), linewidth=0.9, label="_box"
    )
