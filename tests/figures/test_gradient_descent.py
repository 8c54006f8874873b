"""The data behind the figures of lesson 02, and that each figure draws."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from course_utils.figures import gradient_descent as figures
from course_utils.plotting import png
from course_utils.problems import himmelblau, plateau, rosenbrock
from tests.mutants import mistakes


def curvature(index: int) -> float:
    minimum = himmelblau().minima[index]
    return float(torch.linalg.eigvalsh(torch.func.hessian(himmelblau().f)(minimum))[-1])


def test_ravine_path_is_descent_in_its_eigenbasis() -> None:
    angle = torch.tensor(figures.ANGLE, dtype=torch.float64)
    c, s = angle.cos(), angle.sin()
    basis = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    factors = 1 - 1.7 / figures.L * torch.tensor([figures.MU, figures.L], dtype=torch.float64)
    want = torch.stack([basis @ (factors**t * (basis.T @ figures.START)) for t in range(41)])
    torch.testing.assert_close(figures.ravine_path(1.7), want, rtol=0, atol=1e-13)


def test_the_best_step_of_the_ravine_is_the_best() -> None:
    ends = {share: figures.ravine_path(share)[-1].norm() for share in (1.85, figures.BEST, 1.95)}
    assert min(ends, key=lambda share: ends[share]) == figures.BEST


@pytest.mark.parametrize(("share", "grows"), [(1.99, False), (2.02, True)])
def test_the_ravine_diverges_past_two(share: float, grows: bool) -> None:
    path = figures.ravine_path(share, 2000)
    assert bool(path[-1].norm() > path[0].norm()) is grows


def test_basins_settle_where_descent_does() -> None:
    ends = figures.basins(0.01, grid=11)
    xs = torch.linspace(-5, 5, 11, dtype=torch.float64)
    for row, column in ((0, 0), (3, 8), (10, 2)):
        p = torch.stack([xs[column], xs[row]])
        for _ in range(400):
            p = p - 0.01 * himmelblau().grad(p)
        assert int((himmelblau().minima - p).norm(dim=1).argmin()) == ends[row, column]
        assert (himmelblau().minima - p).norm(dim=1).min() < figures.SETTLED
    assert set(ends.flatten().tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("index", range(4))
def test_a_minimum_holds_nothing_past_its_limit(index: int) -> None:
    limit = 2 / curvature(index)
    past = figures.basins(1.03 * limit, grid=20)  # with 21 the point (3, 2) itself is on the grid
    assert (figures.basins(0.9 * limit, grid=20) == index).any()
    assert not (past == index).any()


def test_a_start_that_runs_away_is_told_from_one_that_hovers() -> None:
    ended = figures.basins(0.05, grid=9)
    assert (ended == figures.GONE).any()
    assert set(figures.basins(0.0165, grid=21).flatten().tolist()) >= {0, 1, 3, figures.HOVERING}


def check_circles(module: Any) -> None:
    """The best points are below what any of other directions gives, and short steps go along -g."""
    points, angles = module.best_on_circles()
    start, problem = rosenbrock().start, rosenbrock()
    torch.testing.assert_close((points - start).norm(dim=1), module.RADII)
    turn = torch.linspace(0, 6.28, 500, dtype=torch.float64)
    ring = torch.stack([turn.cos(), turn.sin()], -1)
    for k in (0, 15, 27, 33):
        assert problem(points[k]) <= problem(start + module.RADII[k] * ring).min() + 1e-3
    assert angles[0] < 0.1
    assert angles[27] > 60


def test_best_points_on_circles() -> None:
    check_circles(figures)


@pytest.mark.parametrize("distance", [2.5, 4.0])
def test_a_plateau_is_crossed_in_the_time_of_the_integral(distance: float) -> None:
    p, steps, lr = torch.tensor([distance, 0.0], dtype=torch.float64), 0, 0.01
    while p[0] > 0.1:
        p, steps = p - lr * plateau().grad(p), steps + 1
    found = figures.crossing_time(distance, lr=lr, goal=0.1)
    assert found.item() == pytest.approx(steps, rel=0.01)


test_mistakes_are_caught = mistakes(
    "course_utils.figures.gradient_descent",
    {
        "uphill": ("ring[best] @ (downhill", "ring[best] @ (-downhill"),
        "the-worst": ("best = problem(circles).argmin(1)", "best = problem(circles).argmax(1)"),
        "not-of-length-one": ("(downhill / downhill.norm())\n    return", "downhill\n    return"),
    },
    check=check_circles,
)  # fmt: skip


def drawn() -> list[Figure]:
    g = torch.Generator().manual_seed(0)
    seeds = torch.rand(12, 5, generator=g).double() + 0.5
    ends = torch.tensor([[0.1, 0.2], [0.01, 0.02], [2.3, torch.nan]])
    steps = torch.tensor([[80.0, 90], [20, 21], [9, torch.inf]])
    marks = {"2/λ at the start": 0.1, "cliff / 3": 0.5, "best": 0.9, "cliff": 1.5}
    return [
        figures.four_steps(),
        figures.which_way(),
        figures.pace([0.1, 0.5, 1.0, 1.5, 2.1], {2: seeds, 20: seeds / 2, 200: seeds}),
        figures.steps_against_kappa(10 * seeds[:, 0], seeds[:, 1], 100 * seeds[:, 0], 1e-3),
        figures.units({"one": seeds[0], "other": seeds[1]}),
        figures.misled([1e-2, 1e-4], [49, 97], [2.0, 3.0], [5, 17]),
        figures.net_sweep([0.1, 0.5, 2.0], ends, steps, guess=2.3),
        figures.cliffs({"one": marks, "other": marks}),
        figures.no_cliff([0.1, 0.5, 2.0], {"a": ends, "b": ends / 2, "c": ends}, {"a": 0.2, "b": 0.3}),
        figures.basin_maps(),
        *(figures.rate_and_path(share) for share in (0.1, figures.BEST, 2.0, 2.1)),
    ]  # fmt: skip


def test_every_figure_draws_with_names_on_its_axes() -> None:
    for figure in drawn():
        assert len(png(figure)) > 5_000
        assert all(axes.get_xlabel() and axes.get_title(loc="left") for axes in figure.axes)


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(figures.BEST, "0.905 per step"), (2.0, "it swings for ever"), (2.02, "it diverges"), (1.0, "0.950")],
)
def test_the_slider_says_what_happens(share: float, verdict: str) -> None:
    title = figures.rate_and_path(share).axes[1].get_title(loc="left")
    assert verdict in title


def test_maps_count_the_minima_that_hold() -> None:
    titles = [axes.get_title(loc="left") for axes in figures.basin_maps().axes]
    assert [t.split(": ")[1] for t in titles] == ["four minima hold", "three minima hold", "two minima hold"]
