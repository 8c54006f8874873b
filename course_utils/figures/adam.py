"""The figures of lesson 07."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

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
FIRST = 10  # number of steps at which the lead is drawn first
GOALS = np.geomspace(0.3, 1e-5, 40)  # parts of the first loss to come down to
PHASE = 150  # steps of each phase of the first figure
DIGIT_RATES = {"momentum": 0.04, "Adam": 0.0025}  # the lowest tried on the digits
DIGIT_MOMENTA = (0.0, 0.6, 0.9)
TUG_RATE, TUG_STEPS = 0.5, 900  # of the paths: rate lr / sqrt(t)
MARGINS = np.geomspace(0.02, 20, 60)  # C - 2, in the map of the tug of war
MEMORIES = np.geomspace(1.001, 1000, 60)  # 1 / (1 - beta2)

# What a rule of the table of words is drawn in.
RULES = {
    "neither": plotting.GREY,
    "momentum": plotting.colour("momentum"),
    "v alone": plotting.colour("rmsprop"),
    "Adam": plotting.colour("adam"),
}


# What each figure shows, in words.
TWO_AVERAGES = (
    "Above, noisy gradients with their average m and their size √v. Below, the step m / √v: near η while "
    "the mean is 1, near zero while it is 0, near −η while it is −1."
)
LEARNING_CURVES = (
    "Loss above the lowest against the step, logarithmic, words under Zipf's law, over 100 steps. Gradient "
    "descent and momentum fall slowly; v alone falls faster; Adam ends lowest."
)
TURNING_OVER = (
    "Four lines in each of two panels: words before and next words under Zipf's law or even. Above, "
    "momentum's loss over Adam's after each number of steps, each tuned for that number; all rise in the "
    "end, and the line of both even is the lowest. Below, momentum's steps over Adam's to each loss."
)
LATE_WORDS = (
    "Loss of each row after 100 steps against the rank of its word, both logarithmic. With momentum the rows "
    "of rare words are the highest; Adam's are lower in nearly all rows."
)
RIVALS = (
    "Loss after 100 steps, one row for each method, on a logarithmic axis: momentum, Adam with one v for "
    "the whole table, v alone, the sign of the gradient, momentum on gradients divided by the share of the "
    "word, and Adam."
)
STEP_AGAINST_NOISE = (
    "Typical step in units of the rate against signal over noise. With v alone it is one everywhere. With "
    "both it rises from 0.23 where independent noise rules to one where signal rules; the dots lie on the "
    "line of theory."
)
LEFT_OUT = (
    "Length of a step relative to Adam's against its number, both logarithmic. With neither correction "
    "the dots start at 3.16, peak at 6.57 and come down to one after thousands of steps; with "
    "only m corrected the line starts far above, with only v far below."
)
LONGEST_STEPS = (
    "The longest step against the number of the step, on a logarithmic axis. It is η at first, still "
    "close to it at step 10, and nears 7.27 η after thousands of steps, in float64; the dots lie on the "
    "line of the bound."
)
TUGS = (
    "θ against the step, logarithmic. Adam with β₂ = 1/(1 + C²) climbs in a zigzag to 1, the wrong end. "
    "AMSGrad and Adam with the default betas go to the minimum at −1."
)
TURNING = (
    "Each mark is a run: C − 2 to the right, the memory of v upwards, both logarithmic. Below a falling "
    "line Adam goes to the wrong end, above it to the minimum. Near C = 2 the line is at tens of steps, "
    "at C = 3 at 1.9."
)
MAP_AND_PATH = (
    "Above, a map over C − 2 and the memory of v: white below a falling line, tinted above it. The mark "
    "at C = 3 and a memory of 1.5 is in the white. Below, Adam goes to the wrong end and AMSGrad to the "
    "minimum."
)
RATES_TRIED = (
    "Validation loss against the rate, full batches. Adam's curve and those of momentum, one for each "
    "β, are valleys; Adam's is at lower rates."
)
LIMITS = (
    "Momentum's loss over Adam's after 100 steps, against the word pairs in a batch: near one for 32 of "
    "them; apart from the rest, behind a gap in the axis, the ratio where each step sees all pairs."
)


@functools.cache
def three_phases() -> Tensor:
    """Gradients (450,): noise around 1, then around 0, then around -1."""
    noise = 0.5 * torch.randn(3 * PHASE, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return noise + torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64).repeat_interleave(PHASE)


def steps_of(gradients: Tensor, betas: Betas = BETAS) -> Tensor:
    """Adam's steps (T, ...) in units of lr under these gradients, with eps = 0; 0 while all are 0."""
    m, v = ewma(gradients, betas[0]), ewma(gradients**2, betas[1])
    return torch.where(v == 0, 0.0, m / torch.where(v == 0, 1.0, v).sqrt())


