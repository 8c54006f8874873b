"""The data behind the figures of lesson 15."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.augmentation import rotate
from course_utils.figures import augmentation
from course_utils.intervals import Interval
from tests.figures.reading import drawn
from tests.mutants import mistakes


def interval(mean: float) -> Interval:
    return Interval(mean, mean - 0.01, mean + 0.02, 0.005, 24, 0.99)


def check_changes(module: Any) -> None:
    palace, flower = module.photographs()
    changes = module.each_change()
    assert len(changes) == 10
    assert all(image.shape == palace.shape for image in changes.values())
    assert all(float(image.min()) >= 0 and float(image.max()) <= 1 for image in changes.values())
    assert torch.equal(changes["the photograph"], palace)
    assert torch.equal(changes["its partner"], flower)
    assert torch.equal(changes["flip"].flip(-1), palace)
    assert torch.allclose(changes["mixup"], 0.6 * palace + 0.4 * flower, atol=1e-6)
    assert torch.equal(changes["shift"][:, 16:, :-24], palace[:, :-16, 24:])
    cut = changes["CutMix"]
    from_flower = ((cut == flower).all(0) & (cut != palace).any(0)).double().mean()
    assert float(from_flower) == pytest.approx(0.28, abs=0.005)
    for name in set(changes) - {"the photograph"}:
        assert not torch.equal(changes[name], palace), name


def check_mixed(module: Any) -> None:
    """The label's share is the share of pixels that are really the palace's."""
    palace, flower = module.photographs()
    for lam in (0.2, 0.6, 0.8):
        for place in (0.0, 0.2, 0.5, 1.0):
            found = module.mixed(lam, place)
            assert found.mixup_share == pytest.approx(lam)
            assert torch.allclose(found.mixup, lam * palace + (1 - lam) * flower, atol=1e-6)
            pasted = (found.cutmix != palace).any(0)
            assert torch.equal(found.cutmix[:, pasted], flower[:, pasted])
            assert 1 - found.cutmix_share == pytest.approx(float(pasted.double().mean()), abs=0.005)
    assert module.mixed(0.6, 0.5).cutmix_share == pytest.approx(0.6, abs=0.01)
    assert module.mixed(0.6, 0.0).cutmix_share == pytest.approx(0.9, abs=0.01)  # a quarter of the box is left
    assert torch.equal(module.mixed(1.0, 0.5).cutmix, palace)
    assert torch.equal(module.mixed(0.0, 0.5).cutmix, flower)


@pytest.mark.parametrize("check", [check_changes, check_mixed], ids=lambda check: check.__name__)
def test_pictures(check: Any) -> None:
    check(augmentation)


test_mistakes_are_caught = mistakes(
    "course_utils.figures.augmentation",
    [
        (check_mixed, "(1 - lam) ** 0.5", "(1 - lam)"),
        (check_mixed, "start = centre - length // 2", "start = centre"),
        (check_mixed, "float(patch_label[0, 0])", "lam"),
        (check_mixed, "mixup(both, one, swap, lam)", "mixup(both, one, swap, 1 - lam)"),
        (check_changes, "mixup(both, one, swap, 0.6)[0][:1]", "mixup(both, one, swap, 0.6)[0][1:]"),
        (check_changes, "hflip(palace, torch.tensor([True]))", "hflip(palace, torch.tensor([False]))"),
    ],
)


def test_gallery_has_a_name_over_each_picture() -> None:
    axes = drawn(augmentation.gallery()).axes
    assert [a.get_title(loc="left") for a in axes] == list(augmentation.each_change())
    assert all(len(a.images) == 1 for a in axes)


@pytest.mark.parametrize("lam", [0.0, 0.6, 1.0])
def test_mixing_draws_the_label(lam: float) -> None:
    axes = drawn(augmentation.mixing(lam, 0.2)).axes
    found = augmentation.mixed(lam, 0.2)
    for bar, share in zip(axes[2:], (found.mixup_share, found.cutmix_share), strict=True):
        assert [patch.get_width() for patch in bar.patches] == pytest.approx([share, 1 - share])
        assert bar.get_xlim() == (0, 1)


def dots(axes: Any) -> list[tuple[float, float]]:
    """Where the markers are, (x, y)."""
    lines = [line for line in axes.get_lines() if line.get_marker() == "o"]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]


def test_effects_places_each_interval() -> None:
    table = {
        "flip": {"a": interval(-0.1), "b": interval(0.2)},
        "shift": {"a": interval(0.0), "b": interval(0.3)},
    }
    [axes] = drawn(augmentation.effects(table, title="A finding")).axes
    assert [x for x, _ in dots(axes)] == pytest.approx([-10.0, 20.0, 0.0, 30.0])
    assert [round(y) for _, y in dots(axes)] == [0, 0, 1, 1]
    first: Any = axes.get_lines()[0]
    assert np.asarray(first.get_xdata()) == pytest.approx([-11.0, -8.0])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["flip", "shift"]


def line(axes: Any, label: str) -> Any:
    [found] = [line for line in axes.get_lines() if line.get_label() == label]
    return np.column_stack([np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)])


def test_over_steps_draws_each_change_in_its_world() -> None:
    rng = np.random.default_rng(0)
    worlds = {w: {c: rng.uniform(0.4, 0.9, (12, 4)) for c in ("none", "shift", "flip")} for w in ("A", "B")}
    steps = [30, 90, 300, 900]
    for axes, (title, curves) in zip(
        drawn(augmentation.over_steps(steps, worlds)).axes, worlds.items(), strict=True
    ):
        assert axes.get_title(loc="left") == title
        for name, values in curves.items():
            assert line(axes, name) == pytest.approx(np.stack([steps, 100 * values.mean(0)], 1))


def test_strengths_rings_the_angle_that_happens() -> None:
    rng = np.random.default_rng(1)
    worlds = {"upright": (rng.uniform(size=(12, 3)), 0.0), "turned": (rng.uniform(size=(12, 3)), 45.0)}
    [axes] = drawn(augmentation.strengths((0.0, 45.0, 90.0), worlds)).axes
    for (name, (values, _)), place in zip(worlds.items(), (0, 1), strict=True):
        assert line(axes, name) == pytest.approx(np.stack([range(3), 100 * values.mean(0)], 1))
        rings = [ring for ring in axes.get_lines() if ring.get_label() == "_own"]
        assert rings[place].get_xdata()[0] == place
        assert rings[place].get_ydata()[0] == pytest.approx(100 * values.mean(0)[place])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["none", "±45°", "±90°"]


def check_broken(module: Any) -> None:
    """The right one is rigid, the others are not; each fault is the one that its name says."""
    module.broken.cache_clear()
    palace, pictures = module.photographs()[0], module.broken()
    assert torch.allclose(pictures["right"], rotate(palace[None], 20.0)[0], atol=1e-5)
    bytes_ = (palace * 255).byte()
    dark = bytes_ >= 176  # 176 + 80 = 256
    assert bool((pictures["bytes that overflow"][dark] < palace[dark]).all())
    assert bool((pictures["bytes that overflow"][~dark] > palace[~dark]).all())
    # our upper left corner is where the larger picture turned: it stays
    assert torch.allclose(pictures["about the corner"][:, :2, 1], palace[:, :2, 1], atol=0.01)
    # near the centre the shear moves little, farther out it does
    middle = (slice(None), 64, slice(90, 102))
    assert torch.allclose(pictures["a matrix in affine_grid"][middle], pictures["right"][middle], atol=0.3)
    assert not torch.allclose(pictures["a matrix in affine_grid"], pictures["right"], atol=0.3)


def test_broken_pictures() -> None:
    check_broken(augmentation)


test_broken_mistakes_are_caught = mistakes(
    "course_utils.figures.augmentation",
    [
        (check_broken, '"right": rotate(palace, 20.0)', '"right": rotate(palace, -20.0)'),
        (check_broken, "[..., height:, width:]", "[..., :height, :width]"),
        (check_broken, ".byte() + 80).float()", ".byte().float() + 80)"),
    ],
)


def test_mistakes_are_side_by_side() -> None:
    axes = drawn(augmentation.mistakes()).axes
    assert [a.get_title(loc="left") for a in axes] == list(augmentation.broken())
