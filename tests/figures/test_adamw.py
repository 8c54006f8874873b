"""The data behind the figures of lesson 08."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.figures import adamw as figures
from course_utils.theory import weight_decay
from tests.figures.reading import drawn, heights
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


def check_plane(module: ModuleType) -> None:
    """Without noise Adam ends at the penalty's minimum, AdamW near the box; the trace ends at the target."""
    torch.testing.assert_close(module.penalty_ends([1e-9])[0], module.TARGET, rtol=1e-6, atol=0)
    penalty = module.plane_path("adam", 0.5, 0.0)
    assert penalty.shape == (module.PLANE_STEPS + 1, 2)
    torch.testing.assert_close(penalty[-1], module.penalty_ends([0.5])[0], rtol=0, atol=1e-3)
    inside, outside = module.plane_path("adamw", 0.2, 0.0)[-1], module.plane_path("adamw", 0.5, 0.0)[-1]
    torch.testing.assert_close(inside, module.TARGET, rtol=0, atol=0.01)
    assert 1.9 < float(outside[0]) < 2.0


CHECKS = [check_decoupled_twins, check_twins_without_decay, check_penalty_twins, check_plane]


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
        check_twins_without_decay, "torch.stack([noise, noise])", "torch.stack([noise, -noise])", id="odd"
    ),
    pytest.param(check_penalty_twins, '{"adam": Adam,', '{"adam": AdamW,', id="no penalty"),
    pytest.param(check_penalty_twins, "noise = sigma *", "noise =", id="one size"),
    pytest.param(check_plane, "h @ TARGET", "TARGET", id="curvature forgotten"),
    pytest.param(check_plane, "grad(p - TARGET)", "grad(p)", id="minimum at zero"),
    pytest.param(check_plane, "PLANE_RATE * fall(step)", "PLANE_RATE", id="constant rate"),
]  # fmt: skip


test_a_mistake_is_caught = mistakes(NAME, MUTANTS)


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
    np.testing.assert_allclose(found["Adam + penalty"], penalty.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["AdamW"], decoupled.mean(0), rtol=1e-12)
    want = 0.2 / np.hypot(np.geomspace(0.01, 10, 80), 0.2)
    np.testing.assert_allclose(found["_penalty"], want, rtol=1e-12)
    assert set(found["_decoupled"]) == {0.2}


def test_rest_against_noise() -> None:
    noises, rng = [0.1, 1.0, 2.0], np.random.default_rng(0)
    penalty, decoupled = rng.uniform(0.5, 1, (12, 3)), rng.uniform(0.5, 1, (12, 3))
    [axes] = drawn(figures.rest_against_noise(noises, penalty, decoupled, decay=0.5)).axes
    found = heights(axes)
    np.testing.assert_allclose(found["Adam + penalty"], penalty.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["AdamW"], decoupled.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["_penalty"], 1 / 1.5, rtol=1e-12)
    ends = weight_decay.decoupled_rest(1.0, 0.5, noise=torch.tensor([0.1, 2.0]).double())
    np.testing.assert_allclose(found["_decoupled"][[0, -1]], ends.numpy(), rtol=1e-6)


def test_accuracy_against_decay() -> None:
    rng = np.random.default_rng(0)
    penalty, decoupled, none = (
        rng.uniform(0.8, 0.9, (12, 3)),
        rng.uniform(0.8, 0.9, (12, 4)),
        np.full(12, 0.7),
    )
    figure = figures.accuracy_against_decay(
        ([0.01, 0.1, 0.2], penalty), ([0.5, 1.0, 2.0, 4.0], decoupled), none
    )
    [axes] = drawn(figure).axes
    np.testing.assert_allclose(heights(axes)["_adam"], 100 * penalty.mean(0), rtol=1e-12)
    np.testing.assert_allclose(heights(axes)["_adamw"], 100 * decoupled.mean(0), rtol=1e-12)
    np.testing.assert_allclose(heights(axes)["_none"], 70, rtol=1e-12)
    (text,) = [t for t in axes.texts if t.get_text() == "AdamW"]
    assert text.get_position()[0] == [0.5, 1.0, 2.0, 4.0][int(decoupled.mean(0).argmax())]


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