def two_averages() -> Figure:
    """One coordinate's gradients with both averages, and below them the step that these make."""
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 5.2), sharex=True, height_ratios=(1.4, 1))
    g = three_phases()
    t = np.arange(1, len(g) + 1)
    size = ewma(g**2, BETAS[1]).sqrt().numpy()
    above.plot(t, g, ".", color=plotting.GREY, markersize=3, label="_g")
    above.fill_between(t, -size, size, color=plotting.colour("rmsprop"), alpha=0.15, linewidth=0)
    above.plot(t, size, color=plotting.colour("rmsprop"), label="√v: size")
    above.plot(t, ewma(g, BETAS[0]), color=plotting.colour("momentum"), label="m: direction")
    above.set_ylim(-2.9, 3.4)
    for start, name in ((0, "mean 1"), (PHASE, "mean 0"), (2 * PHASE, "mean −1")):
        above.text(start + 4, 2.9, name, color=plotting.GREY)
        for axes in (above, below):
            axes.axvline(start, color=plotting.LIGHT, linewidth=1, zorder=0)
    below.plot(t, steps_of(g), color=plotting.colour("adam"), label="_step")
    for level in (-1, 1):
        below.axhline(level, color=plotting.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=0)
    below.set(xlim=(0, len(g)), ylim=(-1.4, 1.4), yticks=[-1, 0, 1])
    title = "Where gradients agree the step is about η, elsewhere it is short"
    plotting.finish(above, title=title, x="", y="gradient")
    plotting.finish(below, title="", x="step t", y="m / √v: step, in η", names=False)
    return figure


