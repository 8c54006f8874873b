"""The data behind the figures of lesson 01, and what the figures draw of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils import losses, profiles
from course_utils.figures import losses as figures
from tests.figures.reading import curves


def test_pulls_are_the_slopes_of_the_prices() -> None:
    left, right = (curves(axes) for axes in figures.prices_and_pulls().axes)
    assert list(left) == list(right) == ["MSE", "L1", "Huber", "Cauchy"]
    for name in left:
        d, price = left[name].T
        smooth = np.abs(d) > 0.02  # L1 has a corner
        slope = np.gradient(price, d)
        np.testing.assert_allclose(slope[smooth][1:-1], right[name][smooth, 1][1:-1], atol=0.011)


def test_prices_are_the_losses() -> None:
    left = curves(figures.prices_and_pulls().axes[0])
    d = torch.from_numpy(left["MSE"][:, 0])
    zero = torch.zeros_like(d)
    expected = {
        "MSE": losses.mse_loss(d, zero, reduction="none") / 2,
        "L1": losses.l1_loss(d, zero, reduction="none"),
        "Huber": losses.huber_loss(d, zero, reduction="none"),
        "Cauchy": -torch.distributions.Cauchy(zero, zero + 1).log_prob(d) - np.log(np.pi),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(left[name][:, 1], value, atol=1e-12)


def test_four_lines_minimise_their_losses() -> None:
    x, y = figures.patients()
    assert x.shape == y.shape == (15,)
    x, y = torch.cat([x, x.new_tensor([2.0])]), torch.cat([y, y.new_tensor([9.0])])
    prices = {
        "MSE": lambda r: r**2,
        "L1": lambda r: r.abs(),
        "Huber": lambda r: losses.huber_loss(r, 0 * r, delta=0.5, reduction="none"),
        "Cauchy": lambda r: torch.log1p((r / 0.5) ** 2),
    }
    for name, line in figures.four_lines(9.0, 2.0, 0.5).items():
        cost = prices[name](y - line[0] - line[1] * x).sum()
        for shift in ([1e-3, 0.0], [-1e-3, 0.0], [0.0, 1e-3], [0.0, -1e-3]):
            near = line + torch.tensor(shift, dtype=torch.float64)
            assert cost <= prices[name](y - near[0] - near[1] * x).sum(), (name, shift)


def test_the_outlier_is_drawn_beside_the_four_lines() -> None:
    [axes] = figures.outlier(9.0, 2.0, 0.5).axes
    found, lines = curves(axes), figures.four_lines(9.0, 2.0, 0.5)
    assert list(found) == list(lines)
    for name, line in lines.items():
        x, y = found[name].T
        a, b = line.tolist()
        np.testing.assert_allclose(y, a + b * x)
    patients, outlier = (np.asarray(points.get_offsets()) for points in axes.collections)
    assert (len(patients), outlier.tolist()) == (15, [[2.0, 9.0]])
    assert "at 9:" in axes.get_title(loc="left")


def test_only_the_mse_line_follows() -> None:
    near, far = figures.four_lines(6.0, 2.0, 1.0), figures.four_lines(12.0, 2.0, 1.0)
    moved = {name: (far[name] - near[name]).abs().max().item() for name in near}
    assert moved["MSE"] > 0.5
    assert moved["L1"] == 0
    assert moved["Huber"] < 1e-12
    assert 0 < moved["Cauchy"] < 0.05


def test_slopes_are_autograds() -> None:
    s = torch.linspace(-9, 9, 31, dtype=torch.float64).requires_grad_()
    one = torch.ones_like(s)
    for name, value in {
        "cross-entropy": losses.binary_cross_entropy_with_logits(s, one, reduction="sum"),
        "MSE": losses.mse_loss(torch.sigmoid(s), one, reduction="sum"),
    }.items():
        (slope,) = torch.autograd.grad(value, s)
        torch.testing.assert_close(figures.slopes(s.detach())[name], -slope, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["cross-entropy", "MSE"])
def test_theory_is_the_integral(name: str) -> None:
    for start in (1.0, 3.0, 6.0):
        s = torch.linspace(-start, 0, 200_001, dtype=torch.float64)
        expected = torch.trapezoid(1 / figures.slopes(s)[name], s) / 0.25
        found = figures.steps_in_theory([start], lr=0.25)[name][0]
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=0)


def test_bands_and_names() -> None:
    profiles.start()
    sizes, values = (1, 10, 100), np.tile([1.0, 2.0, 3.0], (10, 1))
    drawn = curves(figures.moves(sizes, {"MSE": values, "L1": 2 * values}, values[0]).axes[0])
    np.testing.assert_array_equal(drawn["L1"], np.column_stack([sizes, [2.0, 4.0, 6.0]]))
    runs = {"MSE": np.stack([values.T, values.T + 1], -1)}  # (rates, seeds, times)
    left, right = figures.by_rate(sizes, runs, steps={150: 0, 600: -1}).axes
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["After 150 steps", "After 600 steps"]
    np.testing.assert_array_equal(curves(right)["MSE"], np.column_stack([sizes, [2.0, 3.0, 4.0]]))


def test_each_loss_is_best_at_home() -> None:
    spread = figures.typical_errors(16, 101, torch.Generator().manual_seed(0))
    mean = {noise: {rule: float(v.mean()) for rule, v in rules.items()} for noise, rules in spread.items()}
    # of a normal mean the median error is 0.6745 deviations, of a median pi / 2 times the variance
    assert mean["Gauss"]["MSE"] == pytest.approx(0.6745 / 101**0.5, rel=0.05)
    assert mean["Gauss"]["L1"] == pytest.approx(0.6745 * (np.pi / 2 / 101) ** 0.5, rel=0.05)
    # the mean of Cauchy variables is one: its median size is 1
    assert mean["Cauchy"]["MSE"] == pytest.approx(1, rel=0.1)
    assert mean["Laplace"]["MSE"] == pytest.approx(0.6745 * (2 / 101) ** 0.5, rel=0.05)
    dots = [
        line for line in figures.scatter_by_noise(spread).axes[0].get_lines() if line.get_label() == "_mean"
    ]
    assert len(dots) == 10
    assert min(float(line.get_ydata()[0]) for line in dots) == pytest.approx(1)


def test_temperatures_are_in_points() -> None:
    profiles.start()
    raw, fitted = (np.full(10, -0.1), np.full(10, 0.08)), (np.zeros(10), np.full(10, 0.01))
    drawn = curves(figures.temperatures((0.01, 0.1), raw, fitted).axes[0])
    np.testing.assert_allclose(drawn["as trained"], [[0.01, -10], [0.1, 8]])
    np.testing.assert_allclose(drawn["with T fitted"], [[0.01, 0], [0.1, 1]])


def test_saturation_shows_steps_and_theory() -> None:
    starts = torch.arange(1.0, 5.0)
    steps = {"cross-entropy": 2 * starts, "MSE": starts**2}
    right = curves(figures.saturation(starts, steps, lr=0.5).axes[1])
    np.testing.assert_array_equal(right["MSE"][:, 1], steps["MSE"])
    assert right["_theory"][-1, 1] == pytest.approx(figures.steps_in_theory(4.0, lr=0.5)["MSE"].item())


def test_accuracy_stands_beside_confidence() -> None:
    rng = np.random.default_rng(0)
    runs = {name: (rng.uniform(0.9, 1, 12), rng.uniform(0.8, 0.9, 12)) for name in ("a", "b")}
    axes = figures.accuracy_and_confidence(runs).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    points = {
        (round(float(x[0]), 9), y[0])
        for x, y in (line.get_data() for line in axes.get_lines())
        if len(x) == 1
    }
    expected = {(round(float(v.mean()), 9), row) for row, name in enumerate(("b", "a")) for v in runs[name]}
    assert points == expected
