"""The data behind the figures of lesson 04."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import same_color

from course_utils.averaging import ewma
from course_utils.figures import exponential_averages as figures
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


def check_walk(module: ModuleType) -> None:
    """On day 30 the newest value is darkest, each older one lighter by beta; the head is the average."""
    figure = module.walk(30, beta=0.9, last=40)
    (axes,) = figure.axes
    (shades,) = axes.collections
    alpha = np.asarray(shades.get_alpha())
    np.testing.assert_allclose(alpha, 0.9 ** np.arange(29, -1, -1), rtol=1e-12)
    seen = module.temperatures()[1]
    np.testing.assert_array_equal(np.asarray(shades.get_offsets())[:, 1], seen[:30].numpy())
    head = axes.get_lines()[-1].get_xydata()
    np.testing.assert_allclose(head, [[30, ewma(seen[:30], 0.9)[-1]]], rtol=1e-12)


def test_kernel() -> None:
    check_kernel(figures)


def test_half_life() -> None:
    check_half_life(figures)


def test_walk() -> None:
    check_walk(figures)


MUTANTS = [
    pytest.param(check_kernel, "(1 - beta) * beta **", "beta **", id="a sum, not an average"),
    pytest.param(check_kernel, "(1 - beta) * beta **", "beta * (1 - beta) **", id="swapped"),
    pytest.param(check_kernel, "torch.arange(ages,", "torch.arange(1, ages + 1,", id="ages from one"),
    pytest.param(check_half_life, "math.log(0.5) / math.log(beta)", "0.7 / (1 - beta)", id="approximate"),
    pytest.param(check_walk, "kernel(beta, day).flip(0)", "kernel(beta, day)", id="oldest darkest"),
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
    (axes,) = figures.three_lengths(0.9).axes
    bars = sorted(axes.patches, key=lambda bar: bar.get_x())
    np.testing.assert_allclose([bar.get_height() for bar in bars], 0.1 * 0.9 ** np.arange(45), rtol=1e-12)
    colors = [bar.get_facecolor() for bar in bars]
    changes = [k for k in range(1, 45) if not same_color(colors[k - 1], colors[k])]
    assert changes == [7, 10]  # 6.6 steps hold half of the weight, 10 are the time constant
    (box,) = axes.get_lines()
    assert max(box.get_xdata()) == 19
    assert max(box.get_ydata()) == pytest.approx(1 / 19)


def test_variance_by_start_draws_what_it_is_given() -> None:
    steps = np.arange(1, 6)
    groups = {"corrected": np.random.default_rng(0).random((12, 5)) + 1, "first value": np.full((12, 5), 3.0)}
    theory = {"corrected": np.arange(5) + 1.0, "first value": np.arange(5) + 2.0, "limit": np.full(5, 0.25)}
    (axes,) = figures.variance_by_start(steps, groups, theory).axes
    drawn = [np.asarray(line.get_ydata(), float) for line in axes.get_lines()]
    np.testing.assert_allclose(drawn[0], groups["corrected"].mean(0), rtol=1e-12)
    np.testing.assert_array_equal(drawn[1], theory["corrected"])
    np.testing.assert_allclose(drawn[2], groups["first value"].mean(0), rtol=1e-12)
    np.testing.assert_array_equal(drawn[3], theory["first value"])
    assert set(drawn[4]) == {0.25}


def test_error_against_memory_adds_the_squares() -> None:
    memories, noise, lag = [1.0, 2.0, 5.0], [3.0, 2.0, 1.0], [0.0, 0.5, 2.0]
    errors = np.arange(36.0).reshape(12, 3) + 1
    (axes,) = figures.error_against_memory(memories, errors, noise=noise, lag=lag).axes
    drawn = lines(axes)
    np.testing.assert_allclose(drawn["_measured"], errors.mean(0), rtol=1e-12)
    np.testing.assert_allclose(drawn["_theory"], [3.0, np.sqrt(4.25), np.sqrt(5.0)], rtol=1e-12)
    np.testing.assert_array_equal(drawn["_lag"], [0.5, 2.0])  # zero has no place on a logarithmic axis


def test_variance_left_names_each_series() -> None:
    betas = [0.0, 0.5, 0.9]
    measured = {name: np.random.default_rng(k).random((12, 3)) + 0.1 for k, name in enumerate("abc")}
    theory = {name: np.array([1.0, 0.5, 0.1]) * (k + 1) for k, name in enumerate("abc")}
    names = {"a": "one", "b": "two", "c": "three"}
    (axes,) = figures.variance_left(betas, measured, theory, names=names).axes
    drawn = lines(axes)
    for name, label in names.items():
        np.testing.assert_allclose(drawn[label], measured[name].mean(0), rtol=1e-12)
    dashed = [line for line in axes.get_lines() if line.get_label() == "_theory"]
    for line, name in zip(dashed, "abc", strict=True):
        np.testing.assert_array_equal(line.get_ydata(), theory[name])
        np.testing.assert_allclose(line.get_xdata(), [1, 2, 10], rtol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.99])
def test_kernel_and_curve_states_the_error(beta: float) -> None:
    left, right = figures.kernel_and_curve(beta, 3.0).axes
    assert [bar.get_height() for bar in left.patches] == figures.kernel(beta, 60).tolist()
    truth, seen = figures.temperatures(3.0)
    m = ewma(seen, beta)
    np.testing.assert_allclose(lines(right)["_average"], m.numpy(), rtol=1e-12)
    error = np.sqrt(np.mean((m - truth)[100:].numpy() ** 2))
    assert right.get_title(loc="left") == f"noise 3 °C: the average is off by {error:.1f} °C"
