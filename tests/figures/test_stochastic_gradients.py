"""The data behind the figures of lesson 03."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from course_utils.figures import stochastic_gradients as figures
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


def test_the_ellipse_is_that_of_nine_tenths() -> None:
    figure = figures.cloud(0.2, 4, upto=60)
    (ellipse,) = figure.axes[0].patches
    deviations = [math.sqrt(v) for v in figures.rest_variances(0.2, 4)]
    z = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor(deviations)
    inside = (2 * z[:, 0] / ellipse.width) ** 2 + (2 * z[:, 1] / ellipse.height) ** 2 <= 1
    assert float(inside.double().mean()) == pytest.approx(0.9, abs=0.004)


def test_theory_lines_are_the_package_s() -> None:
    sizes = [1, 8, 64]
    measured = np.ones((10, 3))
    lines = figures.variance_against_batch(sizes, measured, n=100).axes[0].get_lines()
    exact = next(line for line in lines if line.get_label() == "_exact")
    b, v = exact.get_data()
    for k in (0, 100, 399):
        assert v[k] == pytest.approx((100 - b[k]) / b[k] / 99, rel=1e-12)

    lines = figures.floor_against_rate([0.1, 1.0], np.ones((10, 2)), noise=0.5).axes[0].get_lines()
    eta, level = next(line for line in lines if line.get_label() == "_theory").get_data()
    np.testing.assert_allclose(level, 0.25 * eta / (2 - eta), rtol=1e-12)

    flat = np.ones((10, 9))
    lines = figures.through_an_epoch(flat, flat, lr=0.1, noise=0.5, steps=4).axes[0].get_lines()
    bridge = [line for line in lines if line.get_label() == "_theory"][1].get_data()[1]
    exact = gradient_noise.shuffled_noise_level(0.1, 1.0, 0.5, 4) / quadratics.noise_level(
        0.1, 0.0, 1.0, math.sqrt(0.5)
    )
    np.testing.assert_allclose(bridge, [*exact, *exact[1:]], rtol=1e-12)


def test_tradeoff_shows_steps_and_examples() -> None:
    sizes, steps = (2, 8), np.array([[100.0, 40.0]] * 10)
    left, right = figures.batch_tradeoff(sizes, steps, fewest=20, critical=8).axes
    points = [
        next(line for line in axes.get_lines() if line.get_label() == "_points") for axes in (left, right)
    ]
    assert list(points[0].get_data()[1]) == [100, 40]
    assert list(points[1].get_data()[1]) == [200, 320]
    curve = next(line for line in left.get_lines() if line.get_label() == "_curve").get_data()
    assert curve[1][0] == pytest.approx(20 * (1 + 8 / 2))


@pytest.mark.parametrize(
    ("workers", "times", "best"), [(1, [200, 320], 2), (4, [100, 80], 8), (8, [100, 40], 8)]
)
def test_time_counts_passes(workers: int, times: list[float], best: int) -> None:
    figure = figures.time_on_machine((2, 8), np.array([[100.0, 40.0]] * 10), workers=workers)
    points = next(line for line in figure.axes[0].get_lines() if line.get_label() == "_points")
    assert list(points.get_data()[1]) == times
    assert f"a batch of {best} is quickest" in figure.axes[0].get_title(loc="left")


def test_scaling_names_each_rule() -> None:
    runs = {name: np.ones((10, 2)) for name in ("a", "b", "c")}
    labels = [
        line.get_label() for line in figures.linear_scaling((1, 2), runs, batch_size=4).axes[0].get_lines()
    ]
    assert labels == ["a", "b", "c"]


def test_every_figure_is_drawn() -> None:
    for figure in (figures.many_arrows(), figures.noise_ball(0.4, 1)):
        assert figure.axes[0].get_title(loc="left")
