"""The data behind the figures of lesson 12."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import norm_penalties
from course_utils.figures.norm_penalties import HALF, STRENGTHS, TARGET
from tests.figures.reading import drawn, line, lines
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


def test_one_of_each_ends_where_it_is_zero() -> None:
    sub, prox = np.array([0.5, -0.1, 0.1, -0.1]), np.array([0.5, 0.2, 0.0, 0.0])
    axes = drawn(norm_penalties.one_of_each(sub, prox, bound=0.2)).axes[0]
    assert line(axes, "_end").tolist() == [[2.0, 0.2]]
    assert line(axes, "_subgradient")[:, 1] == pytest.approx(np.abs(sub))
    assert np.isfinite(line(axes, "_proximal")[:, 1]).sum() == 2


def test_the_balls_touch_on_an_axis_and_beside_it() -> None:
    left, right = drawn(norm_penalties.two_balls()).axes
    assert line(left, "_here")[0, 1] == 0
    assert abs(line(right, "_here")[0, 1]) > 0.1


def test_the_paths_show_each_zero_in_its_place() -> None:
    x = torch.logspace(1, -2, 6, dtype=torch.float64)
    p = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    figure = norm_penalties.ridge_and_lasso((x, p), (x, 0 * p), [(1, 0.3)], ["age", "s3", "s6"])
    left, right = drawn(figure).axes
    assert lines(left, "_zero")[0].tolist() == [[0.3, 0.0]]
    assert line(left, "s3")[:, 1] == pytest.approx(p[:, 1].numpy())
    assert line(right, "_age")[:, 1].tolist() == [0.0] * 6


def test_the_jump_is_where_the_radius_jumps() -> None:
    x = torch.logspace(-2, 1, 5, dtype=torch.float64)
    z = torch.tensor([1.5, 1.4, 1.2, 0.1, 0.0], dtype=torch.float64)
    left, right = drawn(norm_penalties.radii(x, z, (x, z), 2.0)).axes
    assert line(left, "_radius")[:, 1] == pytest.approx(z.numpy())
    assert line(right, "_jump")[:, 1].tolist() == [1.2, 0.1]


def test_means_are_those_of_the_data() -> None:
    rng = np.random.default_rng(0)
    some = {
        name: torch.from_numpy(rng.random((12, 3)))
        for name in ("least squares", "ridge", "lasso", "ridge, ten columns", "no penalty")
    }
    axes = drawn(norm_penalties.wide_errors([30, 60, 120], some)).axes[0]
    assert line(axes, "_lasso")[:, 1] == pytest.approx(some["lasso"].mean(0).numpy())
    axes = drawn(norm_penalties.who_is_nearer([1, 4, 400], some)).axes[0]
    assert line(axes, "_ridge")[:, 1] == pytest.approx(some["ridge"].mean(0).numpy())
    ways = ("proximal", "no penalty, then cut")
    scores = {name: [torch.from_numpy(rng.random(12)) for _ in range(3)] for name in ways}
    shares = [torch.full((12,), share) for share in (0.2, 0.4, 0.6)]
    axes = drawn(norm_penalties.cut_or_penalised(shares, scores, torch.ones(12))).axes[0]
    found = line(axes, "proximal")
    assert found[:, 0] == pytest.approx([20, 40, 60])
    assert found[:, 1] == pytest.approx([100 * float(score.mean()) for score in scores["proximal"]])


@pytest.mark.parametrize(
    ("strength", "share", "words"),
    [(0.7, 1.0, "one weight is zero"), (3.0, 1.0, "both are zero"), (3.0, 0.0, "no weight is zero")],
)
def test_the_ball_says_how_many_are_zero(strength: float, share: float, words: str) -> None:
    left = drawn(norm_penalties.ball(strength, share)).axes[0]
    assert words in left.get_title(loc="left")
