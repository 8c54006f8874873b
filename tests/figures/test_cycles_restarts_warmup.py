"""The data behind the figures of lesson 10, and what they draw of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import cycles_restarts_warmup as figures
from tests.figures.reading import drawn
from tests.mutants import mistakes


def check_run(module: Any) -> None:
    """Gradient descent on theta**4 / 4 by autograd, with the rate of a linear warm-up."""
    rates, points = module.quartic_run(5.0, 8, 30)
    assert rates.shape == (30,)
    assert points.shape == (31,)
    theta = torch.tensor(module.START, dtype=torch.float64, requires_grad=True)
    for t in range(30):
        assert abs(float(points[t] - theta.detach())) <= 1e-14, "another path"
        rate = 5.0 * min(1.0, (t + 1) / 8)
        assert abs(float(rates[t]) - rate) <= 1e-14, "another rate"
        (g,) = torch.autograd.grad(theta**4 / 4, theta)
        theta = (theta - rate * g).detach().requires_grad_()


def check_edge(module: Any) -> None:
    """A constant rate arrives below 2 / START**2 and runs away above; so does the title say."""
    edge = 2 / module.START**2
    for share, verdict in ((0.99, "arrives"), (1.01, "runs away")):
        figure = drawn(module.warm_quartic(share * edge, 0))
        assert verdict in figure.axes[1].get_title(loc="left")


def check_left(module: Any) -> None:
    """The dashed line is 2 / theta**2 of the points where the gradient is taken."""
    left = drawn(module.warm_quartic(20.0, 12)).axes[0]
    lines = {str(line.get_label()): np.asarray(line.get_ydata(), float) for line in left.get_lines()}
    rates, points = module.quartic_run(20.0, 12)
    np.testing.assert_array_equal(lines["rate η"], rates)
    np.testing.assert_allclose(lines["edge 2/θ²"], 2 / points[:-1].numpy() ** 2, rtol=1e-12)
    assert (lines["rate η"] < lines["edge 2/θ²"]).all()


def test_the_quartic() -> None:
    check_run(figures)
    check_edge(figures)
    check_left(figures)


def test_safe_peaks_arrive() -> None:
    """What lesson 10 proves: n >= peak * START**2 steps of warm-up make any peak safe."""
    for peak in (3.0, 20.0, 100.0):
        n = int(np.ceil(peak * figures.START**2))
        rates, points = figures.quartic_run(peak, n, 200)
        assert float((rates * points[:-1] ** 2)[1:].max()) <= 8 / 27 + 1e-12
        assert float(points[-1].abs()) < 0.1


def test_every_shape_is_drawn() -> None:
    figure = drawn(figures.shapes())
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == [*figures.SHAPES, "warm-up, stable, decay"]
    for axis in figure.axes:
        for line in axis.get_lines():
            y = np.asarray(line.get_ydata(), float)
            assert 0.99 < y.max() <= 1, "the peak"
            assert y.min() >= 0
    jumps = np.diff(np.asarray(figure.axes[2].get_lines()[0].get_ydata(), float)) > 0.5
    assert np.flatnonzero(jumps).tolist() == [33, 101]
    short, middle, long = (np.asarray(line.get_ydata(), float) for line in figure.axes[5].get_lines())
    np.testing.assert_array_equal(short[:65], long[:65])
    np.testing.assert_array_equal(middle[:129], long[:129])


def test_measured_figures_draw_what_they_are_given() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0.5, 1, (12, 4))
    cliffs = drawn(
        figures.cliffs((0.1, 0.2, 0.4, 0.8), {"one": (values, values / 2), "two": (values, values)})
    )
    cold, warm = cliffs.axes[0].get_lines()[:2]
    np.testing.assert_allclose(np.asarray(cold.get_ydata(), float), values.mean(0))
    np.testing.assert_allclose(np.asarray(warm.get_ydata(), float), values.mean(0) / 2)
    assert (cold.get_color(), warm.get_color()) == (figures.COLD, figures.WARM)

    panels = {"one": {"low": values[:, 0], "high": values[:, 1]}}
    panels["two"] = panels["one"]
    axis = drawn(figures.side_by_side(panels, ["low"])).axes[0]
    dots = {float(line.get_ydata()[0]): line for line in axis.get_lines() if line.get_marker() == "o"}
    names = [label.get_text() for label in axis.get_yticklabels()]
    for height, name in enumerate(names):
        assert float(dots[height].get_xdata()[0]) == pytest.approx(panels["one"][name].mean())
        assert dots[height].get_color() == (figures.WARM if name == "low" else figures.COLD)

    rates = np.geomspace(1e-3, 10, 20)
    curve = 2 + (np.log10(rates) + 1) ** 2 + 0 * rng.normal(size=(12, 20))
    tests = drawn(figures.range_tests(rates, {"a": curve + 1, "b": curve}, first=1e-3)).axes[0]
    [dot, _] = [line for line in tests.get_lines() if line.get_marker() == "o"]
    assert float(dot.get_xdata()[0]) == pytest.approx(rates[curve[0].argmin()])

    drawn(figures.thresholds([1, 2, 5], [2, 3.4, 8.5], [2, 2, 2]))
    drawn(figures.sharpness_curves([0, 5, 10, 20], 20 * values, values))
    restarts = drawn(figures.restart_curves([1, 2, 3, 4], {"a": values, "b": values, "c": values}, [2])).axes[
        0
    ]
    assert [line.get_label() for line in restarts.get_lines()][:3] == ["a", "b", "c"]


MUTANTS = {
    "descent-becomes-ascent": ("theta - rates[-1] * theta**3", "theta + rates[-1] * theta**3", check_run),
    "square-for-cube": ("theta - rates[-1] * theta**3", "theta - rates[-1] * theta**2", check_run),
    "no-warm-up": ("linear_warmup(warmup, ", "linear_warmup(0, ", check_run),
    "edge-of-one": ("2 / size.clip(1e-2) ** 2", "1 / size.clip(1e-2) ** 2", check_left),
    "edge-one-step-late": ("size = points[:-1]", "size = points[1:]", check_left),
    "verdict-upside-down": ("bool(points.abs().max() < 10)", "bool(points.abs().max() > 10)", check_edge),
}


test_mistakes_are_caught = mistakes("course_utils.figures.cycles_restarts_warmup", MUTANTS)
