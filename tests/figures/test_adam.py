"""The data behind the figures of lesson 07."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from course_utils import plotting
from course_utils.figures import adam as figures
from course_utils.theory import adam_steps
from tests.mutants import mistakes

NAME = "course_utils.figures.adam"


def lines(axes: Axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), float) for line in axes.get_lines()}


def check_steps(module: ModuleType) -> None:
    """The steps are torch's, and 0 while no gradient has come."""
    g = torch.randn(60, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    p = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([p], lr=1.0, betas=(0.8, 0.95), eps=0.0)
    want = []
    for row in g:
        before = p.detach().clone()
        p.grad = row.clone()
        optimizer.step()
        want.append(before - p.detach())
    torch.testing.assert_close(module.steps_of(g, (0.8, 0.95)), torch.stack(want), rtol=1e-10, atol=1e-12)
    assert module.steps_of(torch.tensor([0.0, 0.0, 1.0])).tolist()[:2] == [0.0, 0.0]


def check_tug(module: ModuleType) -> None:
    """The path is torch's, with the rate, the clipping and the gradients of the lesson."""
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([p], betas=(0.5, 0.8), amsgrad=True)
    want = []
    for t in range(60):
        p.grad = torch.full_like(p, 4.0 if t % 3 == 0 else -1.0)
        optimizer.param_groups[0]["lr"] = 0.5 / (t + 1) ** 0.5
        optimizer.step()
        p.data.clamp_(-1, 1)
        want.append(p.item())
    assert min(want) == -1  # it is clipped somewhere
    got = module.tug_path(4.0, (0.5, 0.8), True)[:60]
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def check_map(module: ModuleType) -> None:
    drift = module.drift_map(0.5)
    assert drift.shape == (len(module.MEMORIES), len(module.MARGINS))
    memory, margin = float(module.MEMORIES[20]), float(module.MARGINS[7])
    want = adam_steps.cycle_drift(2 + margin, 3, 0.5, 1 - 1 / memory)
    assert drift[20, 7].item() == pytest.approx(want.item(), rel=1e-12)


def check_rows(module: ModuleType) -> None:
    """A row's loss is its cross-entropy less its entropy, for a word that is rare or common alike."""
    pairs = torch.tensor([[0.6, 0.3], [0.02, 0.08]], dtype=torch.float64)
    table = torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.float64)
    want = []
    for row, logits in zip(pairs, table, strict=True):
        q = row / row.sum()
        log_p = torch.log_softmax(logits, 0)
        want.append(float((-q * log_p).sum() - (-q * q.log()).sum()))
    assert module.row_losses(table, pairs).tolist() == pytest.approx(want, rel=1e-12)
    best = (pairs / pairs.sum(1, keepdim=True)).log()
    assert module.row_losses(best, pairs).abs().max() < 1e-15


def check_reached(module: ModuleType) -> None:
    """The best of the runs counts: after 100 steps, or the first that is down at its goal."""
    t = torch.arange(121, dtype=torch.float64)[:, None]
    losses = torch.cat([4 * 0.9**t, 0.95**t], 1)
    assert module.reached(losses) == pytest.approx(4 * 0.9**100)
    assert module.reached(losses, 0.1) == 22
    assert module.reached(losses, 1.0) == 0
    assert module.reached(losses, 1e-9) == float("inf")


CHECKS = [check_steps, check_tug, check_map, check_rows, check_reached]


@pytest.mark.parametrize("check", CHECKS)
def test_data(check: Callable[[ModuleType], None]) -> None:
    check(figures)


