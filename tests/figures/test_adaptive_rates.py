"""The data behind lesson 06's figures, and its set of rare features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils import data, plotting
from course_utils.figures import adaptive_rates as figures

RATES = torch.tensor([0.5, 0.1, 0.02], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)


def test_valley_paths_start_where_the_valley_does_and_end_at_the_bottom() -> None:
    for method in ("gd", "adagrad"):
        for degrees in (0.0, 45.0):
            path, problem = figures.valley_path(method, degrees), figures.valley(degrees)
            assert torch.equal(path[0], problem.start)
            assert float(problem(path[-1]) / problem(path[0])) < 1e-6


def test_gradient_descent_does_not_see_the_turn() -> None:
    assert figures.steps_down("gd", 0.0) == figures.steps_down("gd", 45.0) == figures.steps_down("gd", 20.0)


def test_steps_down_is_the_first_step_that_stays_below() -> None:
    height = figures.valley(45.0)(figures.valley_path("adagrad", 45.0))
    steps = figures.steps_down("adagrad", 45.0)
    assert bool((height[steps:] <= 1e-6 * height[0]).all())
    assert float(height[steps - 1]) > 1e-6 * float(height[0])


def test_the_titles_of_the_film_count_its_own_steps() -> None:
    title = figures.valley_paths(45.0).axes[0].get_title(loc="left")
    assert title == f"Floor turned by 45°: AdaGrad takes {figures.steps_down('adagrad', 45.0)} steps"


def test_the_lab_stays_at_rounding_error_with_pytorchs_conventions() -> None:
    assert float(figures.lab_distances(1e-8, 0, 0, 0, 0).max()) < 1e-14


LEAVES = [
    (1e-6, 0, 0, 0, 0),
    (1e-8, 1, 0, 0, 0),
    (1e-8, 0, 1, 0, 0),
    (1e-8, 0, 2, 0, 0),
    (1e-8, 0, 0, 1, 0),
    (1e-8, 0, 0, 2, 0),
]


@pytest.mark.parametrize("choice", LEAVES)
def test_any_other_choice_leaves_at_the_first_step(choice: tuple[float, int, int, int, int]) -> None:
    assert float(figures.lab_distances(*choice)[1]) > 1e-5


def test_the_rate_inside_the_velocity_leaves_when_the_rate_changes() -> None:
    distance = figures.lab_distances(1e-8, 0, 0, 0, 1)
    assert float(distance[: figures.LAB_HALVING + 1].max()) < 1e-14
    assert float(distance[figures.LAB_HALVING + 1]) > 0.01


@pytest.mark.parametrize("count", range(6))
def test_the_lab_counts_what_is_changed(count: int) -> None:
    choice = [1e-8, 0, 0, 0, 0]
    for i in range(count):
        choice[i] = 1e-6 if i == 0 else 1
    title = figures.lab(*choice).axes[0].get_title(loc="left")  # type: ignore[arg-type]
    words = ("Nothing", "One convention", "Two conventions", "Three", "Four", "All five")
    assert title == f"{words[count]} changed"


def test_the_table_draws_every_distance() -> None:
    _, dots = figures.table_of_conventions().axes
    largest = [line.get_xdata()[0] for line in dots.get_lines() if line.get_color() == plotting.VERMILION]
    assert largest == [float(d.max()) for d in figures.table_distances().values()]


def test_rare_features_are_on_as_often_as_asked() -> None:
    x, _ = data.rare_features(20_000, RATES, WEIGHTS, generator=torch.Generator().manual_seed(0))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    four_errors = 4 * (RATES * (1 - RATES) / 20_000).sqrt()
    assert bool(((x.mean(0) - RATES).abs() < four_errors).all())


def test_rare_features_have_the_targets_of_their_weights() -> None:
    g = torch.Generator().manual_seed(1)
    x, y = data.rare_features(50, RATES, WEIGHTS, generator=g, noise=0.0)
    assert torch.allclose(y, x @ WEIGHTS, rtol=0, atol=1e-14)
    x, y = data.rare_features(20_000, RATES, WEIGHTS, generator=g, noise=0.5)
    assert float((y - x @ WEIGHTS).std()) == pytest.approx(0.5, abs=0.01)


def test_rare_features_of_many_sets_each_have_their_own() -> None:
    weights = torch.stack([WEIGHTS, -WEIGHTS])
    x, y = data.rare_features(40, RATES, weights, generator=torch.Generator().manual_seed(2), noise=0.0)
    assert (x.shape, y.shape) == ((2, 40, 3), (2, 40))
    assert not torch.equal(x[0], x[1])
    assert torch.allclose(y, torch.stack([x[0] @ WEIGHTS, -(x[1] @ WEIGHTS)]), rtol=0, atol=1e-14)


def test_rare_features_repeat_with_their_generator() -> None:
    one, other = (
        data.rare_features(10, RATES, WEIGHTS, generator=torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(one.x, other.x)
    assert torch.equal(one.y, other.y)


BAD = [
    pytest.param(0, RATES, 0.5, "n >= 1 and noise >= 0, got n=0", id="n"),
    pytest.param(5, RATES, -1.0, "n >= 1 and noise >= 0, got n=5, noise=-1.0", id="noise"),
    pytest.param(5, RATES + 1, 0.5, "0 <= rates <= 1", id="rates"),
    pytest.param(5, RATES[:2], 0.5, "one per weight", id="shape"),
]


@pytest.mark.parametrize(("n", "rates", "noise", "message"), BAD)
def test_rare_features_refuse_what_is_out_of_range(n, rates, noise, message) -> None:
    with pytest.raises(ValueError, match=message):
        data.rare_features(n, rates, WEIGHTS, generator=torch.Generator(), noise=noise)


# What is drawn


def lines(axes: Any) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.column_stack(line.get_data()) for line in axes.get_lines()}


def test_the_two_valleys_count_the_steps_of_both_methods() -> None:
    for axes, degrees in zip(figures.two_valleys().axes, (0.0, 45.0), strict=True):
        said = [text.get_text() for text in axes.texts]
        for method, name in (("gd", "gradient descent"), ("adagrad", "AdaGrad")):
            steps = figures.steps_down(method, degrees)
            assert f"{name}: {steps} steps to a millionth of the height" in said
            path = figures.valley_path(method, degrees)[:41]
            np.testing.assert_allclose(lines(axes)[f"_{name}"], path)


def test_effective_rates_are_means_over_seeds_beside_their_theory() -> None:
    rates = 1 / torch.arange(1, 401).double().sqrt() * torch.linspace(0.5, 1.5, 10)[:, None]
    theory = rates.mean(0)
    figure = figures.effective_rates(
        {"falls": ("adagrad", rates), "stays": ("rmsprop", rates)}, {"falls": theory}
    )
    found = lines(figure.axes[0])
    assert found["_theory"][0, 0] == 10  # 1/|g| of the first steps has no mean
    np.testing.assert_allclose(found["_theory"][:, 1], 1 / np.sqrt(found["_theory"][:, 0]))
    np.testing.assert_allclose(found["falls"], found["_theory"])
    assert sum(label == "_theory" for label in found) == 1


def test_errors_stand_at_their_frequency_with_rare_features_at_the_right() -> None:
    often = [0.01, 0.5, 0.1]
    errors = torch.tensor([[0.3, 0.01, 0.1], [0.5, 0.03, 0.2]]).repeat(5, 1)
    [axes] = figures.error_by_frequency(often, {"SGD": (plotting.BLUE, errors)}).axes
    found = lines(axes)["SGD"]
    np.testing.assert_allclose(found, [[0.5, 0.02], [0.1, 0.15], [0.01, 0.4]], rtol=1e-6)
    left, right = axes.get_xlim()
    assert left > right


def test_the_sweep_shows_every_rates_mean() -> None:
    values = torch.tensor([[0.4, 0.2, 9.0], [0.6, 0.4, 11.0]]).repeat(5, 1)
    [axes] = figures.rate_sweep({"sgd": ([0.01, 0.1, 1.0], values)}).axes
    points = lines(axes)["_points"]
    np.testing.assert_allclose(points, [[0.01, 0.5], [0.1, 0.3], [1.0, 10.0]], rtol=1e-6)
    assert axes.get_ylim()[1] < 10  # the rate that diverges leaves at the top
    assert [text.get_text() for text in axes.texts] == ["SGD"]


def test_epsilon_stops_gradients_of_its_own_size_outside_the_root_and_of_its_roots_inside() -> None:
    found = lines(figures.step_against_gradient(1e-8).axes[0])
    g, outside = found["_outside"].T
    inside = found["_inside"][:, 1]
    assert g[np.argmin(abs(outside - 0.5))] == pytest.approx(1e-8, rel=0.1)
    assert g[np.argmin(abs(inside - 0.5**0.5))] == pytest.approx(1e-4, rel=0.1)