def learning_curves(curves: Mapping[str, Tensor]) -> Figure:
    """Loss above its lowest value against the number of steps made.

    Args:
        curves: names of `RULES` -> (T,) losses.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.9))
    for name, losses in curves.items():
        y = losses.nan_to_num(np.inf).numpy()
        axes.plot(np.arange(len(y)), y, color=RULES[name], label=name)
    axes.set(yscale="log", ylim=(3e-6, 5), xlim=(0, len(y) - 1))
    axes.set_yticks([1, 0.01, 1e-4], ["1", "0.01", "0.0001"])
    title = "Zipf's law: of each rule the run that ends lowest"
    plotting.finish(axes, title=title, x="steps made", y="loss above the lowest")
    return figure


def reached(losses: Tensor, goal: float | None = None) -> float:
    """The lowest loss of several runs after 100 steps or, with a goal, the fewest steps that one takes to it.

    Args:
        losses: (T, R), T > 100, of R runs after 0, 1, ... steps.
        goal: the part of its first loss that a run has to come down to; inf where none does.
    """
    if goal is None:
        return float(losses[100].min())
    there = (losses <= goal * losses[0]).any(1).nonzero()
    return float(there[0]) if len(there) else float("inf")


def turning_over(runs: Mapping[str, Sequence[Tensor]], words: int) -> Figure:
    """Momentum against Adam: its loss after each number of steps, and its steps to each loss.

    Args:
        runs: which words are even -> momentum's losses and Adam's, (T, R) each; the best of the R counts.
        words: in the table.
    """
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 6.6))
    colours = (plotting.colour("adam"), plotting.ORANGE, plotting.colour("momentum"), plotting.GREY)
    for (name, (slow, fast)), colour in zip(runs.items(), colours, strict=True):
        ratios = (slow.amin(1) / fast.amin(1))[FIRST:]
        above.plot(np.arange(FIRST, FIRST + len(ratios)), ratios, color=colour, label=name)
        steps = np.array([[reached(losses, goal) for goal in GOALS] for losses in (slow, fast)])
        there = np.isfinite(steps).all(0)
        below.plot(GOALS[there], steps[0, there] / steps[1, there], color=colour, label=f"_{name}")
    for axes in (above, below):
        axes.axhline(1, color=plotting.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=0)
    above.set(yscale="log", xlim=(FIRST, FIRST + len(ratios) - 1), ylim=(0.005, 1e7))
    above.set_yticks([0.01, 1, 100, 1e4, 1e6], ["0.01", "1", "100", "10⁴", "10⁶"])
    right = above.get_xlim()[1] - 3
    above.text(right, 0.05, "below the line momentum is ahead", color=plotting.INK, ha="right")
    plotting.log_ticks(below)
    below.set(xlim=(GOALS[0], GOALS[-1]), ylim=(0.2, 12))
    below.set_xticks([0.1, 0.01, 1e-3, 1e-4, 1e-5], ["0.1", "0.01", "0.001", "10⁻⁴", "10⁻⁵"])
    below.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    title = f"Who is ahead depends on when one looks ({words} words)"
    plotting.finish(above, title=title, x="steps made", y="momentum's loss / Adam's", names=False)
    plotting.label_lines(above, gap=0.11)
    title = "… and on how low one wants to come"
    x = "loss to reach, as a part of the first (lower to the right)"
    plotting.finish(below, title=title, x=x, y="momentum's steps / Adam's", names=False)
    return figure


def row_losses(table: Tensor, pairs: Tensor) -> Tensor:
    """The loss above the lowest of each row, (V,), not multiplied by the share of its word.

    Args:
        table: logits (V, V). pairs: shares of pairs of words, (V, V).
    """
    next_word = pairs / pairs.sum(1, keepdim=True)
    return (next_word * (next_word.log() - table.log_softmax(1))).sum(1)


def late_words(pairs: Tensor, tables: Mapping[str, Tensor]) -> Figure:
    """The loss of each row of a table against the rank of its word, both logarithmic.

    Args:
        pairs: shares (V, V), the commonest word first. tables: names of `RULES` -> logits (V, V).
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    plotting.log_ticks(axes)
    for name, table in tables.items():
        y = row_losses(table, pairs).numpy()
        rank = np.arange(1, len(y) + 1)
        plotting.measured(axes, rank, y, label=f"_{name}", color=RULES[name])
        axes.text(len(y) * 1.2, y[-10:].mean(), name, color=RULES[name], va="center")
    axes.set(xlim=(0.9, len(y) * 1.1))
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    title = "After 100 steps momentum is late with rare words"
    plotting.finish(axes, title=title, x="rank of the word before", y="loss of its row", names=False)
    return figure


def rivals(losses: Mapping[str, float]) -> Figure:
    """The loss that each method ends with, as one row of dots on a logarithmic axis.

    Args:
        losses: what is tried -> loss above the lowest, in the order of the rows.
    """
    figure, axes = plotting.subplots(size=(6.4, 0.42 * len(losses) + 1.3))
    plotting.log_ticks(axes, "x")
    names, values = list(losses), np.array(list(losses.values()))
    rows = np.arange(len(names))[::-1]
    first = values.max() * 30  # where the lines begin
    axes.hlines(rows, values, first, color=plotting.LIGHT, linewidth=2, zorder=1)
    colours = [plotting.colour("adam") if name.startswith("Adam") else plotting.INK for name in names]
    axes.scatter(values, rows, s=52, c=colours, zorder=2)
    for row, value in zip(rows, values, strict=True):
        words = _shown(value)
        axes.annotate(words, (value, row), (-8, 0), textcoords="offset points", va="center", ha="right")
    axes.set_yticks(rows, names)
    axes.set(xlim=(values.min() / 300, first), ylim=(-0.6, len(names) - 0.4))
    title = "The unit of v, bit by bit: where each method ends"
    plotting.finish(axes, title=title, x="loss above the lowest, after 100 steps", y="", names=False)
    return figure


