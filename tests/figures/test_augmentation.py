"""The data behind the figures of lesson 15."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import augmentation
from course_utils.intervals import Interval, mean_interval
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
    assert torch.allclose(changes["mixup, 60 : 40"], 0.6 * palace + 0.4 * flower, atol=1e-6)
    assert torch.equal(changes["shift"][:, 16:, :-24], palace[:, :-16, 24:])
    cut = changes["CutMix, 72 : 28"]
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


def test_smoothing_gap_draws_the_formula() -> None:
    gaps = torch.randn(12, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    [axes] = drawn(augmentation.smoothing_gap([0.1, 0.5], gaps, classes=10)).axes
    lines: dict[Any, Any] = {line.get_label(): line for line in axes.get_lines()}
    x, y = np.asarray(lines["_theory"].get_data(), float)
    assert y[0] == pytest.approx(np.log(91))
    assert y[-1] == pytest.approx(np.log(11))
    assert x[[0, -1]] == pytest.approx([0.1, 0.5])
    assert [y for _, y in dots(axes)] == pytest.approx([mean_interval(column).mean for column in gaps.T])


def test_mistakes_are_side_by_side() -> None:
    images = torch.rand(3, 3, 4, 5)
    axes = drawn(augmentation.mistakes(dict(zip("abc", images, strict=True)))).axes
    assert [a.get_title(loc="left") for a in axes] == ["a", "b", "c"]
    assert torch.equal(torch.tensor(np.asarray(axes[1].images[0].get_array())), images[1].permute(1, 2, 0))