MUTANTS = [
    pytest.param(check_steps, "ewma(gradients**2, betas[1])", "ewma(gradients, betas[1]) ** 2", id="squares"),
    pytest.param(check_tug, "TUG_RATE / (t + 1) ** 0.5", "TUG_RATE", id="constant rate"),
    pytest.param(check_tug, "p.clamp_(-1, 1)", "p.clamp_(-2, 2)", id="interval"),
    pytest.param(check_tug, "amsgrad=amsgrad)\n    visited", "amsgrad=False)\n    visited", id="amsgrad"),
    pytest.param(check_map, "cycle_drift(2 + x, 3", "cycle_drift(x, 3", id="margin"),
    pytest.param(check_reached, "losses <= goal * losses[0]", "losses <= goal", id="not a part"),
    pytest.param(check_reached, "losses[100].min()", "losses[-1].min()", id="the end"),
    pytest.param(check_rows, "pairs / pairs.sum(1, keepdim=True)", "pairs", id="shares left in"),
]


test_a_mistake_is_caught = mistakes(NAME, MUTANTS)


def test_the_first_figure_draws_the_averages_and_the_step() -> None:
    above, below = figures.two_averages().axes
    g = figures.three_phases()
    drawn = lines(above)
    np.testing.assert_array_equal(drawn["_g"], g.numpy())
    np.testing.assert_allclose(lines(below)["_step"], drawn["m: direction"] / drawn["√v: size"], rtol=1e-12)
    means = g.view(3, -1).mean(1)
    assert 0.8 < means[0] < 1.2
    assert means[1].abs() < 0.2
    assert -1.2 < means[2] < -0.8


def test_learning_curves_draw_the_race_and_what_has_diverged_is_not_drawn() -> None:
    curves = {"momentum": torch.tensor([1.0, 0.1, torch.nan]), "Adam": torch.tensor([1.0, 0.01, 1e-4])}
    (axes,) = figures.learning_curves(curves).axes
    np.testing.assert_allclose(lines(axes)["Adam"], [1, 0.01, 1e-4], rtol=1e-6)
    assert lines(axes)["momentum"][2] == np.inf


def test_turning_over_draws_a_ratio_for_each_number_of_steps_and_for_each_goal() -> None:
    t = torch.arange(201, dtype=torch.float64)[:, None]
    slow, fast = torch.cat([0.98**t, 0 * t + 1], 1), 0.9**t
    above, below = figures.turning_over({name: [slow, fast] for name in "abcd"}, 64).axes
    np.testing.assert_allclose(lines(above)["b"], (0.98 / 0.9) ** np.arange(10, 201))
    drawn = {str(line.get_label()): line for line in below.get_lines()}["_b"]
    assert drawn.get_xdata().min() > 0.98**200  # further down the slow one is not there: not drawn
    k = np.abs(drawn.get_xdata() - 0.1).argmin()
    goal = np.log(drawn.get_xdata()[k])
    assert drawn.get_ydata()[k] == np.ceil(goal / np.log(0.98)) / np.ceil(goal / np.log(0.9))
    assert below.get_xlim()[0] > below.get_xlim()[1]
    assert "64 words" in above.get_title(loc="left")


