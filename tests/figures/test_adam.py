"""The data behind the figures of lesson 07."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

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
    for t in range(40):
        p.grad = torch.full_like(p, 6.0 if t % 5 == 0 else -1.0)
        optimizer.param_groups[0]["lr"] = 0.5 / (t + 1) ** 0.5
        optimizer.step()
        p.data.clamp_(-1, 1)
        want.append(p.item())
    assert min(want) == -1  # it is clipped somewhere
    got = module.tug_path(5, (0.5, 0.8), True, 0.5, 40)
    torch.testing.assert_close(got, torch.tensor(want, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def check_map(module: ModuleType) -> None:
    drift = module.drift_map(0.5)
    assert drift.shape == (len(module.PERIODS), len(module.MEMORIES))
    n, memory = int(module.PERIODS[4]), float(module.MEMORIES[7])
    want = adam_steps.cycle_drift(1.5 * (n - 1), n, 0.5, 1 - 1 / memory) / n
    assert drift[4, 7].item() == pytest.approx(want.item(), rel=1e-12)


def check_streams(module: ModuleType) -> None:
    steps = module.three_streams()
    torch.testing.assert_close(steps["steady"], torch.ones(60, dtype=torch.float64), rtol=1e-12, atol=0)
    assert int(steps["lone"].argmax()) == 29
    assert steps["lone"][:29].abs().max() == 0
    bound = adam_steps.longest_step(figures.BETAS)
    assert 0.999 * bound < steps["growing"][-1] <= bound


CHECKS = [check_steps, check_tug, check_map, check_streams]


@pytest.mark.parametrize("check", CHECKS)
def test_data(check) -> None:
    check(figures)


MUTANTS = [
    pytest.param(check_steps, "ewma(gradients**2, betas[1])", "ewma(gradients, betas[1]) ** 2", id="squares"),
    pytest.param(check_tug, "lr / (t + 1) ** 0.5", "lr", id="constant rate"),
    pytest.param(check_tug, "p.clamp_(-1, 1)", "p.clamp_(-2, 2)", id="interval"),
    pytest.param(check_tug, "amsgrad=amsgrad)\n    visited", "amsgrad=False)\n    visited", id="amsgrad"),
    pytest.param(check_map, "beta1, beta2) / n for", "beta1, beta2) for", id="per round"),
    pytest.param(check_streams, "growth ** (-ages)", "growth**ages", id="falling"),
]


test_a_mistake_is_caught = mistakes(NAME, MUTANTS)


def test_the_first_figure_draws_the_averages_and_the_step() -> None:
    above, below = figures.two_averages().axes
    g = figures.three_phases()
    drawn = lines(above)
    np.testing.assert_array_equal(drawn["_g"], g.numpy())
    np.testing.assert_allclose(lines(below)["_step"], drawn["m: direction"] / drawn["√v: size"], rtol=1e-12)
    means = g.view(3, -1).mean(1)
    assert means[0].abs() < 0.3
    assert 0.8 < means[1] < 1.2
    assert -1.2 < means[2] < -0.8


def test_left_out_draws_the_factors() -> None:
    (axes,) = figures.left_out().axes
    drawn = lines(axes)
    assert drawn["_neither"][0] == pytest.approx(10**0.5)
    assert drawn["_m only"][0] == pytest.approx(1000**0.5)
    assert drawn["_v only"][0] == pytest.approx(0.1)
    assert all(drawn[name][-1] == pytest.approx(1, rel=1e-4) for name in ("_neither", "_m only", "_v only"))


def test_step_against_noise_draws_theory_and_measurement() -> None:
    ratios = np.array([0.1, 1.0])
    both, v_only = torch.rand(12, 2, dtype=torch.float64), torch.ones(12, 2, dtype=torch.float64)
    (axes,) = figures.step_against_noise(ratios, both, v_only).axes
    np.testing.assert_allclose(lines(axes)["_adam"], both.mean(0).numpy(), rtol=1e-12)
    theory = [np.asarray(line.get_ydata()) for line in axes.get_lines() if line.get_label() == "_theory"]
    np.testing.assert_allclose(theory[0], 1, rtol=1e-12)
    assert theory[1][0] == pytest.approx(adam_steps.noisy_step(0.1, 0.9).item())


def test_loss_in_other_units_caps_what_has_diverged() -> None:
    losses = {"adam": torch.full((3, 2), 0.2), "momentum": torch.tensor([[0.2, torch.inf]] * 3)}
    (axes,) = figures.loss_in_other_units([1.0, 1000.0], losses).axes
    np.testing.assert_allclose(lines(axes)["_momentum"], [0.2, 1000], rtol=1e-6)


@pytest.mark.parametrize(("period", "words"), [(10, "wrong end"), (3, "minimum")])
def test_the_title_says_where_adam_goes(period: int, words: str) -> None:
    right = figures.map_and_path(period, 2.0 if period == 10 else 100.0, 0.0).axes[1]
    assert words in right.get_title(loc="left")
    end = lines(right)["Adam"][-1]
    assert (end > 0) == (words == "wrong end")


def test_tugs_and_film_draw() -> None:
    path = torch.linspace(0, 1, 30, dtype=torch.float64)
    (axes,) = figures.tugs({"AMSGrad": path}).axes
    np.testing.assert_array_equal(lines(axes)["AMSGrad"], path.numpy())
    assert figures.map_film(0.9).axes[0].get_title(loc="left") == "β₁ = 0.90"
    assert figures.longest_steps().axes[0].get_title(loc="left").startswith("Growing")
