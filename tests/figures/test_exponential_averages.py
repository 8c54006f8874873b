"""The data behind the figures of lesson 04."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.patches import StepPatch

from course_utils.averaging import ewma
from course_utils.figures import exponential_averages as figures
from course_utils.theory import averages
from tests.mutants import mistakes

NAME = "course_utils.figures.exponential_averages"


def check_kernel(module: ModuleType) -> None:
    """The kernel is what the package's average makes of a single 1."""
    impulse = torch.zeros(80, dtype=torch.float64)
    impulse[0] = 1
    for beta in (0.0, 0.5, 0.9, 0.98):
        want = ewma(impulse, beta, bias_correction=False)
        torch.testing.assert_close(module.kernel(beta, 80), want, rtol=1e-12, atol=1e-15)


def check_half_life(module: ModuleType) -> None:
    for beta in (0.5, 0.9, 0.98, 0.999):
        assert beta ** module.half_life(beta) == pytest.approx(0.5, rel=1e-12)
    assert module.half_life(0.0) == 0


def check_started(module: ModuleType) -> None:
    """Each start by its first two readings."""
    seen = torch.tensor([4.0, 8.0], dtype=torch.float64)
    want = {"uncorrected": [2.0, 5.0], "first value": [4.0, 6.0], "corrected": [4.0, 5.0 / 0.75]}
    for start, readings in want.items():
        torch.testing.assert_close(
            module._started(seen, 0.5, start), torch.tensor(readings, dtype=torch.float64), rtol=1e-12, atol=0
        )


def test_kernel() -> None:
    check_kernel(figures)


def test_half_life() -> None:
    check_half_life(figures)


def test_started() -> None:
    check_started(figures)


MUTANTS = [
    pytest.param(check_kernel, "(1 - beta) * beta **", "beta **", id="a sum, not an average"),
    pytest.param(check_kernel, "(1 - beta) * beta **", "beta * (1 - beta) **", id="swapped"),
    pytest.param(check_kernel, "torch.arange(ages,", "torch.arange(1, ages + 1,", id="ages from one"),
    pytest.param(check_half_life, "math.log(0.5) / math.log(beta)", "0.7 / (1 - beta)", id="approximate"),
    pytest.param(check_started, 'start == "corrected")', 'start != "corrected")', id="corrections exchanged"),
    pytest.param(check_started, 'if start == "first value"', "if False", id="first value forgotten"),
]


test_a_mistake_is_caught = mistakes(NAME, MUTANTS)


def test_temperatures_share_their_weather() -> None:
    truth, quiet = figures.temperatures(1.0, 300)
    same, loud = figures.temperatures(6.0, 300)
    assert torch.equal(truth, same)
    assert truth.shape == quiet.shape == (300,)
    torch.testing.assert_close(loud - truth, 6 * (quiet - truth), rtol=1e-9, atol=1e-9)
    assert 18 < truth[0] < 19.1  # July, where a start at zero shows
    assert int(truth.argmax()) == pytest.approx(22, abs=1)


def lines(axes: Axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), float) for line in axes.get_lines()}


def test_three_memories_draws_the_averages_and_the_truth() -> None:
    truth, seen = figures.temperatures(3.0, 60)
    (axes,) = figures.three_memories(truth, seen, (0.5, 0.98)).axes
    drawn = lines(axes)
    np.testing.assert_array_equal(drawn["_seen"], seen.numpy())
    np.testing.assert_array_equal(drawn["truth"], truth.numpy())
    for beta in (0.5, 0.98):
        np.testing.assert_allclose(drawn[f"β = {beta:g}"], ewma(seen, beta).numpy(), rtol=1e-12)


def test_three_lengths_shades_up_to_each_length() -> None:
    impulse = torch.eye(60, dtype=torch.float64)[0]
    (axes,) = figures.three_lengths(ewma(impulse, 0.9, bias_correction=False), 0.9).axes
    patches: Any = axes.patches
    bars = sorted(patches, key=lambda bar: float(bar.get_x()))
    np.testing.assert_allclose([bar.get_height() for bar in bars], 0.1 * 0.9 ** np.arange(45), rtol=1e-12)
    colors = [bar.get_facecolor() for bar in bars]
    changes = [k for k in range(1, 45) if not same_color(colors[k - 1], colors[k])]
    assert changes == [7, 10]  # 6.6 steps hold half of the weight, 10 are the time constant
    (box,) = axes.get_lines()
    assert np.max(box.get_xdata()) == 19
    assert np.max(box.get_ydata()) == pytest.approx(1 / 19)


