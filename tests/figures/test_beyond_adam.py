"""The data behind the figures of lesson 18."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from course_utils.figures import beyond_adam
from course_utils.race.baseline import tuned
from course_utils.seeds.muon import newton_schulz_batched
from tests.figures.reading import drawn, line, texts
from tests.mutants import mistakes


def test_the_three_steps_end_where_the_rulers_say() -> None:
    left, middle, right = drawn(beyond_adam.three_balls()).axes
    g = np.array(beyond_adam.GRADIENT)
    for axes, norm in ((left, 2), (middle, np.inf)):
        [arrow] = [text for text in axes.texts if hasattr(text, "arrow_patch")]
        step = np.array(arrow.xy)
        assert np.linalg.norm(step, norm) == pytest.approx(1)
        assert step @ g == pytest.approx(-np.linalg.norm(g, 2 if norm == 2 else 1))  # as far as the dual norm
        ball = line(axes, "_ball")
        assert np.linalg.norm(ball, norm, axis=1) == pytest.approx(1)
        assert (ball @ g >= step @ g - 1e-9).all()
    heights = [bar.get_height() for bar in right.patches]
    assert heights[4:] == [1, 1, 1, 1]
    assert all(0 < h <= 1 for h in heights[:4])


def check_quintic(module: Any) -> None:
    g = torch.randn(5, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    s = torch.linalg.svdvals(g)
    for steps in (0, 1, 5):
        expected = torch.linalg.svdvals(newton_schulz_batched(g, steps=steps))
        found = module.quintic(s / s.norm(), steps).sort(descending=True)[0]
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert float(module.quintic(torch.tensor(0.5), 1, (2.0, 0.0, 4.0))) == 1.125


def test_the_map_of_singular_values() -> None:
    check_quintic(beyond_adam)


@pytest.mark.parametrize(("steps", "columns"), [(0, 64), (5, 64), (3, 96)])
def test_the_spectrum_of_one_choice(steps: int, columns: int) -> None:
    left, right = drawn(beyond_adam.spectrum(steps, columns)).axes
    points = line(left, "_map")
    assert points[:, 1] == pytest.approx(beyond_adam.quintic(torch.from_numpy(points[:, 0]), steps).numpy())
    g = beyond_adam.gaussian(columns)
    assert g.shape == (64, columns)
    before, after = line(right, "before")[:, 1], line(right, "after")[:, 1]
    assert (before**2).sum() == pytest.approx(1)
    expected = torch.linalg.svdvals(newton_schulz_batched(g, steps=steps)).numpy()
    assert after == pytest.approx(expected)
    assert f"{steps} steps" in left.get_title(loc="left")
    assert f"64 × {columns}" in right.get_title(loc="left")


def test_the_spectrum_shows_what_its_alt_text_says() -> None:
    """A square matrix keeps a tail after five steps, a wide one has none after five."""
    after = torch.linalg.svdvals(newton_schulz_batched(beyond_adam.gaussian(64)))
    assert after[-1] < 0.5
    assert after[:-4].min() > 0.68
    assert torch.linalg.svdvals(newton_schulz_batched(beyond_adam.gaussian(96))).min() > 0.68


def test_planned_or_not() -> None:
    lengths, path = [10, 20, 40], torch.linspace(1, 0.1, 41)
    [axes] = drawn(
        beyond_adam.planned_or_not(lengths, [3, 2, 1], [6, 5, 4], path / 2, path, directions=8)
    ).axes
    assert line(axes, "cosine, planned").tolist() == [[10, 3], [20, 2], [40, 1]]
    assert line(axes, "best constant rate").tolist() == [[10, 6], [20, 5], [40, 4]]
    free = line(axes, "schedule-free, β = 0.9")
    assert free[[0, -1], 0].tolist() == [10, 40]
    assert free[:, 1] == pytest.approx(path[10:].numpy())
    assert line(axes, "schedule-free, β = 0")[:, 1] == pytest.approx(path[10:].numpy() / 2)
    assert line(axes, "limit, d / 2T")[0].tolist() == [10, 0.4]


def test_spectra_are_medians_over_seeds() -> None:
    rng = np.random.default_rng(0)
    before = {name: rng.random((5, 4)) + 0.1 for name in ("one", "many")}
    after = {name: rng.random((5, 4)) + 0.1 for name in before}
    left, right = drawn(beyond_adam.spectra(before, after)).axes
    for axes, values in ((left, before), (right, after)):
        for name, found in values.items():
            assert line(axes, name)[:, 1] == pytest.approx(np.median(found, 0))


def check_rates(module: Any) -> None:
    rng = np.random.default_rng(0)
    lrs, losses = [0.01, 0.02, 0.04], {name: 0.2 + 0.1 * rng.random((12, 3)) for name in ("Adam", "Muon")}
    [axes] = drawn(module.rates({name: (lrs, one) for name, one in losses.items()})).axes
    for name, one in losses.items():
        assert line(axes, name).tolist() == pytest.approx(np.column_stack([lrs, one.mean(0)]))
    orders = {"Adam": (lrs, losses["Adam"]), "measure first": (lrs, losses["Muon"])}
    [axes] = drawn(module.orders(orders)).axes
    for name, one in zip(orders, losses.values(), strict=True):
        assert line(axes, name).tolist() == pytest.approx(np.column_stack([lrs, one.mean(0)]))


def test_the_valleys_are_means_over_seeds() -> None:
    check_rates(beyond_adam)


def test_sam_beside_momentum() -> None:
    names = ("momentum, 640 steps", "momentum, 320 steps", "SAM, 320 steps")
    recorded = tuned()
    curves = {
        name: replace(recorded, lrs=[0.01, 0.1], accuracy=[0.9 - 0.1 * k, 0.8])
        for k, name in enumerate(names)
    }
    [axes] = drawn(beyond_adam.sam_rates(curves)).axes
    for k, name in enumerate(names):
        assert line(axes, name) == pytest.approx(np.array([[0.01, 90 - 10 * k], [0.1, 80]]))


def test_clouds_and_batches() -> None:
    rng = np.random.default_rng(0)
    clouds = {name: (2 + rng.random(5), 0.8 + 0.1 * rng.random(5)) for name in ("SAM", "a", "b")}
    [axes] = drawn(beyond_adam.flatness(clouds)).axes
    for name, (sharp, right) in clouds.items():
        assert line(axes, f"_{name}").tolist() == pytest.approx(np.column_stack([sharp, 100 * right]))
    assert texts(axes) == list(clouds)
    found = {name: rng.random((12, 3)) for name in ("the average", "one gradient")}
    [axes] = drawn(beyond_adam.batches([8, 32, 500], found)).axes
    for name, losses in found.items():
        assert line(axes, name)[:, 1] == pytest.approx(losses.mean(0))


MUTANTS: dict[str, tuple[str, str, Any]] = {
    "cubic-term-lost": ("a * s + b * s**3 + c * s**5", "a * s + c * s**5", check_quintic),
    "steps-one-short": ("range(steps):\n        s", "range(steps - 1):\n        s", check_quintic),
}  # fmt: skip


test_mistakes_are_caught = mistakes("course_utils.figures.beyond_adam", MUTANTS)
