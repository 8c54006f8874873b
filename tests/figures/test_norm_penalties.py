"""The data behind the figures of lesson 12."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import norm_penalties
from course_utils.figures.norm_penalties import HALF, STRENGTHS, TARGET
from tests.figures.reading import drawn, lines
from tests.mutants import mistakes


def check_shrunk(module: Any) -> None:
    a, grid = torch.linspace(-3, 3, 25, dtype=torch.float64), torch.linspace(-4, 4, 8001, dtype=torch.float64)
    lasso, ridge = module.shrunk(a, 0.7)
    square = (grid - a[:, None]) ** 2 / 2
    for found, penalty in ((lasso, grid.abs()), (ridge, grid**2)):
        best = grid[(square + 0.7 * penalty).argmin(1)]
        torch.testing.assert_close(found, best, rtol=0, atol=6e-4)


def check_plane(module: Any) -> None:
    """At every solution no direction goes down: the subgradient holds zero."""
    for share in (0.0, 0.25, 1.0):
        p = module.plane_path(share)
        g = (p - TARGET) @ HALF.T @ HALF + 2 * (1 - share) * STRENGTHS[:, None] * p
        l1 = share * STRENGTHS[:, None]
        resting = (g.abs() - l1).clamp(min=0)
        assert float(torch.where(p == 0, resting, (g + l1 * p.sign()).abs()).max()) < 1e-9
        assert bool((p == 0).any()) == (share > 0)


CHECKS = [check_shrunk, check_plane]


@pytest.mark.parametrize("check", CHECKS)
def test_data(check: Any) -> None:
    check(norm_penalties)


test_mistakes_are_caught = mistakes(
    "course_utils.figures.norm_penalties",
    [
        (check_shrunk, "a / (1 + 2 * strength)", "a / (1 + strength)"),
        (check_plane, "(1 - l1_share) * STRENGTHS, steps", "l1_share * STRENGTHS, steps"),
    ],
)


def test_one_weight_marks_the_minima() -> None:
    left = drawn(norm_penalties.one_weight()).axes[0]
    places = sorted(float(point[0, 0]) for point in lines(left, "_minimum"))
    assert places == pytest.approx([0.0, 0.7 / 3, 0.7])


def test_small_weights_end_where_they_are_zero() -> None:
    sub = np.array([[0.5], [-0.1], [0.1], [-0.1]])
    prox = np.array([[0.5], [0.2], [0.0], [0.0]])
    axes = drawn(norm_penalties.small_weights(sub, prox, bound=0.2)).axes[0]
    assert [end.tolist() for end in lines(axes, "_end")] == [[[2.0, 0.2]]]
    assert [np.isfinite(line[:, 1]).sum() for line in lines(axes, "_weight")] == [4, 2]


def test_bands_and_paths_hold_the_data() -> None:
    rng = np.random.default_rng(0)
    x = np.geomspace(0.01, 1, 5)
    ours = rng.normal(size=(5, 4))
    figure = norm_penalties.coefficient_paths((x, ours, ours), (x, ours, ours), list("abcd"))
    assert all(len(lines(ax, "_theirs")) == 4 for ax in drawn(figure).axes)
    a, b = rng.random((12, 5)), rng.random((12, 5))
    figure = drawn(norm_penalties.risk_against_strength(x, {"one": (a, b), "two": (b, a)}, prior=0.1))
    assert np.array_equal(lines(figure.axes[0], "_ridge")[0], lines(figure.axes[1], "_lasso")[0])
    axes = drawn(norm_penalties.kept_against_ratio(x, a)).axes[0]
    assert lines(axes, "_kept")[0][:, 1] == pytest.approx(a.mean(0))
    both = {"proximal": a, "subgradient": b}
    left, right = drawn(norm_penalties.zeros_and_accuracy(x, both, both, a[:, 0])).axes
    assert lines(left, "_proximal")[0][:, 1] == pytest.approx(100 * a.mean(0))
    assert lines(right, "_subgradient")[0][:, 1] == pytest.approx(100 * b.mean(0))


@pytest.mark.parametrize(
    ("strength", "share", "words"),
    [(0.7, 1.0, "one weight is zero"), (3.0, 1.0, "both are zero"), (3.0, 0.0, "no weight is zero")],
)
def test_the_ball_says_how_many_are_zero(strength: float, share: float, words: str) -> None:
    left = drawn(norm_penalties.ball(strength, share)).axes[0]
    assert words in left.get_title(loc="left")
