"""The figures of lesson 19: what is drawn is what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.figures import capstone
from course_utils.intervals import mean_interval, paired_interval
from course_utils.race import Entry, Result, expected_best
from tests.figures.reading import drawn
from tests.mutants import mistakes


def result(task: str = "t", gains: tuple[float, ...] = (0.0, 0.03, -0.02, 0.0004), seed: int = 0) -> Result:
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.03, 30)
    names = ["base", "good", "bad", "same"]
    entries = [
        Entry(
            name,
            [({}, 0.5), ({}, 0.6)],
            {},
            0.6,
            (0.8 + gain + luck + rng.normal(0, 0.004, 30)).tolist(),
            1.0,
        )
        for name, gain in zip(names, gains, strict=True)
    ]
    return Result(task, tuple(entries))


def segments(axes: Any) -> list[tuple[list[float], str]]:
    """The drawn intervals, [low, high] in points, from top to bottom, with their colours."""
    found = []
    for line in axes.get_lines():
        x, y = (np.asarray(values, float) for values in line.get_data())
        if len(x) == 2 and y[0] == y[1] and line.get_linewidth() == 2:
            found.append((y[0], x.tolist(), line.get_color()))
    return [(x, color) for _, x, color in sorted(found)]


def test_a_winner_among_equals() -> None:
    scores = capstone.equal_methods(20, 24, generator=torch.Generator().manual_seed(0))
    assert scores.shape == (20, 24)
    assert (np.diff(scores.mean(1)) <= 0).all()
    many = capstone.equal_methods(400, 100, generator=torch.Generator().manual_seed(0))
    assert many.mean() == pytest.approx(0.9, abs=1e-3)
    assert many.std() == pytest.approx(0.02, rel=0.02)
    figure = drawn(capstone.a_winner_among_equals(20, 24, generator=torch.Generator().manual_seed(0)))
    bars = [line for line in figure.axes[0].get_lines() if line.get_linewidth() == 2]
    assert len(bars) == 20
    for bar, row in zip(bars, scores, strict=True):
        interval = mean_interval(row)
        assert list(bar.get_ydata()) == pytest.approx([100 * interval.low, 100 * interval.high])


def check_leaderboards(module: Any) -> None:
    one = result()
    [axes] = drawn(module.leaderboards([one], baseline="base")).axes
    board = one.leaderboard()
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert names == list(board["recipe"])
    assert (names[0], names[-1]) == ("good", "bad")
    found = segments(axes)
    for (ends, color), row in zip(found, board.to_dict("records"), strict=True):
        assert ends == pytest.approx([-100 * row["behind_high"], -100 * row["behind_low"]])
        assert color == (plotting.BLUE if row["tied"] else plotting.GREY)
    low, high = axes.get_ylim()
    assert low > high  # the winner is on top


def check_differences(module: Any) -> None:
    one = result()
    [found] = module.differences([one], baseline="base")
    assert set(found) == {"good", "bad", "same"}
    for name, ends in found.items():
        gap = paired_interval(one[name].scores, one["base"].scores, level=1 - 0.01 / 3)
        assert ends == pytest.approx((gap.mean, gap.low, gap.high), abs=1e-12)
    assert found["good"][1] > 0 > found["bad"][2]
    assert found["same"][1] < 0 < found["same"][2]


def check_against(module: Any) -> None:
    two = [result("a", (0.0, -0.03, 0.02, 0.0), seed=1), result("b")]
    left, right = drawn(module.against_baseline(two, baseline="base", titles=["A", "B"])).axes
    assert [left.get_title(loc="left"), right.get_title(loc="left")] == ["A", "B"]
    assert [t.get_text() for t in left.get_yticklabels()] == ["good", "same", "bad"]
    gaps = module.differences(two, baseline="base")
    for axes, found in zip((left, right), gaps, strict=True):
        for (ends, _), name in zip(segments(axes), ["good", "same", "bad"], strict=True):
            assert ends == pytest.approx([100 * found[name][1], 100 * found[name][2]])
    colours = [color for _, color in segments(right)]
    assert colours == [plotting.GREEN, plotting.GREY, plotting.VERMILION]
    assert [color for _, color in segments(left)] == colours[::-1]


def test_a_recipe_that_was_not_raced_on_a_task_has_no_bar_there() -> None:
    whole = result("a")
    part = Result("b", tuple(entry for entry in result("b").entries if entry.recipe != "bad"))
    for tasks, bars in (([whole, part], [3, 2]), ([part, whole], [2, 3])):
        axes = drawn(capstone.against_baseline(tasks, baseline="base")).axes
        assert [len(segments(panel)) for panel in axes] == bars
        assert [text.get_text() for text in axes[0].get_yticklabels()] == ["good", "same", "bad"]


def check_budgets(module: Any) -> None:
    scores = {"early": [0.8, 0.81, 0.79, 0.8], "late": [0.1, 0.2, 0.1, 0.95]}
    [axes] = drawn(module.budgets(scores)).axes
    for name, values in scores.items():
        [line] = [line for line in axes.get_lines() if line.get_label() == name]
        assert list(line.get_xdata()) == [1, 2, 3, 4]
        assert list(line.get_ydata()) == pytest.approx([100 * expected_best(values, k) for k in range(1, 5)])
    leaders = [module.budgets(scores, at=k).axes[0].get_title(loc="left") for k in (1, 4)]
    assert "1 trial each, early" in leaders[0]
    assert "4 trials each, late" in leaders[1]


def test_the_leaderboard_is_the_results() -> None:
    check_leaderboards(capstone)


def test_differences_from_the_baseline() -> None:
    check_differences(capstone)
    check_against(capstone)


def test_budgets() -> None:
    check_budgets(capstone)
    with pytest.raises(ValueError, match="trials of a recipe"):
        capstone.budgets({})


def check_search(module: Any) -> None:
    scores = torch.tensor([[0.1, 0.3], [0.5, 0.7], [0.8, 0.8]], dtype=torch.float64)
    weights = [torch.tensor(w, dtype=torch.float64) for w in ([1 / 3] * 3, [0.0, 0.5, 0.5])]
    [axes] = drawn(module.luck_of_the_search({"plain": weights}, {"plain": scores})).axes
    means = [(0.2 + 0.6 + 0.8) / 3, 0.7]
    [line] = [line for line in axes.get_lines() if line.get_label() == "plain"]
    assert list(line.get_ydata()) == pytest.approx([100 * mean for mean in means])
    found = module.search_ranges({"plain": weights}, {"plain": scores})["plain"]
    assert found[:, 1].tolist() == pytest.approx([np.std([0.2, 0.6, 0.8]), 0.1])
    low, high = axes.collections[0].get_datalim(axes.transData).intervaly
    assert low == pytest.approx(min(100 * (m - sd) for m, sd in found.tolist()))
    assert high == pytest.approx(max(100 * (m + sd) for m, sd in found.tolist()))


def test_the_luck_of_the_search() -> None:
    check_search(capstone)


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "the winner at the bottom": ("(len(board) - 0.4, -0.6)", "(-0.6, 4)", check_leaderboards),
    "ties in grey": ("plotting.BLUE if tied", "plotting.BLUE if not tied", check_leaderboards),
    "level of one comparison": ("1 - 0.01 / max(1, len(result.entries) - 1)", "0.99", check_differences),
    "the wrong sign": ("result.gap(e.recipe, baseline,", "result.gap(baseline, e.recipe,", check_differences),
    "ordered by the first task": (
        "for gaps in gaps_by_task for",
        "for gaps in gaps_by_task[::-1] for",
        check_against,
    ),
    "good is red": ("plotting.GREEN if low > 0", "plotting.GREEN if high < 0", check_against),
    "scores of one seed": ("scores = test[name].mean(1)", "scores = test[name][:, 0]", check_search),
    "one trial alone": ("expected_best(scores, k) for", "expected_best(scores, 1) for", check_budgets),
}


test_mistakes_are_caught = mistakes("course_utils.figures.capstone", MUTANTS)
