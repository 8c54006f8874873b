"""The data behind the figures of lesson 03."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from course_utils.figures import stochastic_gradients as figures
from course_utils.recorded import Record
from course_utils.theory import gradient_noise, quadratics


def test_batch_gradients_spread_as_the_formula_says() -> None:
    x, y = figures.two_measurements()
    p = torch.tensor([0.5, -0.2], dtype=torch.float64)
    rows = x * (x @ p - y)[:, None]
    full = rows.mean(0)
    torch.testing.assert_close(
        figures.batch_gradients(p, len(x), 2), full.expand(2, 2), rtol=1e-12, atol=1e-15
    )
    assert torch.equal(figures.batch_gradients(p, 8, 5), figures.batch_gradients(p, 8, 9)[:5])
    sigma2 = (rows - full).square().sum(1).mean()
    found = (figures.batch_gradients(p, 8, 3000) - full).square().sum(1).mean()
    assert float(found / gradient_noise.batch_variance(sigma2, len(x), 8)) == pytest.approx(1, abs=0.08)


def test_chains_start_together_and_rest_at_the_theory_s_variance() -> None:
    path = figures.chains(0.2, 4, 60)
    assert path.shape == (61, figures.CHAINS, 2)
    assert torch.equal(path[0], figures.START.expand(figures.CHAINS, 2))
    rest = path[31:].square().mean((0, 1))
    for k, curvature in enumerate(figures.CURVATURES):
        level = quadratics.noise_level(0.2, 0.0, curvature, figures.NOISE / 2)
        assert figures.rest_variances(0.2, 4)[k] == level
        assert float(rest[k]) == pytest.approx(level, rel=0.1)


def test_chains_follow_the_update_on_average() -> None:
    mean = figures.chains(0.1, 64, 60).mean(1)
    expected = figures.START * (1 - 0.1 * torch.tensor(figures.CURVATURES, dtype=torch.float64)) ** 5
    torch.testing.assert_close(mean[5], expected, rtol=0, atol=0.05)


def lines(axes: Axes, label: str) -> list[Line2D]:
    return [line for line in axes.get_lines() if line.get_label() == label]


def test_the_ellipse_is_that_of_nine_tenths() -> None:
    figure = figures.noise_ball(0.2, 4)
    patches: Any = figure.axes[0].patches
    (ellipse,) = patches
    deviations = [math.sqrt(v) for v in figures.rest_variances(0.2, 4)]
    z = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor(deviations)
    inside = (2 * z[:, 0] / ellipse.width) ** 2 + (2 * z[:, 1] / ellipse.height) ** 2 <= 1
    assert float(inside.double().mean()) == pytest.approx(0.9, abs=0.004)


def test_theory_lines_are_the_package_s() -> None:
    axes = figures.variance_of_all_batches(torch.rand(6)).axes[0]
    b, v = lines(axes, "_exact")[0].get_data()
    for k in (0, 100, 299):
        assert v[k] == pytest.approx((6 - b[k]) / b[k] / 5, rel=1e-12, abs=1e-15)

    axes = figures.floor_against_rate([0.1, 1.0], np.ones((10, 2)), noise=0.5).axes[0]
    eta, level = lines(axes, "_theory")[0].get_data()
    np.testing.assert_allclose(level, 0.25 * eta / (2 - eta), rtol=1e-12)

    flat = np.ones((10, 9))
    axes = figures.through_an_epoch(flat, flat, lr=0.1, noise=0.5, steps=4).axes[0]
    bridge = lines(axes, "_theory")[1].get_data()[1]
    exact = gradient_noise.shuffled_noise_level(0.1, 1.0, 0.5, 4) / quadratics.noise_level(
        0.1, 0.0, 1.0, math.sqrt(0.5)
    )
    np.testing.assert_allclose(bridge, [*exact, *exact[1:]], rtol=1e-12)


def test_what_was_measured_is_what_is_drawn() -> None:
    measured = torch.tensor([1.0, 0.4, 0.0])
    drawn = lines(figures.variance_of_all_batches(measured).axes[0], "_measured")[0].get_data()
    np.testing.assert_allclose(drawn, ([1, 2, 3], measured))
    floors = np.array([[1.0, 2.0], [3.0, 6.0]])
    floor = lines(figures.floor_against_rate([0.1, 1.0], floors, noise=0.5).axes[0], "_measured")[0]
    assert list(floor.get_ydata()) == [2, 4]


def test_ways_to_a_lower_floor_part_at_the_change() -> None:
    losses = {
        name: torch.arange(1.0, 5.0).expand(3, 4) + k for k, name in enumerate(("constant", "η / 8", "8 b"))
    }
    axes = figures.ramp(losses, change=2).axes[0]
    assert [list(lines(axes, name)[0].get_data()[0]) for name in losses] == [
        [1, 2, 3, 4],
        [2, 3, 4],
        [2, 3, 4],
    ]
    assert list(lines(axes, "8 b")[0].get_data()[1]) == [4, 5, 6]


def test_tradeoff_shows_steps_and_examples() -> None:
    sizes, steps = (2, 8), np.array([[100.0, 40.0]] * 10)
    above, below = figures.batch_tradeoff(sizes, steps, fewest=20, critical=8).axes
    assert list(lines(above, "_points")[0].get_data()[1]) == [100, 40]
    assert list(lines(below, "_points")[0].get_data()[1]) == [200, 320]
    assert lines(above, "_curve")[0].get_data()[1][0] == pytest.approx(20 * (1 + 8 / 2))


@pytest.mark.parametrize(
    ("workers", "times", "best"), [(1, [200, 320], 2), (4, [100, 80], 8), (8, [100, 40], 8)]
)
def test_a_star_marks_the_fewest_passes(workers: int, times: list[float], best: int) -> None:
    axes = figures.quickest((2, 8), np.array([[100.0, 40.0]] * 10), [workers]).axes[0]
    assert list(lines(axes, f"w = {workers}")[0].get_data()[1]) == times
    assert list(lines(axes, "_best")[0].get_data()[0]) == [best]


def test_valleys_are_means_and_the_rule_is_beside_the_best() -> None:
    losses = {4: torch.tensor([[0.5, 0.25], [0.75, 0.25]]), 8: torch.tensor([[1.5, 0.5]])}
    rule, best = torch.tensor([[1.0, 4.0], [2.0, 2.0]]), torch.tensor([[0.5, 0.5], [0.25, 1.0]])
    full = torch.tensor([[1.0, 9.0]])
    above, below = figures.valleys((4, 8), [0.1, 0.2], losses, rule, best, full).axes
    assert list(lines(above, "_4")[0].get_data()[1]) == [0.625, 0.25]
    assert list(lines(above, "_8")[0].get_data()[1]) == [1.5, 0.5]
    assert list(lines(below, "η ∝ b")[0].get_data()[1]) == pytest.approx([2.0, 2.0])
    assert list(lines(below, "best η")[0].get_data()[1]) == pytest.approx([0.5, 0.5])
    x, y = lines(below, "full batches")[0].get_data()
    assert list(x) == [8]
    assert list(y) == pytest.approx([3.0])


def test_a_line_is_found_again() -> None:
    sizes = np.array([1, 8, 64, 512])
    assert figures.line_of(sizes, 0.25 * (1 + sizes / 40)) == pytest.approx((0.25, 40))


def test_recorded_times_are_shown_and_multiplied_by_the_steps() -> None:
    rows = [
        {"net": net, "batch": b, "median_s": scale * (1 + b / 50)}
        for net, scale in (("small net", 1e-3), ("wide net", 2e-3))
        for b in (1, 10, 100)
    ]
    about = {"processor": "an abacus", "torch": "9.9"}
    above, below = figures.recorded_times(
        Record("throughput", rows, about, "2026-01-02T00:00:00+00:00", {}), fewest=20, critical=8
    ).axes
    assert list(lines(above, "_wide net")[0].get_data()[1]) == pytest.approx([2.04, 2.4, 6.0])
    assert list(lines(below, "_total")[0].get_data()[1]) == pytest.approx([183.6, 43.2, 64.8])
    assert "an abacus" in above.get_figure().get_supxlabel()


def test_every_figure_is_drawn() -> None:
    for figure in (figures.many_arrows(), figures.noise_ball(0.4, 1)):
        assert figure.axes[0].get_title(loc="left")