def dots(axes: Axes) -> list[np.ndarray]:
    """The heights of each group of measured dots."""
    return [np.asarray(line.get_ydata(), float) for line in axes.get_lines() if line.get_marker() == "o"]


def dashes(axes: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata(), float) for line in axes.get_lines() if line.get_label() == "_theory"]


def test_three_starts_draws_one_series_and_the_errors_of_many() -> None:
    seen = torch.tensor([14.0, 9.0, 11.0, 10.0], dtype=torch.float64)
    rows = torch.arange(40, dtype=torch.float64).view(10, 4) + 1
    errors = {start: rows * (k + 1) for k, start in enumerate(figures.START_COLOURS)}
    left, right = figures.three_starts(0.9, 10.0, 2.0, seen, errors).axes
    np.testing.assert_allclose(lines(left)["_corrected"], ewma(seen, 0.9).numpy(), rtol=1e-12)
    np.testing.assert_allclose(
        lines(left)["_first value"], ewma(seen, 0.9, start="first").numpy(), rtol=1e-12
    )
    for drawn, values in zip(dots(right), errors.values(), strict=True):
        np.testing.assert_allclose(drawn, values.mean(0), rtol=1e-12)  # all four days are among the sixteen
    for drawn, start in zip(dashes(right), figures.START_COLOURS, strict=True):
        want = averages.squared_error(0.9, torch.arange(1.0, 5), start=start, level=5.0).sqrt()
        np.testing.assert_allclose(drawn, want, rtol=1e-12)


def test_valleys_takes_roots_of_means_and_marks_the_lowest() -> None:
    squared = {
        0.3: np.array([[4.0, 1.0, 9.0]] * 3),
        3: np.array([[9.0, 3.0, 4.0], [9.0, 5.0, 4.0]]),
        30: np.ones((2, 3)),
    }
    theory = {noise: np.array([4.0, 9.0, 16.0]) for noise in squared}
    (axes,) = figures.valleys([1.0, 5.0, 20.0], squared, theory, np.array([[4.0, 1.0, 0.25]] * 2)).axes
    drawn = lines(axes)
    np.testing.assert_allclose(drawn["_3"], [3.0, 2.0, 2.0], rtol=1e-12)
    np.testing.assert_allclose(drawn["_calm"], [2.0, 1.0, 0.5], rtol=1e-12)
    np.testing.assert_allclose(drawn["_best 0.3"], [1.0], rtol=1e-12)
    for line in dashes(axes):
        np.testing.assert_allclose(line, [2.0, 3.0, 4.0], rtol=1e-12)


def test_near_zero_draws_the_ratios_over_their_theory() -> None:
    levels, ratios = (
        [0.1, 1.0],
        {1: np.array([[0.5, 2.0], [1.5, 4.0]]), 10: np.ones((2, 2)), 50: np.ones((2, 2))},
    )
    (axes,) = figures.near_zero(0.98, levels, ratios).axes
    np.testing.assert_allclose(dots(axes)[0], [1.0, 3.0], rtol=1e-12)
    day_one = dashes(axes)[0]  # m is 0.02 x: (0.98 level)² + 0.02² over 1
    np.testing.assert_allclose(day_one[[0, -1]], [0.098**2 + 0.0004, 0.98**2 + 0.0004], rtol=1e-9)


def test_variance_left_names_each_series() -> None:
    betas = [0.0, 0.5, 0.9]
    measured = {name: np.random.default_rng(k).random((12, 3)) + 0.1 for k, name in enumerate("abc")}
    theory = [np.array([1.0, 0.5, 0.1]) * (k + 1) for k in range(3)]
    (axes,) = figures.variance_left(betas, measured, theory).axes
    for name, values in measured.items():
        np.testing.assert_allclose(lines(axes)[name], values.mean(0), rtol=1e-12)
    for drawn, line in zip(dashes(axes), theory, strict=True):
        np.testing.assert_array_equal(drawn, line)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.99])
def test_kernel_and_curve_states_the_error(beta: float) -> None:
    left, right = figures.kernel_and_curve(beta, 3.0).axes
    (steps,) = left.patches
    assert isinstance(steps, StepPatch)
    weights, edges, _ = steps.get_data()
    np.testing.assert_array_equal(weights, figures.kernel(beta, 60))
    np.testing.assert_array_equal(edges, np.arange(61))
    truth, seen = figures.temperatures(3.0)
    m = ewma(seen, beta)
    np.testing.assert_allclose(lines(right)["_average"], m.numpy(), rtol=1e-12)
    error = np.sqrt(np.mean((m - truth)[100:].numpy() ** 2))
    assert right.get_title(loc="left") == f"noise 3 °C: the average is off by {error:.1f} °C"
