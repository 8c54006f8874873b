"""The figures of lesson 19."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from course_utils import plotting
from course_utils._checks import require
from course_utils.intervals import mean_interval
from course_utils.race import Result, expected_best

FloatArray = NDArray[np.float64]


def equal_methods(methods: int, seeds: int, *, generator: torch.Generator) -> FloatArray:
    """Scores 0.9 + 0.02 * N(0, 1), (methods, seeds), of equal methods, sorted by their means, best first."""
    draw = torch.randn(methods, seeds, generator=generator, dtype=torch.float64)
    scores: FloatArray = (0.9 + 0.02 * draw).numpy()
    return scores[np.argsort(-scores.mean(1))]


def a_winner_among_equals(methods: int, seeds: int, *, generator: torch.Generator) -> Figure:
    """Equal methods, their measured means with intervals, in the order of a leaderboard."""
    scores = equal_methods(methods, seeds, generator=generator)
    figure, axes = plotting.subplots(size=(7.2, 3.6))
    for place, row in enumerate(scores, 1):
        found = mean_interval(row)
        color = plotting.BLUE if place == 1 else plotting.GREY
        axes.plot([place, place], [100 * found.low, 100 * found.high], color=color, linewidth=2)
        axes.plot(place, 100 * found.mean, "o", color=color, markersize=6)
    axes.axhline(90, **plotting.THEORY)
    axes.text(methods + 0.7, 90, "the truth,\nfor all", va="center")
    axes.set_xticks(range(1, methods + 1))
    title = "A race always has a winner, also among equals"
    plotting.finish(axes, title=title, x="place on the leaderboard", y="accuracy, %", names=False)
    return figure


def leaderboards(results: Sequence[Result], *, baseline: str, titles: Sequence[str] = ()) -> Figure:
    """A panel for each task: each recipe's distance from the winner, with its interval for all pairs at once.

    Recipes tied with the winner are blue, the baseline stands on a grey bar.
    """
    rows = max(len(result.entries) for result in results)
    figure, grid = plotting.subplots(
        1, len(results), size=(max(6.4, 4.6 * len(results)), 1.4 + 0.32 * rows), squeeze=False
    )
    names = titles or [result.task for result in results]
    for axes, result, title in zip(grid[0], results, names, strict=True):
        board = result.leaderboard()
        gaps = -100 * board[["behind_high", "behind_low", "behind"]].to_numpy(dtype=float)
        for y, ((low, high, mean), tied) in enumerate(zip(gaps, board["tied"], strict=True)):
            color = plotting.BLUE if tied else plotting.GREY
            axes.plot([low, high], [y, y], color=color, linewidth=2)
            axes.plot(mean, y, "o", color=color, markersize=6)
        axes.axvline(0, color=plotting.INK, linewidth=0.8)
        place = list(board["recipe"]).index(baseline)
        axes.axhline(place, color=plotting.LIGHT, linewidth=8, zorder=0)
        axes.set_yticks(range(len(board)), list(board["recipe"]))
        axes.set_ylim(len(board) - 0.4, -0.6)
        plotting.finish(axes, title=title, x="test accuracy minus the winner's, points", y="", names=False)
    return figure


def against_baseline(
    result: Result, *, baseline: str, twins: Sequence[str] = (), level: float = 0.99, title: str = ""
) -> Figure:
    """Every recipe's distance from the baseline on one task, best on top, each at the level for all.

    Behind the dots a grey band: from the lowest to the highest twin of the baseline, itself among them, which
    differ in nothing but what their searches drew. Twins are not drawn again as rows.
    """
    gaps = result.against(baseline, level=level)
    alike = [0.0, *(gaps[name].mean for name in twins)]
    rows = sorted((name for name in gaps if name not in twins), key=lambda name: -gaps[name].mean)
    figure, axes = plotting.subplots(size=(6.6, 1.3 + 0.21 * len(rows)))
    axes.axvspan(100 * min(alike), 100 * max(alike), color=plotting.LIGHT, linewidth=0, zorder=0)
    for y, name in enumerate(rows):
        gap = gaps[name]
        color = plotting.GREEN if gap.low > 0 else plotting.VERMILION if gap.high < 0 else plotting.GREY
        axes.plot([100 * gap.low, 100 * gap.high], [y, y], color=color, linewidth=2)
        axes.plot(100 * gap.mean, y, "o", color=color, markersize=5)
    axes.axvline(0, color=plotting.INK, linewidth=0.8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), rows)
    x = f"test accuracy minus {baseline}'s, points (grey: its twins)"
    plotting.finish(axes, title=title, x=x, y="", names=False)
    return figure


def budgets(results: Mapping[str, Sequence[float]], *, at: int | None = None, floor: float = 0.0) -> Figure:
    """The best validation score that k trials would have found, for each k; `at` marks one.

    Args:
        results: name -> the scores of its trials.
        at: a number of trials; the title then says who leads there.
        floor: where the axis begins, in per cent: what lies below is of one or two trials, and known.
    """
    require(len(results) > 0, "trials of a recipe", recipes=len(results))
    figure, axes = plotting.subplots(size=(7.2, 3.8))
    colours = [
        plotting.BLUE,
        plotting.SKY,
        plotting.VERMILION,
        plotting.PURPLE,
        plotting.ORANGE,
        plotting.GREEN,
    ]
    for (name, scores), color in zip(results.items(), colours, strict=False):
        ks = range(1, len(scores) + 1)
        axes.plot(
            ks,
            [100 * expected_best(scores, k) for k in ks],
            color=color,
            label=name,
            marker="o",
            markersize=3,
        )
    title = "A method is as good as the trials that it was given"
    if at is not None:
        axes.axvline(at, **plotting.THEORY)
        lead = max(results, key=lambda name: expected_best(results[name], min(at, len(results[name]))))
        title = f"With {at} trial{'s' if at > 1 else ''} each, {lead} is expected to lead"
    axes.set_ylim(bottom=max(axes.get_ylim()[0], floor))
    axes.set_xticks([k for k in (1, 2, 5, 10, 15, 20) if k <= max(map(len, results.values()))])
    plotting.finish(axes, title=title, x="trials", y="expected best validation accuracy, %")
    return figure


def twin_races(gaps: torch.Tensor) -> Figure:
    """The difference of two equal methods in each of M races, with its interval over seeds.

    Args: gaps: (M, S), test accuracy of one twin minus the other's, for each seed.
    """
    found = [mean_interval(row) for row in gaps]
    sure = [each.low > 0 or each.high < 0 for each in found]
    figure, axes = plotting.subplots(size=(6.6, 3.8))
    for place, (each, out) in enumerate(zip(found, sure, strict=True), 1):
        color = plotting.VERMILION if out else plotting.GREY
        axes.plot([place, place], [100 * each.low, 100 * each.high], color=color, linewidth=2)
        axes.plot(place, 100 * each.mean, "o", color=color, markersize=6)
    axes.axhline(0, **plotting.THEORY)
    axes.set_xticks(range(1, len(found) + 1))
    title = f"One method, entered twice: {sum(sure)} of {len(found)} intervals exclude zero"
    y = "one twin minus the other, points"
    plotting.finish(axes, title=title, x="race", y=y, names=False)
    return figure


def image_by_image(gaps: torch.Tensor, shuffled: torch.Tensor) -> Figure:
    """What one method has ahead of another on each test image, sorted, and the same with images shuffled.

    Args: gaps, shuffled: (N,), means over the seeds.
    """
    figure, axes = plotting.subplots(size=(6.6, 3.8))
    places = range(1, len(gaps) + 1)
    lines = ((shuffled, plotting.GREY, "shuffled: luck alone"), (gaps, plotting.BLUE, "measured"))
    for values, color, label in lines:
        axes.plot(places, 100 * values.sort().values.numpy(), color=color, label=label, linewidth=2)
    axes.axhline(0, color=plotting.INK, linewidth=0.8)
    title = "A few images decide, by more than luck"
    plotting.finish(axes, title=title, x="test images, sorted", y="label smoothing minus plain, points")
    return figure


def early_and_late(lrs: torch.Tensor, accuracy: Mapping[int, torch.Tensor]) -> Figure:
    """Validation accuracy (R,) against the learning rate after some steps, each best one marked."""
    figure, axes = plotting.subplots(size=(6.6, 3.8))
    shades = ("#C4C4C4", "#999999", plotting.GREY, plotting.BLUE)
    for color, (steps, values) in zip(shades[-len(accuracy) :], accuracy.items(), strict=True):
        best = int(values.argmax())
        axes.semilogx(lrs.numpy(), 100 * values.numpy(), color=color)
        axes.plot(float(lrs[best]), 100 * float(values[best]), "o", color=color, markersize=8)
        height = 94 if values[best] > 0.8 else 100 * float(values[best]) - 18  # clear of the other curves
        axes.text(float(lrs[best]), height, f"{steps} steps", ha="center", fontsize=9, color=plotting.INK)
    axes.set_ylim(0, 104)
    title = "The best rate of the first steps is too high at the end"
    plotting.finish(axes, title=title, x="learning rate", y="validation accuracy, %", names=False)
    return figure


def for_the_same_steps(lines: Mapping[str, Mapping[int, tuple[torch.Tensor, float]]]) -> Figure:
    """What searches report on average against the steps that they took; beside each dot the rates it tried.

    Args: lines: up to three, name -> {n: (what searches among n rates report (S,), their cost in runs)}.
    """
    figure, axes = plotting.subplots(size=(6.6, 3.8))
    for (name, line), color in zip(
        lines.items(), (plotting.GREY, plotting.BLUE, plotting.VERMILION), strict=False
    ):
        costs = [cost for _, cost in line.values()]
        means = [100 * float(scores.mean()) for scores, _ in line.values()]
        axes.plot(costs, means, "o-", color=color, markersize=6, linewidth=1, label=name)
        place = (-4, 7) if color == plotting.BLUE else (3, -13)
        for count, x, y in zip(line, costs, means, strict=True):
            axes.annotate(f"{count}", (x, y), place, textcoords="offset points", color=color)
    title = "With wrong labels halving, begun too early, stops paying"
    spent = "gradient steps spent, in whole runs (numbers: rates tried)"
    axes.margins(y=0.12)
    axes.legend(loc="lower right")
    plotting.finish(axes, title=title, x=spent, y="reported test accuracy, %", names=False)
    return figure


def how_often_apart(shares: Mapping[int, Mapping[int, float]], apart: Mapping[int, float]) -> Figure:
    """How often twins' intervals exclude zero, and how often they end a point apart, against trials.

    Args:
        shares: final seeds -> {trials: share of races whose interval over so many seeds excludes zero}.
        apart: trials -> share of races in which the twins end more than a point apart.
    """
    figure, axes = plotting.subplots(size=(6.6, 3.8))
    for color, (seeds, found) in zip((plotting.SKY, plotting.BLUE), shares.items(), strict=False):
        values = [100 * share for share in found.values()]
        axes.plot(list(found), values, "o-", color=color, label=f"excludes zero, {seeds} seeds")
    axes.plot(
        list(apart), [100 * share for share in apart.values()], "o-", color=plotting.VERMILION,
        label="over a point apart",
    )  # fmt: skip
    axes.set_ylim(bottom=-5)
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(apart), [f"{k}" for k in apart])
    title = "With more trials twins come close, and still seem to differ"
    plotting.finish(axes, title=title, x="trials of each twin", y="share of races, %")
    return figure