def step_against_noise(ratios: ArrayLike, both: Tensor, v_only: Tensor) -> Figure:
    """The typical step against signal over noise, with m and without.

    Args:
        ratios: (R,) mean over deviation of the gradients. both, v_only: (S, R) steps.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    s = np.asarray(ratios, float)
    dense = np.geomspace(s.min(), s.max(), 80)
    plotting.log_ticks(axes, "x")
    for values, beta1, method in ((v_only, 0.0, "rmsprop"), (both, BETAS[0], "adam")):
        plotting.measured(axes, s, values.mean(0), color=plotting.colour(method), label=f"_{method}")
        plotting.theory(axes, dense, adam_steps.noisy_step(torch.from_numpy(dense), beta1), label="_theory")
    axes.text(s[0], 1.05, "v alone: β₁ = 0", color=plotting.colour("rmsprop"))
    axes.text(s[0], 0.29, "both: β₁ = 0.9", color=plotting.colour("adam"))
    axes.set(ylim=(0, 1.2))
    ticks = [0.03, 0.1, 0.3, 1, 3]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    title = "m shortens the step where independent noise rules"
    plotting.finish(
        axes, title=title, x="mean of the gradients / their deviation", y="typical step, in η", names=False
    )
    return figure


def left_out(measured: Tensor) -> Figure:
    """How much longer a step is without one correction or both, against its number.

    Args:
        measured: (T,) how many times longer step 1, 2, ... was without either.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.9))
    t = np.unique(np.geomspace(1, len(measured), 24).astype(int))
    dense = np.unique(np.geomspace(1, 10_000, 160).astype(int))
    plotting.log_ticks(axes)
    plotting.measured(axes, t, measured[t - 1], label="_measured", color=plotting.colour("adam"))
    lines = [
        ("m only", {"of_m": True}, plotting.colour("rmsprop"), (1.15, 40), "only m corrected"),
        ("neither", {}, plotting.INK, (1.7, 2.1), "neither corrected"),
        ("v only", {"of_v": True}, plotting.colour("momentum"), (2.6, 0.13), "only v corrected"),
    ]
    for name, made, colour, place, words in lines:
        y = [adam_steps.uncorrected(int(k), BETAS, **made) for k in dense]
        axes.plot(dense, y, color=colour, label=f"_{name}", linewidth=1.1, linestyle=(0, (5, 3)))
        axes.text(*place, words, color=plotting.colour("adam") if name == "neither" else colour)
    axes.axhline(1, color=plotting.INK, linewidth=0.8)
    axes.text(1500, 0.72, "both: Adam", color=plotting.INK)
    axes.set(xlim=(0.9, 10_000), ylim=(0.07, 70))
    axes.set_yticks([0.1, 0.3, 1, 3, 10, 30], ["0.1", "0.3", "1", "3", "10", "30"])
    title = "With neither correction the first steps are too long"
    plotting.finish(axes, title=title, x="step t", y="length of the step, Adam's = 1", names=False)
    return figure


def longest_steps(found: Mapping[int, float]) -> Figure:
    """The step that growing gradients made, against its number, and the bound.

    Args:
        found: number of the step -> its length, in units of lr.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    dense = np.unique(np.geomspace(1, 20_000, 200).astype(int))
    plotting.log_ticks(axes, "x")
    plotting.measured(axes, list(found), list(found.values()), label="_found", color=plotting.colour("adam"))
    plotting.theory(axes, dense, [adam_steps.longest_step(BETAS, int(t)) for t in dense], label="_bound")
    axes.text(30, 3.2, "dots: growing gradients\nline: no step is longer", color=plotting.INK, ha="right")
    axes.set(xlim=(0.9, 20_000), ylim=(0, 8))
    title = "How long a step can be grows with the number of steps made"
    plotting.finish(axes, title=title, x="number of the step", y="longest step, in η", names=False)
    return figure


def tugs(paths: Sequence[ArrayLike]) -> Figure:
    """Runs on the tug of war, with the ends of the interval; the minimum is at -1.

    Args:
        paths: (T,) points each, of Adam with beta2 = 1/(1 + C²), of AMSGrad, of Adam with its default betas.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.6))
    names = ("Adam, β₂ = 1/(1 + C²)", "AMSGrad", "Adam, defaults")
    colours = (plotting.colour("adam"), plotting.GREEN, plotting.SKY)
    for path, name, colour in zip(paths, names, colours, strict=True):
        _draw_path(axes, np.asarray(path), name, colour)
    title = "With β₂ = 1/(1 + C²) Adam goes to the wrong end"
    plotting.finish(axes, title=title, x="step t", y="θ")
    return figure


