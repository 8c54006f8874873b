"""The data behind lesson 06's figures, and its set of rare features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils import data
from course_utils.figures import adaptive_rates as figures
from course_utils.intervals import Interval

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


def test_a_valley_that_is_not_left_in_time_says_so() -> None:
    assert figures.steps_down("adagrad", 45.0, 100.0, 0.001) is None
    texts = [text.get_text() for text in figures.one_valley(45.0, 100.0, 0.001).axes[0].texts]
    assert "AdaGrad: more than 600 steps down" in texts
    assert figures.steps_down("adagrad", 45.0, 100.0, 1.0) != figures.steps_down("adagrad", 45.0, 10.0, 1.0)


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
def test_rare_features_refuse_what_is_out_of_range(n: int, rates: Any, noise: float, message: str) -> None:
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
            assert f"{name}: {steps} steps down" in said
            path = figures.valley_path(method, degrees)[:41]
            np.testing.assert_allclose(lines(axes)[f"_{name}"], path)


def test_effective_rates_are_means_over_streams_beside_their_theory() -> None:
    rates = 1 / torch.arange(1, 401).double().sqrt() * torch.linspace(0.5, 1.5, 10)[:, None]
    both = {"AdaGrad": rates, "RMSprop": 2 * rates}
    figure = figures.effective_rates(both, {name: values.mean(0) for name, values in both.items()})
    found = lines(figure.axes[0])
    # 1/|g| of the first steps has no mean
    assert found["_AdaGrad"][0, 0] == found["_theory"][0, 0] == 10
    for name, factor in (("AdaGrad", 1), ("RMSprop", 2)):
        t, y = found[f"_{name}"].T
        np.testing.assert_allclose(y, factor / np.sqrt(t))


def test_every_valley_has_its_share_at_every_angle() -> None:
    shares = {10.0: [[0.1, 0.3], [0.5, 0.5], [1.0, 1.0]], 100.0: [[0.05, 0.05], [0.3, 0.5], [1.0, 1.2]]}
    found = lines(figures.turned([1, 10, 45], shares, [0.16, 0.18]).axes[0])
    np.testing.assert_allclose(found["_10"], [[1, 0.2], [10, 0.5], [45, 1.0]])
    np.testing.assert_allclose(found["_100"], [[1, 0.05], [10, 0.4], [45, 1.1]])
    np.testing.assert_allclose(found["_momentum"][:, 1], 0.17)


def test_each_panel_of_the_race_has_its_own_losses_without_those_that_diverged() -> None:
    rates = {name: [0.01, 0.1, 1.0] for name in figures.RUNNERS}
    constant = {name: torch.tensor([0.5, 0.02, torch.inf]) for name in rates}
    falling = {name: torch.tensor([0.3, 0.01, 0.02]) for name in rates}
    above, below = figures.every_rate(rates, constant, falling).axes
    np.testing.assert_allclose(lines(above)["_SGD"], [[0.01, 0.5], [0.1, 0.02]], rtol=1e-6)
    np.testing.assert_allclose(lines(below)["_SGD"], [[0.01, 0.3], [0.1, 0.01], [1, 0.02]], rtol=1e-6)


def test_the_ring_is_at_the_best_rate() -> None:
    common = {"SGD": torch.linspace(0.02, 0.1, 9)}
    rare = {"SGD": torch.linspace(0.9, 0.1, 9)}
    found = lines(figures.trade(common, rare, {"SGD": 4}).axes[0])
    np.testing.assert_allclose(found["_best SGD"], [[0.06, 0.5]], rtol=1e-6)
    # from three rates before it to five after, which are not there
    np.testing.assert_allclose(found["_SGD"][:, 0], np.linspace(0.03, 0.1, 8), rtol=1e-6)


RATIO = Interval(2.0, 1.5, 2.7, 0.2, 8, 0.99)
LOWER = Interval(0.8, 0.6, 1.1, 0.1, 8, 0.99)


def test_ratios_over_time_stand_with_their_intervals() -> None:
    names = ("first", "second", "third")
    [axes] = figures.over_time([60, 600], {name: [RATIO, LOWER] for name in names}).axes
    found = lines(axes)
    for name in names:
        np.testing.assert_allclose(found[name], [[60, 2.0], [600, 0.8]])
    np.testing.assert_allclose(found["_interval"], [[600, 0.6], [600, 1.1]])


def test_each_setting_has_a_row_with_its_mean_and_interval() -> None:
    [axes] = figures.settings({"rare": RATIO, "mixed": LOWER}, "A title").axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["rare", "mixed"]
    assert [text.get_text() for text in axes.texts] == ["2.00", "0.80"]
    means = [line.get_xydata()[0].tolist() for line in axes.get_lines() if line.get_label() == "_mean"]
    ends = [line.get_xdata() for line in axes.get_lines() if line.get_label() == "_interval"]
    assert means == [[2.0, 1.0], [0.8, 0.0]]
    np.testing.assert_allclose(ends, [[1.5, 2.7], [0.6, 1.1]])


def test_the_sweep_shows_every_rates_mean() -> None:
    values = torch.tensor([[0.4, 0.2, 9.0], [0.6, 0.4, 11.0]]).repeat(5, 1)
    [axes] = figures.rate_sweep({"sgd": (0.01, values)}).axes
    points = lines(axes)["_points"]
    np.testing.assert_allclose(points, [[0.01, 0.5], [0.02, 0.3], [0.04, 10.0]], rtol=1e-6)
    # the rate that diverges leaves at the top
    assert axes.get_ylim()[1] < 10
    assert [text.get_text() for text in axes.texts] == ["SGD"]


def test_epsilon_stops_gradients_of_its_own_size_outside_the_root_and_of_its_roots_inside() -> None:
    found = lines(figures.step_against_gradient(1e-8).axes[0])
    g, outside = found["_outside"].T
    inside = found["_inside"][:, 1]
    assert g[np.argmin(abs(outside - 0.5))] == pytest.approx(1e-8, rel=0.1)
    assert g[np.argmin(abs(inside - 0.5**0.5))] == pytest.approx(1e-4, rel=0.1)