def test_late_words_draw_a_dot_for_each_row() -> None:
    pairs = torch.rand(6, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    table = torch.zeros(6, 6, dtype=torch.float64)
    (axes,) = figures.late_words(pairs, {"Adam": table}).axes
    np.testing.assert_allclose(lines(axes)["_Adam"], figures.row_losses(table, pairs).numpy())


def test_rivals_show_a_dot_and_a_number_for_each() -> None:
    (axes,) = figures.rivals({"momentum": 0.01, "Adam": 3e-5}).axes
    (dots,) = [c for c in axes.collections if len(c.get_offsets()) == 2]
    np.testing.assert_allclose(np.asarray(dots.get_offsets())[:, 0], [0.01, 3e-5])
    assert {"0.01", "3·10⁻⁵"} <= {text.get_text() for text in axes.texts}


def test_left_out_draws_the_factors_and_what_was_measured() -> None:
    measured = torch.linspace(3, 1, 2000, dtype=torch.float64)
    (axes,) = figures.left_out(measured).axes
    drawn = lines(axes)
    assert drawn["_neither"][0] == pytest.approx(10**0.5)
    assert drawn["_m only"][0] == pytest.approx(1000**0.5)
    assert drawn["_v only"][0] == pytest.approx(0.1)
    assert all(drawn[name][-1] == pytest.approx(1, rel=1e-4) for name in ("_neither", "_m only", "_v only"))
    assert (drawn["_measured"][0], drawn["_measured"][-1]) == (3, 1)


def test_longest_steps_draw_the_bound_and_what_was_found() -> None:
    (axes,) = figures.longest_steps({1: 1.0, 100: 2.0}).axes
    drawn = lines(axes)
    np.testing.assert_allclose(drawn["_found"], [1, 2])
    assert drawn["_bound"][0] == pytest.approx(1)
    assert drawn["_bound"][-1] == pytest.approx(adam_steps.longest_step(figures.BETAS), rel=1e-3)


def test_step_against_noise_draws_theory_and_measurement() -> None:
    ratios = np.array([0.1, 1.0])
    both, v_only = torch.rand(12, 2, dtype=torch.float64), torch.ones(12, 2, dtype=torch.float64)
    (axes,) = figures.step_against_noise(ratios, both, v_only).axes
    np.testing.assert_allclose(lines(axes)["_adam"], both.mean(0).numpy(), rtol=1e-12)
    theory = [np.asarray(line.get_ydata()) for line in axes.get_lines() if line.get_label() == "_theory"]
    np.testing.assert_allclose(theory[0], 1, rtol=1e-12)
    assert theory[1][0] == pytest.approx(adam_steps.noisy_step(0.1, 0.9).item())


def test_turning_marks_where_each_run_ended() -> None:
    ends = torch.tensor([[1.0, -1.0], [-1.0, -1.0]])
    (axes,) = figures.turning([0.1, 1.0], [2.0, 100.0], ends).axes
    marks = {
        line.get_marker(): len(line.get_xdata()) for line in axes.get_lines() if line.get_label() == "_ends"
    }
    assert marks == {"o": 3, "X": 1}


@pytest.mark.parametrize(("memory", "words"), [(1.2, "wrong end"), (100.0, "minimum")])
def test_the_title_says_where_adam_goes(memory: float, words: str) -> None:
    below = figures.map_and_path(3.0, memory, 0.0).axes[1]
    assert words in below.get_title(loc="left")
    end = lines(below)["Adam"][-1]
    assert (end > 0) == (words == "wrong end")


def test_rates_tried_draw_each_method_on_its_own_grid() -> None:
    losses = {"Adam": torch.rand(6, 4), "momentum": torch.rand(18, 4)}
    (axes,) = figures.rates_tried(losses).axes
    drawn = {str(line.get_label()): line for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["Adam"].get_xdata(), 0.0025 * 2.0 ** np.arange(6))
    middle = drawn["momentum, β = 0.6"]
    np.testing.assert_allclose(middle.get_xdata(), 0.04 * 2.0 ** np.arange(6))
    np.testing.assert_allclose(middle.get_ydata(), losses["momentum"][6:12].mean(1).numpy(), rtol=1e-6)


def test_limits_draw_all_data_beyond_a_gap() -> None:
    (axes,) = figures.limits([32, 512], [1.0, 1.4, 300.0]).axes
    np.testing.assert_allclose(lines(axes)["_ratio"], [1, 1.4, 300])
    np.testing.assert_allclose(lines(axes)["_line"], [1, 1.4])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["32", "512", "all"]


def test_no_text_lies_on_another_at_any_stop_of_the_sliders() -> None:
    for C, memory, beta1 in ((2.1, 1.1, 0.0), (2.1, 2, 0.9), (10, 1000, 0.5), (3, 1.5, 0.0)):
        figure = figures.map_and_path(C, memory, beta1)
        plotting.png(figure)
        assert plotting.clashes(figure) == []


def test_tugs_draw_three_paths() -> None:
    path = np.linspace(0, 1, 30)
    (axes,) = figures.tugs([path, -path, 0 * path]).axes
    np.testing.assert_array_equal(lines(axes)["AMSGrad"], -path)