def turning(margins: ArrayLike, memories: ArrayLike, ends: Tensor) -> Figure:
    """Where Adam ended for each C and memory, as dots, and the line on which its mean step is zero.

    Args:
        margins: (M,) values of C - 2. memories: (K,) values of 1 / (1 - beta2).
        ends: (M, K), the last points, from -1 (the minimum) to 1.
    """
    figure, axes = plotting.subplots(size=(6.4, 4.0))
    _draw_turning(axes, 0.0)
    x, y = np.meshgrid(np.asarray(margins, float), np.asarray(memories, float), indexing="ij")
    wrong = ends.numpy() > 0
    for where, colour, marker in ((~wrong, plotting.GREEN, "o"), (wrong, plotting.colour("adam"), "X")):
        axes.plot(x[where], y[where], marker, color=colour, markersize=6.5, alpha=0.6, mew=0, label="_ends")
    axes.set_ylim(0.85, 6000)
    axes.text(0.022, 2300, "dots: ends at the minimum", color=plotting.GREEN)
    axes.text(18, 2300, "crosses: at the wrong end", color=plotting.colour("adam"), ha="right")
    title = "The nearer to a draw, the longer v must remember"
    plotting.finish(axes, title=title, x="C − 2", y="memory of v, 1 / (1 − β₂)", names=False)
    return figure


def map_and_path(C: float, memory: float, beta1: float) -> Figure:
    """Above the two regions for this beta1, below where Adam and AMSGrad go with this C and memory."""
    figure, (above, below) = plotting.subplots(2, 1, size=(6.4, 6.0))
    _draw_turning(above, beta1, fill=True)
    above.plot(C - 2, memory, marker="o", markersize=10, color=plotting.VERMILION, markeredgecolor="white")
    title = f"White: Adam goes to the wrong end (β₁ = {beta1:g})"
    plotting.finish(above, title=title, x="C − 2", y="memory of v", names=False)
    betas = (beta1, 1 - 1 / memory)
    for name, amsgrad, colour in (
        ("Adam", False, plotting.colour("adam")),
        ("AMSGrad", True, plotting.GREEN),
    ):
        _draw_path(below, tug_path(C, betas, amsgrad).numpy(), name, colour)
    drift = float(adam_steps.cycle_drift(C, 3, *betas))
    below.text(1.1, 0.5, f"a round moves Adam by {-drift:+.2f} η".replace("-", "−"), color=plotting.INK)
    end = "the minimum" if drift > 0 else "the wrong end"
    plotting.finish(below, title=f"Adam goes to {end}", x="step t", y="θ")
    return figure


@functools.cache
def tug_path(C: float, betas: Betas, amsgrad: bool) -> Tensor:
    """Points (T,) of Adam on [-1, 1] from 0, rate lr / sqrt(t), under the gradients C, -1, -1, C, ..."""
    p = torch.zeros(1, dtype=torch.float64)
    optimizer = Adam([p], betas=betas, amsgrad=amsgrad)
    visited = []
    for t in range(TUG_STEPS):
        p.grad = torch.full_like(p, C if t % 3 == 0 else -1.0)
        optimizer.param_groups[0]["lr"] = TUG_RATE / (t + 1) ** 0.5
        optimizer.step()
        p.clamp_(-1, 1)
        visited.append(p.item())
    return torch.tensor(visited, dtype=torch.float64)


@functools.cache
def drift_map(beta1: float) -> Tensor:
    """The sum of a round's steps in units of lr, (MEMORIES, MARGINS); negative where Adam walks away."""
    beta2 = torch.from_numpy(1 - 1 / MEMORIES)
    return torch.stack([adam_steps.cycle_drift(2 + x, 3, beta1, beta2) for x in MARGINS.tolist()], 1)


