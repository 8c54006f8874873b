"""The data behind the figures of lesson 20, and that each figure draws what it is given."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from course_utils.figures import edge_of_stability as figures
from course_utils.plotting import clashes, png
from tests.figures.reading import heights, line, lines, texts
from tests.mutants import mistakes

RATE = figures.TWO_RATE


def draw(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def check_path(path: Callable[..., torch.Tensor]) -> None:
    """Each point is one step of descent on the loss itself, by autograd."""
    points = path((1.3, -0.4), 0.3, 5)
    for p, q in pairwise(points):
        gradient = torch.func.grad(lambda w: w.prod() ** 2 / 2)(p)
        torch.testing.assert_close(q, p - 0.3 * gradient, rtol=0, atol=1e-14)


def test_the_path_of_two_weights_is_descent() -> None:
    check_path(figures.two_weights_path)


test_mistakes_are_caught = mistakes(
    "course_utils.figures.edge_of_stability",
    [("p.prod() * p.flip(0)", "p.prod() * p", check_path), ("q = p - lr", "q = p + lr", check_path)],
    of="two_weights_path",
)


def test_the_three_starts_do_what_they_are_named() -> None:
    product = {name: RATE * (start[0] ** 2 + start[1] ** 2) for name, start in figures.TWO_STARTS.items()}
    assert product["comes in"] < 2 < product["is thrown"] < 4 < product["is lost"]
    ends = {name: figures.two_weights_path(start, RATE, 60)[-1] for name, start in figures.TWO_STARTS.items()}
    assert abs(ends["comes in"].prod()) < 1e-9
    assert abs(ends["is thrown"].prod()) < 1e-9
    assert RATE * float((ends["is thrown"] ** 2).sum()) < 2
    assert float(ends["is lost"].abs().max()) > 10


def test_the_map_is_lost_outside_of_the_outer_circle() -> None:
    half, grid = 3.3, 41
    ends = figures.two_weights_ends(RATE, half, grid=grid)
    xs = torch.linspace(-half, half, grid, dtype=torch.float64)
    start = RATE * (xs[:, None] ** 2 + xs**2)
    off_axes = (xs[:, None] * xs) != 0
    assert bool(ends[start < 3.95].isfinite().all())
    assert bool(ends[(start > 4.05) & off_axes].isnan().all())
    assert bool((RATE * ends[(start < 3.95) & off_axes] < 2 + 1e-6).all())


def test_two_weights_draws_both_limits() -> None:
    figure = figures.two_weights()
    png(figure)
    assert clashes(figure) == []
    right = figure.axes[1]
    limits = sorted(float(one.get_ydata()[0]) for one in right.get_lines() if one.get_linestyle() == "--")
    assert limits == pytest.approx([2 / RATE, 4 / RATE])


def test_products_draws_each_error() -> None:
    figure = figures.products({"power iteration": [1.0, 0.1], "Lanczos": [1.0, 0.0]})
    assert heights(figure.axes[0])["Lanczos"].tolist() == [1.0, 1e-16]


def test_same_curve_is_against_rate_times_steps() -> None:
    sharp = draw(3, 4, 5) + 1
    [axes] = figures.same_curve(50, sharp, (0.1, 0.4, 1.0), (0.4, 1.0)).axes
    points = line(axes, "η = 0.4")
    np.testing.assert_allclose(points[:, 0], [20, 40, 60, 80])
    np.testing.assert_allclose(points[:, 1], sharp[1].mean(0)[1:])
    assert [points[0, 1] for points in lines(axes, "_edge")] == pytest.approx([5, 2])


def test_window_marks_what_is_lost_and_draws_the_prediction() -> None:
    shares = torch.tensor([[0.2, 0.3], [1.0, 1.1], [float("nan"), 1.0]])
    both = {"own": ([0.1, 0.8, 3.4], shares), "random": ([0.1, 0.8], shares[:2])}
    lost = {"own": torch.tensor([[0.125, 0.75], [0.25, 1.0]]), "random": torch.tensor([[0.1], [0.2]])}
    [axes] = figures.window(both, lost).axes
    crosses = [one for one in axes.get_lines() if one.get_marker() == "x"]
    assert [len(one.get_xdata()) for one in crosses] == [1, 0]
    assert lines(axes, "_theory")[0].tolist() == [[0.125, 0.25], [0.75, 1.0]]


def test_held_has_the_limit_of_each_rate() -> None:
    changed = {"then 0.4": draw(3, 21), "then 1.6": draw(3, 21)}
    figure = figures.held(25, changed, {"without": draw(3, 9)}, 0.8, 300, 100)
    left, right = figure.axes
    assert [points[0, 1] for points in lines(left, "_edge")] == pytest.approx([2.5, 5, 1.25])
    np.testing.assert_allclose(line(right, "_without")[[0, -1], 0], [100, 300])
    limits = sorted(float(one.get_ydata()[0]) for one in right.get_lines() if one.get_linestyle() == "--")
    assert limits == pytest.approx([2.5, 5])


def test_thrown_has_a_row_for_each_kind() -> None:
    caught = {"a": torch.tensor([4.0, 5.0]), "b": torch.tensor([8.0, 16.0])}
    right = figures.thrown(draw(6) + 1, draw(6) + 1, 1.5, caught).axes[1]
    assert line(right, "_b").tolist() == [[8, 0], [16, 0]]
    assert [text.get_text() for text in right.get_yticklabels()] == ["a", "b"]


def test_limits_marks_each_way() -> None:
    [axes] = figures.limits({"plain": draw(3), "momentum": draw(3)}, {"plain": 2.0, "momentum": 3.8}).axes
    marks = [one.get_xdata()[0] for one in axes.get_lines() if one.get_marker() == "|"]
    assert marks == [2.0, 3.8]


def test_entropy_names_its_labels_and_draws_the_higher_rate_thin() -> None:
    figure = figures.entropy(20, {name: draw(2, 3, 4) for name in ("one", "smoothed", "two")})
    assert set(heights(figure.axes[0])) >= {"one", "smoothed", "two"}
    widths = [line.get_linewidth() for line in figure.axes[0].get_lines() if line.get_linestyle() == "-"]
    assert widths == [2.2, 1] * 3


def test_one_rate_has_its_limit_and_a_line_for_each_seed() -> None:
    figure = figures.one_rate(0.4, 50, draw(3, 5), draw(3, 201) / 10)
    left, right = figure.axes
    assert [one.get_ydata()[0] for one in left.get_lines() if one.get_linestyle() == "--"] == [5.0]
    assert len(right.get_lines()) == 3
    assert texts(left) == []
    assert isinstance(figure, Figure)
