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
from course_utils.race.search import spread

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
    axes.axhline(90, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
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


def differences(results: Sequence[Result], *, baseline: str) -> list[dict[str, tuple[float, float, float]]]:
    """For each task: recipe -> (mean, low, high) of its paired distance from the baseline, for all at once.

    The level is 1 - 0.01 / (number of recipes - 1): the baseline was named beforehand, so only the
    comparisons with it count.
    """
    gaps_by_task = []
    for result in results:
        level = 1 - 0.01 / max(1, len(result.entries) - 1)
        gaps = {e.recipe: result.gap(e.recipe, baseline, level=level) for e in result.entries}
        gaps_by_task.append(
            {name: (gap.mean, gap.low, gap.high) for name, gap in gaps.items() if name != baseline}
        )
    return gaps_by_task


def against_baseline(results: Sequence[Result], *, baseline: str, titles: Sequence[str] = ()) -> Figure:
    """Every recipe's distance from the baseline on each task, recipes ordered by the last that has them."""
    gaps_by_task = differences(results, baseline=baseline)
    last = {name: mean for gaps in gaps_by_task for name, (mean, _, _) in gaps.items()}
    names = sorted(last, key=lambda name: -last[name])
    figure, grid = plotting.subplots(
        1, len(results), size=(4.4 * len(results) + 0.6, 1.5 + 0.235 * len(names)), sharey=True, squeeze=False
    )
    heads = titles or [result.task for result in results]
    for axes, title, gaps in zip(grid[0], heads, gaps_by_task, strict=True):
        for y, name in enumerate(names):
            if name not in gaps:  # not raced on this task
                continue
            mean, low, high = (100 * value for value in gaps[name])
            color = plotting.GREEN if low > 0 else plotting.VERMILION if high < 0 else plotting.GREY
            axes.plot([low, high], [y, y], color=color, linewidth=2)
            axes.plot(mean, y, "o", color=color, markersize=5)
        axes.axvline(0, color=plotting.INK, linewidth=0.8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_yticks(range(len(names)), names)
        plotting.finish(axes, title=title, x=f"test accuracy minus {baseline}'s, points", y="", names=False)
    return figure


def budgets(results: Mapping[str, Sequence[float]], *, at: int | None = None) -> Figure:
    """The best validation score that k trials would have found, for each k; `at` marks one.

    Args:
        results: name -> the scores of its trials.
        at: a number of trials; the title then says who leads there.
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
        axes.axvline(at, color=plotting.INK, linewidth=1.1, linestyle=(0, (5, 3)))
        lead = max(results, key=lambda name: expected_best(results[name], min(at, len(results[name]))))
        title = f"With {at} trial{'s' if at > 1 else ''} each, {lead} is expected to lead"
    plotting.finish(axes, title=title, x="trials", y="expected best validation accuracy, %")
    return figure


def search_ranges(
    weights: Mapping[str, Sequence[torch.Tensor]], test: Mapping[str, torch.Tensor]
) -> dict[str, FloatArray]:
    """For each method (K, 2): mean and standard deviation, over all searches, of the reported test score.

    Args:
        weights: method -> for each k, how often a search of k trials chooses each trial.
        test: method -> test scores (trials, seeds).
    """
    by_method = {}
    for name, each in weights.items():
        scores = test[name].mean(1)
        by_method[name] = np.array([[float(w @ scores), float(spread(w, scores))] for w in each])
    return by_method


def luck_of_the_search(
    weights: Mapping[str, Sequence[torch.Tensor]], test: Mapping[str, torch.Tensor]
) -> Figure:
    """What searches of k trials report: mean over all searches, and a range of one standard deviation."""
    figure, axes = plotting.subplots(size=(7.2, 3.8))
    for (name, found), color in zip(
        search_ranges(weights, test).items(), (plotting.GREY, plotting.VERMILION), strict=False
    ):
        ks = np.arange(1, len(found) + 1)
        mean, sd = 100 * found[:, 0], 100 * found[:, 1]
        axes.fill_between(ks, mean - sd, mean + sd, color=color, alpha=0.22, linewidth=0)
        axes.plot(ks, mean, color=color, label=name, marker="o", markersize=3)
    title = "With few trials the search decides, with many the method"
    plotting.finish(axes, title=title, x="trials of the search", y="reported test accuracy, %")
    return figure
