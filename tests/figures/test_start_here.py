"""The data behind the figures of lesson 00."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from course_utils.figures import start_here
from tests.mutants import mistakes

RNG = np.random.default_rng(0)
EFFECT = RNG.normal(0.2, 0.1, 32)
A = EFFECT + RNG.normal(0.02, 0.01, 32)
B = EFFECT + RNG.normal(0, 0.01, 32)


def check_flipping(module: Any) -> None:
    """A bar for each seed, at its place, in the colour of who won."""
    bars = module.flipping([0.2, -0.1, 0.3], better="b", worse="a").axes[0].patches
    heights = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in bars}
    assert heights == {0: 0.2, 1: -0.1, 2: 0.3}
    assert bars[0].get_facecolor() == bars[1].get_facecolor() != bars[2].get_facecolor()


def check_shared(module: Any) -> None:
    """The second net is on the x axis; all panels have the same square of axes."""
    panels = module.shared(A, {"one": B, "other": B[::-1]}, x="b", y="a").axes
    for axes, other in zip(panels, (B, B[::-1]), strict=True):
        (points,) = [line for line in axes.get_lines() if line.get_label() == "_seeds"]
        np.testing.assert_array_equal(points.get_data(), [other, A])
        assert axes.get_xlim() == axes.get_ylim() == panels[0].get_xlim()


def check_splits(module: Any) -> None:
    """All panels have axes of one length, so that the heights of the intervals can be compared."""
    loss, difference = RNG.normal(0.2, 0.05, (6, 10)), RNG.normal(0, 0.01, (6, 10))
    left, right = module.split_by_split({"loss": loss, "difference": difference}).axes
    assert np.ptp(left.get_ylim()) == pytest.approx(np.ptp(right.get_ylim()))
    points = [line.get_ydata()[0] for line in left.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(points, loss.mean(1))


def check_narrowing(module: Any) -> None:
    """The title says for each interval whether zero is in it, at the number of seeds that is marked."""
    title = module.narrowing(A, B, at=16).axes[0].get_title(loc="left")
    assert title == "16 seeds: paired rules out zero, unpaired holds zero"
    title = module.narrowing(B, A, at=16).axes[0].get_title(loc="left")
    assert title == "16 seeds: paired rules out zero, unpaired holds zero"


def check_picks(module: Any) -> None:
    """Dots are what was measured, lines are the theory, both in per cent."""
    axes = module.wrong_picks([1, 2], {"a": [0.3, 0.2]}, {"a": [0.25, 0.15]}).axes[0]
    drawn = {line.get_marker(): list(line.get_ydata()) for line in axes.get_lines()}
    assert drawn == {"None": [25.0, 15.0], "o": [30.0, 20.0]}


CHECKS = [check_flipping, check_shared, check_splits, check_narrowing, check_picks]


@pytest.mark.parametrize("check", CHECKS)
def test_the_figures_show_what_they_say(check: Any) -> None:
    check(start_here)


def test_the_rates_have_a_panel_each_for_loss_and_ratio() -> None:
    left, right = start_here.over_rates([0.1, 0.2], {"a": [0.3, 0.5], "b": [0.2, 0.4]}, [0.5, 1.0]).axes
    assert [list(line.get_ydata()) for line in left.get_lines()[:2]] == [[0.3, 0.5], [0.2, 0.4]]
    assert list(right.get_lines()[0].get_ydata()) == [0.5, 1.0]
    assert left.get_title(loc="left") == "Both nets are best at 0.1"


def test_the_title_says_one_best_rate_only_where_both_have_it() -> None:
    losses = {"a": [0.3, 0.5], "b": [0.4, 0.2]}
    assert start_here.over_rates([0.1, 0.2], losses, [0.5, 1.0]).axes[0].get_title(loc="left") == (
        "Each net has its best rate"
    )


test_mistakes_are_caught = mistakes(
    "course_utils.figures.start_here",
    {
        "losers are blue": ("won = d > 0", "won = d < 10", check_flipping),
        "axes swapped": ("np.asarray(b, float), first", "first, np.asarray(b, float)", check_shared),
        "axes of their own": (
            "axis.set_ylim(middle - half, middle + half)",
            "axis.autoscale()",
            check_splits,
        ),
        "always the paired": (
            "unpaired_interval(x[:at], y[:at]))\n",
            "paired_interval(x[:at], y[:at]))\n",
            check_narrowing,
        ),
        "all seeds": (
            "intervals.paired_interval(x[:at], y[:at])",
            "intervals.paired_interval(x[:2], y[:2])",
            check_narrowing,
        ),
        "one side": (" or one.high < 0", "", check_narrowing),
        "theory as dots": (
            "100 * np.asarray(shares, float)",
            "100 * np.asarray(normal[name], float)",
            check_picks,
        ),
    },
)
