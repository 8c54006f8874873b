"""The data behind the figures of lesson 10, and what they draw of it."""

from __future__ import annotations

from types import SimpleNamespace
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


def lines(axis: Any) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), float) for line in axis.get_lines()}


def test_rates_draw_each_way_in_its_colour() -> None:
    values = np.random.default_rng(0).uniform(0.5, 1, (12, 4))
    cold, warm = (
        SimpleNamespace(lrs=torch.tensor([0.1, 0.2, 0.4, 0.8]), last_metric=torch.from_numpy(metric))
        for metric in (values, values / 2)
    )
    panels: Any = {"one": {"without": cold, "with warm-up": warm}, "two": {"without": cold}}
    figure = drawn(figures.rates(panels))
    lower, upper = figure.axes[0].get_lines()[:2]
    np.testing.assert_allclose(np.asarray(lower.get_ydata(), float), values.mean(0))
    np.testing.assert_allclose(np.asarray(upper.get_ydata(), float), values.mean(0) / 2)
    assert (lower.get_color(), upper.get_color()) == (figures.COLD, figures.WARM)


def check_bands(module: Any) -> None:
    """Curvatures are drawn as geometric means: those of 1 and 100 are 10."""
    values = np.array([[1.0, 4.0], [100.0, 4.0]] * 6) * np.linspace(0.9, 1.1, 12)[:, None]
    names = ("a", "b", "c")
    for axis in (
        drawn(module.sharpness_curves([0, 40], dict.fromkeys(names, values))).axes[0],
        drawn(module.climbing([1, 40], dict.fromkeys(names, values / 0.3), 0.3)).axes[0],
    ):
        want = np.exp(np.log(values).mean(0))
        np.testing.assert_allclose(lines(axis)["a"], want, rtol=1e-6)
        heights = np.concatenate([path.vertices[:, 1] for path in axis.collections[0].get_paths()])
        assert heights.min() < want[0] < heights.max()
        assert heights.max() < 200


def check_by_curvature(module: Any) -> None:
    """A net's dots stand at its curvature and its largest rates, the line at 2 / curvature."""
    curvature, cold = torch.full((12,), 8.0), torch.full((12,), -2.0) + torch.linspace(-0.1, 0.1, 12)
    axis = drawn(module.by_curvature({"default": (curvature, cold, cold + 1)})).axes[0]
    dots = {line.get_color(): line for line in axis.get_lines() if line.get_marker() == "o"}
    places = {color: (float(line.get_xdata()[0]), float(line.get_ydata()[0])) for color, line in dots.items()}
    assert places[module.COLD] == pytest.approx((8, 0.25), rel=1e-5)
    assert places[module.WARM] == pytest.approx((8, 0.5), rel=1e-5)
    (edge,) = [line for line in axis.get_lines() if line.get_label() == "_edge"]
    np.testing.assert_allclose(np.asarray(edge.get_xdata()) * np.asarray(edge.get_ydata()), 2)


def check_stem(module: Any) -> None:
    """A branch is drawn over its decay alone, a cosine and the stem from the start."""

    def ran(total: int, loss: float) -> Any:
        steps = list(range(24, total + 1, 24))
        return SimpleNamespace(steps=steps, validation_loss=torch.full((12, 1, len(steps)), loss))

    axis = drawn(module.stem(ran(480, 0.3), [ran(120, 0.1), ran(480, 0.1)], [ran(120, 0.2)])).axes[0]
    runs = [line for line in axis.get_lines() if line.get_label() == "_run"]
    assert [(line.get_xdata()[0], line.get_xdata()[-1]) for line in runs] == [
        (24, 480),
        (24, 120),
        (96, 120),
        (360, 480),
    ]
    assert [float(line.get_ydata()[0]) for line in runs] == pytest.approx([0.3, 0.2, 0.1, 0.1], rel=1e-5)


def test_lengths_and_thresholds_draw_what_they_are_given() -> None:
    shifts = np.random.default_rng(1).uniform(0, 1, (12, 3))
    axis = drawn(figures.by_length([10, 40, 100], shifts)).axes[0]
    np.testing.assert_allclose(lines(axis)["net, large weights"], shifts.mean(0))
    assert lines(axis)["quartic"][0] == pytest.approx(np.log2(8.6))
    axis = drawn(figures.thresholds([1, 2, 5], [2, 3.4, 8.5], [14, 18, 20], [4, 9, 25], [2, 2, 2])).axes[0]
    assert lines(axis)["θ⁴/4, climb"].tolist() == [2, 3.4, 8.5]
    assert lines(axis)["θ⁴/4, at a tenth"].tolist() == [14, 18, 20]
    assert lines(axis)["θ⁴/4, at 1/(3n)"].tolist() == [4, 9, 25]


@pytest.mark.parametrize("check", [check_bands, check_by_curvature, check_stem])
def test_measured_figures(check: Any) -> None:
    check(figures)


MUTANTS = {
    "descent-becomes-ascent": ("theta - rates[-1] * theta**3", "theta + rates[-1] * theta**3", check_run),
    "square-for-cube": ("theta - rates[-1] * theta**3", "theta - rates[-1] * theta**2", check_run),
    "no-warm-up": ("linear_warmup(warmup, ", "linear_warmup(0, ", check_run),
    "edge-of-one": ("2 / size.clip(1e-2) ** 2", "1 / size.clip(1e-2) ** 2", check_left),
    "edge-one-step-late": ("size = points[:-1]", "size = points[1:]", check_left),
    "arithmetic-means": (
        "torch.from_numpy(np.asarray(values, float)).log()",
        "torch.from_numpy(np.asarray(values, float))",
        check_bands,
    ),
    "band-left-as-logarithms": ("vertices[:, 1] = np.exp(vertices[:, 1])", "pass", check_bands),
    "cold-for-warm": ("((cold, COLD), (warm, WARM))", "((warm, COLD), (cold, WARM))", check_by_curvature),
    "whole-branches": ("x >= 0.75 * x[-1] if", "x > 0 if", check_stem),
    "verdict-upside-down": ("bool(points.abs().max() < 10)", "bool(points.abs().max() > 10)", check_edge),
}


test_mistakes_are_caught = mistakes("course_utils.figures.cycles_restarts_warmup", MUTANTS)
