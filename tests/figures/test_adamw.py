"""The data behind the figures of lesson 08."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.figures import adamw as figures
from course_utils.seeds.decay import DecayGrid, Half
from course_utils.theory import weight_decay
from tests.figures.reading import curves, drawn, heights, lines
from tests.mutants import mistakes

NAME = "course_utils.figures.adamw"


def twins(module: ModuleType, method: str, decay: float, steps: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return module.left_of_twins(
        method, (0.1, 2.0), decay=decay, lr=0.01, steps=steps, shape=(2, 3), generator=generator
    )


def check_decoupled_twins(module: ModuleType) -> None:
    """AdamW leaves (1 - lr λ)**t of each pair, exactly, whatever the noise."""
    left = twins(module, "adamw", 0.5)
    want = (1 - 0.01 * 0.5) ** torch.arange(31, dtype=torch.float64)
    assert left.shape == (31, 2, 2, 3)
    torch.testing.assert_close(left, want[:, None, None, None].expand_as(left), rtol=1e-12, atol=1e-12)


def check_twins_without_decay(module: ModuleType) -> None:
    """Both twins see the same noise, so without decay nothing comes between them."""
    for method in ("adam", "adamw"):
        left = twins(module, method, 0.0)
        torch.testing.assert_close(left, torch.ones_like(left), rtol=1e-12, atol=1e-12)


def check_penalty_twins(module: ModuleType) -> None:
    """Each pair is torch's Adam with weight_decay, run twice on the same gradients."""
    left = twins(module, "adam", 0.5)
    generator = torch.Generator().manual_seed(0)
    pair = [torch.full((2, 2, 3), sign, dtype=torch.float64, requires_grad=True) for sign in (1.0, -1.0)]
    optimizer = torch.optim.Adam(pair, lr=0.01, weight_decay=0.5)
    sigma = torch.tensor([0.1, 2.0], dtype=torch.float64)[:, None, None]
    for t in range(1, 31):
        noise = sigma * torch.randn(2, 2, 3, generator=generator, dtype=torch.float64)
        for p in pair:
            p.grad = noise.clone()
        optimizer.step()
        torch.testing.assert_close(left[t], (pair[0] - pair[1]).detach() / 2, rtol=1e-12, atol=1e-12)


def check_twins_with_a_mean(module: ModuleType) -> None:
    """Of g = 1, seen through noise of size 1, L2 takes the slope of g / sqrt(g**2 + 1): 2**-1.5 of decay."""
    generator = torch.Generator().manual_seed(0)
    options = {"decay": 0.1, "lr": 1e-4, "steps": 400, "shape": (400,), "generator": generator}
    left = module.left_of_twins("adam", (0.0, 1.0), mean=1.0, **options)[-1].mean(-1)
    steady, noisy = ((1 - left) / (0.1 * 1e-4 * 400)).tolist()
    assert steady == pytest.approx(0, abs=0.005)
    assert noisy == pytest.approx(2**-1.5, abs=0.015)


def check_plane(module: ModuleType) -> None:
    """Without noise Adam ends at the penalty's minimum, AdamW near the box; the trace ends at the target."""
    torch.testing.assert_close(module.penalty_ends([1e-9])[0], module.TARGET, rtol=1e-6, atol=0)
    penalty = module.plane_path("adam", 0.5, 0.0)
    assert penalty.shape == (module.PLANE_STEPS + 1, 2)
    torch.testing.assert_close(penalty[-1], module.penalty_ends([0.5])[0], rtol=0, atol=1e-3)
    inside, outside = module.plane_path("adamw", 0.2, 0.0)[-1], module.plane_path("adamw", 0.5, 0.0)[-1]
    torch.testing.assert_close(inside, module.TARGET, rtol=0, atol=0.01)
    assert 1.98 < float(outside[0]) < 2.0