def rates_tried(losses: Mapping[str, Tensor]) -> Figure:
    """Validation loss against the rate, each method on its own grid.

    Args:
        losses: "Adam" -> (6, S), at rates that double; "momentum" -> (18, S), so for each β of
            `DIGIT_MOMENTA`.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.9))
    plotting.log_ticks(axes, "x")
    names = ("Adam", *(f"momentum, β = {beta:g}" for beta in DIGIT_MOMENTA))
    colours = (plotting.colour("adam"), plotting.GREY, plotting.ORANGE, plotting.colour("momentum"))
    means = torch.cat([losses["Adam"], losses["momentum"]]).mean(1).view(4, 6).numpy()
    for name, y, colour in zip(names, means, colours, strict=True):
        x = DIGIT_RATES[name.split(",")[0]] * 2.0 ** np.arange(len(y))
        axes.plot(x, y, "o-", color=colour, markersize=5, label=name)
    axes.set(ylim=(0, 1.1))
    ticks = [0.005, 0.02, 0.08, 0.32, 1.28]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.legend(frameon=False, loc="upper left", ncols=2, fontsize=9)
    title = "On the digits each method has a good rate"
    plotting.finish(axes, title=title, x="rate η", y="validation loss", names=False)
    return figure


def limits(batches: Sequence[int], by_batch: Sequence[float]) -> Figure:
    """How many times Adam's loss momentum's is, against the batch.

    Args:
        batches, by_batch: word pairs in a batch, and the ratio for each and, last, for all data.
    """
    figure, axes = plotting.subplots(size=(6.4, 3.7))
    places = [*batches, batches[-1] * 16]  # the last: all pairs, beyond a gap in the axis
    plotting.log_ticks(axes)
    plotting.measured(axes, places, by_batch, label="_ratio", color=plotting.INK)
    axes.plot(batches, by_batch[:-1], color=plotting.INK, linewidth=1.2, label="_line")
    axes.axhline(1, color=plotting.GREY, linewidth=1, linestyle=(0, (5, 3)))
    axes.set_yticks([0.1, 1, 10, 100, 1000], ["0.1", "1", "10", "100", "1,000"])
    axes.set_ylim(min(0.3, min(by_batch) / 2), max(by_batch) * 3)
    axes.set_xticks(places, [*(f"{size:,}" for size in batches), "all"])
    axes.axvline(batches[-1] * 4, color=plotting.GREY, linewidth=1, linestyle=(0, (1, 2)))
    title = "The lead after 100 steps, against the size of the batch"
    plotting.finish(axes, title=title, x="word pairs in a batch", y="momentum's loss / Adam's")
    return figure


def _shown(value: float) -> str:
    """A loss to one digit: 0.02, or 3·10⁻⁵ below a thousandth."""
    if value >= 1e-3:
        return f"{value:.1g}"
    digit, power = f"{value:.0e}".split("e")
    return f"{digit}·10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _draw_path(axes: Axes, path: np.ndarray, name: str, colour: str) -> None:
    """A path of the tug of war, and what the ends of its interval are."""
    for end, words in ((-1, "the minimum"), (1, "the wrong end")):
        axes.axhline(end, color=plotting.LIGHT, linewidth=1, zorder=0)
        if not axes.texts or len(axes.texts) < 2:
            axes.text(1.1, end + (0.05 if end > 0 else -0.16), words, color=plotting.GREY)
    axes.plot(np.arange(1, len(path) + 1), path, color=colour, label=name, linewidth=1.3)
    axes.set(xscale="log", xlim=(1, len(path)), ylim=(-1.25, 1.25))


def _draw_turning(axes: Axes, beta1: float, *, fill: bool = False) -> None:
    """The line on which the steps of a round sum to zero; filled where they go to the minimum."""
    drift = drift_map(beta1).numpy()
    plotting.log_ticks(axes)
    if fill:
        axes.contourf(MARGINS, MEMORIES, drift, levels=[0, 100], colors=["#DCE9E4"])
    if drift.min() < 0 < drift.max():
        axes.contour(
            MARGINS,
            MEMORIES,
            drift,
            levels=[0],
            colors=plotting.INK,
            linewidths=1.1,
            linestyles=[(0, (5, 3))],
        )
    axes.set(xlim=(MARGINS[0], MARGINS[-1]), ylim=(MEMORIES[0], MEMORIES[-1]))
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
