"""The figures of lesson 19: what is drawn is what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.figures import capstone
from course_utils.intervals import mean_interval
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


def check_against(module: Any) -> None:
    one = result()
    figure = drawn(module.against_baseline(one, baseline="base", twins=["same"], title="A"))
    [axes] = figure.axes
    assert axes.get_title(loc="left") == "A"
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert names == ["good", "bad"]
    gaps = one.against("base")
    for (ends, _), name in zip(segments(axes), names, strict=True):
        assert ends == pytest.approx([100 * gaps[name].low, 100 * gaps[name].high])
    assert [color for _, color in segments(axes)] == [plotting.GREEN, plotting.VERMILION]
    [band] = [patch for patch in axes.patches if patch.get_zorder() == 0]
    ends = [0.0, 100 * gaps["same"].mean]
    x = band.get_extents().transformed(axes.transData.inverted())
    assert [x.x0, x.x1] == pytest.approx([min(ends), max(ends)], abs=1e-6)
    whole = drawn(module.against_baseline(one, baseline="base")).axes[0]
    assert [color for _, color in segments(whole)] == [plotting.GREEN, plotting.GREY, plotting.VERMILION]


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


def test_distances_from_the_baseline() -> None:
    check_against(capstone)


def test_budgets() -> None:
    check_budgets(capstone)
    with pytest.raises(ValueError, match="trials of a recipe"):
        capstone.budgets({})


GAPS = torch.tensor([[0.01, 0.02, 0.03], [-0.02, 0.02, 0.0], [-0.03, -0.031, -0.029]], dtype=torch.float64)


def upright(axes: Any) -> list[tuple[list[float], str]]:
    """The drawn upright intervals, from left to right, with their colours."""
    lines = [line for line in axes.get_lines() if line.get_linewidth() == 2]
    return [([float(y) for y in line.get_ydata()], line.get_color()) for line in lines]


def check_twins(module: Any) -> None:
    [axes] = drawn(module.twin_races(GAPS)).axes
    found = [mean_interval(row) for row in GAPS]
    for (ends, _), each in zip(upright(axes), found, strict=True):
        assert ends == pytest.approx([100 * each.low, 100 * each.high])
    assert [color for _, color in upright(axes)] == [plotting.GREY, plotting.GREY, plotting.VERMILION]
    assert "1 of 3 intervals" in axes.get_title(loc="left")


def check_images(module: Any) -> None:
    gaps, shuffled = torch.tensor([0.5, -0.25, 0.0]), torch.tensor([0.1, 0.2, -0.05])
    [axes] = drawn(module.image_by_image(gaps, shuffled)).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert lines["measured"] == pytest.approx([-25, 0, 50])
    assert lines["shuffled: luck alone"] == pytest.approx([-5, 10, 20])


def check_early(module: Any) -> None:
    lrs = torch.tensor([0.01, 0.1, 1.0])
    early = {20: torch.tensor([0.2, 0.3, 0.6]), 80: torch.tensor([0.7, 0.9, 0.1])}
    [axes] = drawn(module.early_and_late(lrs, early)).axes
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    found = [(float(dot.get_xdata()[0]), float(dot.get_ydata()[0])) for dot in dots]
    assert found == [pytest.approx((1.0, 60.0)), pytest.approx((0.1, 90.0))]
    assert [text.get_text() for text in axes.texts] == ["20 steps", "80 steps"]


def check_steps(module: Any) -> None:
    full = {2: (torch.tensor([0.5, 0.7, 0.7]), 2.0), 3: (torch.tensor([0.7, 0.7, 0.9]), 3.0)}
    halved = {8: (torch.tensor([0.5, 0.9, 0.9]), 2.5)}
    [axes] = drawn(module.for_the_same_steps({"all to the end": full, "late": halved})).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    whole, half = lines["all to the end"], lines["late"]
    assert list(whole.get_xdata()) == [2, 3]
    assert list(whole.get_ydata()) == pytest.approx([190 / 3, 230 / 3], rel=1e-5)
    assert list(half.get_xdata()) == [2.5]
    assert list(half.get_ydata()) == pytest.approx([230 / 3], rel=1e-5)


def check_apart(module: Any) -> None:
    shares = {6: {2: 0.4, 8: 0.1}, 24: {2: 0.8, 8: 0.3}}
    [axes] = drawn(module.how_often_apart(shares, {2: 0.7, 8: 0.2})).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert lines["excludes zero, 6 seeds"] == pytest.approx([40, 10])
    assert lines["excludes zero, 24 seeds"] == pytest.approx([80, 30])
    assert lines["over a point apart"] == pytest.approx([70, 20])


def test_twins_that_differ_are_marked() -> None:
    check_twins(capstone)


def test_each_image_has_its_place() -> None:
    check_images(capstone)


def test_the_best_rate_of_each_time_is_marked() -> None:
    check_early(capstone)


def test_searches_stand_at_what_they_cost() -> None:
    check_steps(capstone)


def test_how_often_twins_are_apart() -> None:
    check_apart(capstone)


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "the winner at the bottom": ("(len(board) - 0.4, -0.6)", "(-0.6, 4)", check_leaderboards),
    "ties in grey": ("plotting.BLUE if tied", "plotting.BLUE if not tied", check_leaderboards),
    "good is red": ("plotting.GREEN if gap.low > 0", "plotting.GREEN if gap.high < 0", check_against),
    "twins as rows": ("for name in gaps if name not in twins", "for name in gaps", check_against),
    "the worst on top": (
        "key=lambda name: -gaps[name].mean",
        "key=lambda name: gaps[name].mean",
        check_against,
    ),
    "a band without the baseline": ("alike = [0.0, *(", "alike = [*(", check_against),
    "twins at 99% of nothing": ("each.low > 0 or each.high < 0", "each.low > 0", check_twins),
    "images unsorted": ("values.sort().values.numpy()", "values.numpy()", check_images),
    "images for luck": ("(gaps, plotting.BLUE", "(shuffled, plotting.BLUE", check_images),
    "the worst rate marked": ("int(values.argmax())", "int(values.argmin())", check_early),
    "a whole run for each": ("[cost for _, cost in line.values()]", "list(line)", check_steps),
    "the median": ("float(scores.mean()) for", "float(scores.median()) for", check_steps),
    "shares": ("[100 * share for share in found.values()]", "list(found.values())", check_apart),
    "one trial alone": ("expected_best(scores, k) for", "expected_best(scores, 1) for", check_budgets),
}


test_mistakes_are_caught = mistakes("course_utils.figures.capstone", MUTANTS)