def check_lowest(module: ModuleType) -> None:
    """A parabola in log x is met at its lowest point; at an end or beside a failed run a point is taken."""
    x = np.array([0.01, 0.04, 0.16, 0.64])
    place, height = module.lowest(x, 0.3 + 2 * np.log(x / 0.1) ** 2)
    assert (place, height) == (pytest.approx(0.1, rel=1e-9), pytest.approx(0.3, rel=1e-9))
    for y in ([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [9.0, 1.0, np.inf, np.inf]):
        assert module.lowest(x, np.array(y)) == (x[int(np.argmin(y))], 1.0)


CHECKS = [
    check_decoupled_twins, check_twins_without_decay, check_penalty_twins, check_twins_with_a_mean,
    check_plane, check_lowest,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_the_data(check: Any) -> None:
    check(figures)


MUTANTS = [
    pytest.param(
        check_decoupled_twins, "torch.stack([upper, -upper])", "torch.stack([upper, upper])", id="one twin"
    ),
    pytest.param(
        check_decoupled_twins, "path[:, 1]) / 2", "path[:, 1])", id="the distance, not half of it"
    ),
    pytest.param(
        check_twins_without_decay, "torch.stack([g, g])", "torch.stack([g, -g])", id="odd"
    ),
    pytest.param(check_penalty_twins, '{"adam": Adam,', '{"adam": AdamW,', id="no penalty"),
    pytest.param(check_penalty_twins, "mean + sigma *", "mean +", id="one size"),
    pytest.param(check_twins_with_a_mean, "mean + sigma", "sigma", id="mean forgotten"),
    pytest.param(check_lowest, "2 * here + after\n", "here + after\n", id="bend of another parabola"),
    pytest.param(check_lowest, "** shift), float(here", "** -shift), float(here", id="the other side"),
    pytest.param(check_lowest, "k in (0, len(y) - 1) or ", "k == len(y) or ", id="beyond the end"),
    pytest.param(check_plane, "h @ TARGET", "TARGET", id="curvature forgotten"),
    pytest.param(check_plane, "grad(p - TARGET)", "grad(p)", id="minimum at zero"),
    pytest.param(check_plane, "PLANE_RATE * fall(step)", "PLANE_RATE", id="constant rate"),
]  # fmt: skip


test_a_mistake_is_caught = mistakes(NAME, MUTANTS, also=(ValueError, IndexError))


def test_two_decays_draws_what_was_run() -> None:
    left, right = drawn(figures.two_decays()).axes
    for k, (size, label) in enumerate(figures.SIZES.items()):
        np.testing.assert_array_equal(heights(left)[label], figures.shrinking("adam")[:, k].numpy())
        assert left.get_lines()[k].get_color() == figures.SHADES[size]
        np.testing.assert_array_equal(
            right.get_lines()[k].get_ydata(), figures.shrinking("adamw")[:, k].numpy()
        )


def test_decay_against_size() -> None:
    sizes, rng = [0.01, 0.1, 1.0, 10.0], np.random.default_rng(0)
    penalty, decoupled = rng.uniform(0.1, 1, (12, 4)), rng.uniform(0.1, 1, (12, 4))
    [axes] = drawn(figures.decay_against_size(sizes, penalty, decoupled, decay=0.2)).axes
    found = heights(axes)
    np.testing.assert_allclose(found["Adam + L2"], penalty.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["AdamW"], decoupled.mean(0), rtol=1e-12)
    want = 0.2 / np.hypot(np.geomspace(0.01, 10, 80), 0.2)
    np.testing.assert_allclose(found["_penalty"], want, rtol=1e-12)
    assert set(found["_decoupled"]) == {0.2}


def test_rest_against_noise() -> None:
    noises, rng = [0.1, 1.0, 2.0], np.random.default_rng(0)
    penalty, decoupled = rng.uniform(0.5, 1, (12, 3)), rng.uniform(0.5, 1, (12, 3))
    [axes] = drawn(figures.rest_against_noise(noises, penalty, decoupled, decay=0.5)).axes
    found = heights(axes)
    np.testing.assert_allclose(found["Adam + L2"], penalty.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["AdamW"], decoupled.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["_penalty"], 1 / 1.5, rtol=1e-12)
    ends = weight_decay.decoupled_rest(1.0, 0.5, noise=torch.tensor([0.1, 2.0]).double())
    np.testing.assert_allclose(found["_decoupled"][[0, -1]], ends.numpy(), rtol=1e-6)


def test_into_the_box_draws_both_paths_and_both_lines() -> None:
    paths = {0.9: torch.linspace(0, 40, 501).double(), 0.99: torch.linspace(0, 30, 501).double()}
    [axes] = drawn(figures.into_the_box(paths, edge=40, mean=60)).axes
    found = curves(axes)
    for beta2, path in paths.items():
        points = found[f"β₂ = {beta2:g}"]
        np.testing.assert_array_equal(points[:, 1], path.numpy()[points[:, 0].astype(int)])
        assert (points[0, 0], points[-1, 0]) == (1, 500)
    assert set(found["_edge of the box, 1/λ"][:, 1]) == {40}
    assert set(found["_mean: the minimum"][:, 1]) == {60}


def made_up_grid() -> DecayGrid:
    rng = np.random.default_rng(0)
    lrs = torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64)
    halves = [
        Half(torch.tensor(x, dtype=torch.float64), torch.tensor(rng.uniform(0.5, 1, (5, 3, len(x)))), lrs)
        for x in ([1e-3, 1e-2, 1e-1], [0.1, 1.0, 10.0, 100.0])
    ]
    return DecayGrid(lrs, *halves)


@pytest.mark.parametrize("power", [1, 2])
def test_which_number_draws_the_same_losses_against_each_number(power: int) -> None:
    grid = made_up_grid()
    panels = drawn(figures.which_number(grid, power_of_l2=power)).axes
    for k, (half, last) in enumerate(((grid.decoupled, 1), (grid.l2, power))):
        for axes, of_lr in zip(panels[2 * k : 2 * k + 2], (0, last), strict=True):
            found, marks = curves(axes), lines(axes, "_lowest")
            assert axes.get_xlabel() == figures.POWERS[of_lr]
            assert axes.get_title(loc="left").endswith(f"against {figures.POWERS[of_lr]}")
            for i, lr in enumerate(grid.lrs.tolist()):
                points = found[f"η = {lr:g}"]
                np.testing.assert_allclose(points[:, 0], half.strengths.numpy() * lr**of_lr, rtol=1e-12)
                np.testing.assert_allclose(points[:, 1], half.loss[:, i].mean(0).numpy(), rtol=1e-12)
                np.testing.assert_allclose(marks[i][0], figures.lowest(points[:, 0], points[:, 1]), rtol=1e-9)


def test_accuracy_of_rates() -> None:
    rng = np.random.default_rng(0)
    accuracies = {name: rng.uniform(0.8, 0.9, (4, 3)) for name in ("no decay", "AdamW", "Adam + L2")}
    [axes] = drawn(figures.accuracy_of_rates([0.01, 0.02, 0.04], accuracies)).axes
    for name, values in accuracies.items():
        np.testing.assert_allclose(heights(axes)[name], 100 * values.mean(0), rtol=1e-12)


@pytest.mark.parametrize(("decay", "noise", "said"), [(0.3, 0.0, "holds"), (0.5, 1.0, "shuts out")])
def test_endings_draws_both_paths_and_the_box(decay: float, noise: float, said: str) -> None:
    [axes] = drawn(figures.endings(decay, noise)).axes
    for key in ("adam", "adamw"):
        (path,) = [line for line in axes.get_lines() if line.get_label() == f"_{key}"]
        np.testing.assert_array_equal(path.get_xydata(), figures.plane_path(key, decay, noise).numpy())
        assert path.get_color() == plotting.colour(key)
    (box,) = axes.patches
    np.testing.assert_allclose(box.get_bbox().extents, np.array([-1, -1, 1, 1]) / decay, rtol=1e-12)
    title = axes.get_title(loc="left")
    assert said in title
    assert ("noise" in title) == (noise > 0)
